// SPDX-License-Identifier: Apache-2.0
// Implements parts_merger.h.
#include "worker/evaluate/parts_merger.h"

#include <unordered_map>
#include <utility>

#include "common/base/logging.h"
#include "common/base/status.h"
#include "worker/model/path.h"
#include "worker/model/weight_buffers.h"

namespace heterosis {
namespace {

// mergekit's masks are one stream over all tensors of a model, embedding and head included: such a part must be merged
// whole. Others need nothing but their layers.
bool NeedsWholeMerge(const Recipe& part) {
  return part.mask == MaskSource::kMergekit &&
         (part.method == MergeMethod::kDareTies || part.method == MergeMethod::kDareLinear);
}

MergeShape PartShape(const Recipe& recipe, size_t part) {
  MergeShape shape = ShapeOf(PartsOf(recipe)[part]);
  shape.layers_only = part > 0 && !NeedsWholeMerge(PartsOf(recipe)[part]);
  shape.depth_of_sources = part > 0;
  return shape;
}

std::string NamesOf(const MergeShape& shape) {
  std::string names = shape.base;
  for (const std::string& source : shape.sources) absl::StrAppend(&names, names.empty() ? "" : " + ", source);
  return names;
}

absl::Status CheckFit(const RecipeMerger& first, const RecipeMerger& other, size_t part) {
  const ModelConfig &a = first.config, &b = other.config;
  const auto sizes = [](const ModelConfig& c) {
    return absl::StrCat("hidden size ", c.hidden_size, ", intermediate size ", c.intermediate_size, ", ", c.num_heads,
                        " heads, ", c.num_kv_heads, " kv heads of ", c.head_dim,
                        c.attention_bias ? ", attention bias" : "", c.mlp_bias ? ", mlp bias" : "");
  };
  if (sizes(a) != sizes(b)) {
    return absl::InvalidArgumentError(absl::StrCat("part ", part, " of the path (", NamesOf(other.shape), ") has ",
                                                   sizes(b), ", but part 0 (", NamesOf(first.shape), ") has ", sizes(a),
                                                   ": a path needs layers of one size"));
  }
  const bool same_rope = a.rope.kind == b.rope.kind && a.rope.theta == b.rope.theta && a.rope.factor == b.rope.factor;
  if (!same_rope || a.rms_norm_eps != b.rms_norm_eps || a.sliding_window != b.sliding_window) {
    LogWarning(absl::StrCat("part ", part, " of the path (", NamesOf(other.shape),
                            ") was made for another RoPE, norm epsilon or window than part 0 (", NamesOf(first.shape),
                            "): its layers run with those of part 0"));
  }
  return absl::OkStatus();
}

}  // namespace

std::span<const Recipe> PartsOf(const Recipe& recipe) {
  return recipe.is_path() ? std::span<const Recipe>(recipe.parts) : std::span<const Recipe>(&recipe, 1);
}

absl::StatusOr<PartsMerger> PartsMerger::Create(const Recipe& recipe, ModelLibrary& library, int threads) {
  RETURN_IF_ERROR(ValidateRecipe(recipe));
  PartsMerger made;
  for (size_t part = 0; part < PartsOf(recipe).size(); ++part) {
    ASSIGN_OR_RETURN(RecipeMerger merger, MakeRecipeMerger(PartShape(recipe, part), library, threads));
    if (part > 0) RETURN_IF_ERROR(CheckFit(made.mergers_.front(), merger, part));
    if (part == 0) made.config_ = merger.config;
    made.first_layers_.push_back(part == 0 ? 0 : made.config_.num_layers);
    if (part > 0) made.config_.num_layers += merger.config.num_layers;
    made.mergers_.push_back(std::move(merger));
  }
  made.output_ = ExpectedTensors(made.config_);
  return made;
}

bool PartsMerger::Serves(const Recipe& recipe) const {
  if (PartsOf(recipe).size() != mergers_.size()) return false;
  for (size_t part = 0; part < mergers_.size(); ++part) {
    if (mergers_[part].shape != PartShape(recipe, part)) return false;
  }
  return true;
}

absl::StatusOr<PathConfig> PartsMerger::PathOf(const Recipe& recipe) const {
  if (!recipe.is_path()) return IdentityPath(config_.num_layers);
  if (recipe.tokenizer != recipe.parts[0].tokenizer) {
    return absl::InvalidArgumentError(absl::StrCat("a path has the tokenizer of its part 0 (\"",
                                                   recipe.parts[0].tokenizer, "\"), but the recipe names \"",
                                                   recipe.tokenizer, "\""));
  }
  PathConfig path;
  path.scale_applies_to = recipe.scale_applies_to;
  for (size_t i = 0; i < recipe.path.size(); ++i) {
    const Hop& hop = recipe.path[i];
    const size_t part = static_cast<size_t>(hop.part);
    if (part >= mergers_.size() || hop.layer < 0 || hop.layer >= mergers_[part].config.num_layers) {
      return absl::InvalidArgumentError(
          absl::StrCat("hop ", i, " of the path names layer ", hop.layer, " of part ", hop.part,
                       part < mergers_.size() ? absl::StrCat(" (", NamesOf(mergers_[part].shape), "), which has ",
                                                             mergers_[part].config.num_layers, " layers")
                                              : ", which there is not"));
    }
    path.hops.push_back({static_cast<int>(first_layers_[part]) + hop.layer, static_cast<float>(hop.scale)});
  }
  RETURN_IF_ERROR(CheckPath(path, config_.num_layers));
  return path;
}

absl::Status PartsMerger::Merge(const Recipe& recipe, size_t part, std::span<const MutableTensor> slots) {
  Merger& merger = *mergers_[part].merger;
  std::unordered_map<std::string, const MutableTensor*> by_name;
  for (const MutableTensor& slot : slots) by_name[slot.name] = &slot;
  std::vector<MutableTensor> out;
  std::vector<TensorSpec> elsewhere;  // what a part that is merged whole has beside its layers
  for (const TensorSpec& spec : merger.output()) {
    const int64_t layer = LayerOf(spec.name);
    const bool is_kept = part == 0 || layer >= 0;
    const auto slot = by_name.find(layer < 0 ? spec.name : NameInLayer(spec.name, first_layers_[part] + layer));
    if (is_kept && slot == by_name.end()) return absl::InternalError(absl::StrCat("no tensor for ", spec.name));
    if (is_kept) {
      out.push_back({spec.name, spec.shape, slot->second->dtype, slot->second->data});
    } else {
      out.push_back({spec.name, spec.shape, recipe.out_dtype, nullptr});
      elsewhere.push_back(spec);
    }
  }
  ASSIGN_OR_RETURN(const WeightBuffers scratch, WeightBuffers::Allocate(elsewhere, recipe.out_dtype));
  size_t taken = 0;
  for (MutableTensor& tensor : out) {
    if (tensor.data == nullptr) tensor.data = scratch.tensors()[taken++].data;
  }
  return merger.Merge(PartsOf(recipe)[part], out);
}

}  // namespace heterosis
