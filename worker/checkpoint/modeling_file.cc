// SPDX-License-Identifier: Apache-2.0
// The Python file of path_config.h: runs the hops of a path through the layers of transformers' own decoder.
#include <string>

#include "absl/strings/str_replace.h"
#include "worker/checkpoint/path_config.h"

namespace heterosis {
namespace {

// NAME and FAMILY become Llama and llama, or Mistral and mistral.
constexpr char kTemplate[] = R"py(# SPDX-License-Identifier: Apache-2.0
"""A decoder whose data run along a path through its layers: a layer may come several times, and each hop has a scale.
Written by Heterosis; load with trust_remote_code=True.

config.json: `heterosis_path` has the stored layer of each hop and `heterosis_scales` its scale. With
`heterosis_scale_applies_to` "stream" a hop's scale multiplies the hidden state that enters it. With "branch" the first
hop's does so, and each later one multiplies what the MLP of the hop before it adds. `num_hidden_layers` counts the hops:
each has keys and values of its own.
"""
from functools import partial

from torch import nn
from transformers.models.FAMILY.configuration_FAMILY import NAMEConfig
from transformers.models.FAMILY.modeling_FAMILY import NAMEDecoderLayer, NAMEForCausalLM, NAMEMLP, NAMEModel


class HeterosisConfig(NAMEConfig):
    model_type = "heterosis"


class ScaledMLP(NAMEMLP):
    scale = 1.0

    def forward(self, x):
        out = super().forward(x)
        return out if self.scale == 1.0 else out * self.scale


class Path(nn.ModuleList):
    """The stored layers; a slice of it are the hops, as the decoder's loop over its layers calls them."""

    def __init__(self, config):
        layers = [NAMEDecoderLayer(config, index) for index in range(max(config.heterosis_path) + 1)]
        for layer in layers:
            layer.mlp = ScaledMLP(config)
        super().__init__(layers)
        self.stops = list(config.heterosis_path)
        scales = list(config.heterosis_scales)
        if config.heterosis_scale_applies_to == "stream":
            self.state_scales, self.mlp_scales = scales, [1.0] * len(scales)
        else:
            self.state_scales = scales[:1] + [1.0] * (len(scales) - 1)
            self.mlp_scales = scales[1:] + [1.0]

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [partial(self.hop, hop) for hop in range(*index.indices(len(self.stops)))]
        return super().__getitem__(index)

    def hop(self, hop, hidden_states, *args, **kwargs):
        layer = self[self.stops[hop]]
        layer.self_attn.layer_idx = hop  # where its keys and values go
        layer.mlp.scale = self.mlp_scales[hop]
        if self.state_scales[hop] != 1.0:
            hidden_states = hidden_states * self.state_scales[hop]
        return layer(hidden_states, *args, **kwargs)


class HeterosisModel(NAMEModel):
    config_class = HeterosisConfig

    def __init__(self, config):
        super().__init__(config)
        self.layers = Path(config)
        self.post_init()


class HeterosisForCausalLM(NAMEForCausalLM):
    config_class = HeterosisConfig

    def __init__(self, config):
        super().__init__(config)
        self.model = HeterosisModel(config)
        self.post_init()
)py";

}  // namespace

std::string ModelingText(const std::string& architecture) {
  const bool llama = architecture == "LlamaForCausalLM";
  return absl::StrReplaceAll(kTemplate,
                             {{"NAME", llama ? "Llama" : "Mistral"}, {"FAMILY", llama ? "llama" : "mistral"}});
}

}  // namespace heterosis
