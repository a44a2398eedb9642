// SPDX-License-Identifier: Apache-2.0
// Implements resolve.h.
#include "common/config/resolve.h"

namespace heterosis {
namespace {

void ResolveFormat(v1::DataSet& data) {
  if (data.format() != v1::DataSet::AUTO) return;
  data.set_format(data.path().ends_with(".tsv") ? v1::DataSet::TSV : v1::DataSet::JSONL);
}

}  // namespace

std::vector<std::string> SourcesOf(const v1::Experiment& config, const v1::Merge& merge) {
  if (merge.sources_size() > 0) return {merge.sources().begin(), merge.sources().end()};
  std::vector<std::string> sources;
  for (const v1::Model& model : config.models()) {
    if (model.name() != config.base()) sources.push_back(model.name());
  }
  return sources;
}

void ResolveConfig(v1::Experiment& config) {
  if (config.tokenizer().empty()) config.set_tokenizer(config.base());
  if (config.has_data()) {
    v1::Data& data = *config.mutable_data();
    if (data.has_search()) ResolveFormat(*data.mutable_search());
    if (data.has_validation()) ResolveFormat(*data.mutable_validation());
    if (data.has_test()) ResolveFormat(*data.mutable_test());
  }
  for (v1::Phase& phase : *config.mutable_phases()) {
    if (phase.space() == v1::Phase::DFS) {
      // What won our comparison on paths (docs/optimizers.md); its indicators are bits.
      if (!phase.optimizer().has_kind()) phase.mutable_optimizer()->set_kind(v1::Optimizer::MIXED);
      continue;
    }
    v1::Merge& merge = *phase.mutable_merge();
    const std::vector<std::string> sources = SourcesOf(config, merge);
    merge.mutable_sources()->Assign(sources.begin(), sources.end());
    if (!merge.has_mask_seed()) merge.set_mask_seed(config.seed());
  }
}

}  // namespace heterosis
