// SPDX-License-Identifier: Apache-2.0
// Implements check.h.
#include "coordinator/cli/check.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "common/config/dfs_options.h"
#include "coordinator/cli/format.h"
#include "coordinator/experiment/inputs.h"
#include "coordinator/experiment/phase_plan.h"

namespace heterosis {
namespace {

constexpr size_t kDigestShown = 12;

// A value of one of the schema's enums as YAML has it.
std::string YamlName(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::string ModelsText(const Inputs& inputs) {
  std::vector<std::vector<std::string>> rows = {{"  model", "role", "layers", "digest", "folder"}};
  for (const v1::Model& model : inputs.setup.config.models()) {
    rows.push_back({"  " + model.name(), model.name() == inputs.setup.config.base() ? "base" : "source",
                    absl::StrCat(inputs.setup.model_layers.at(model.name())),
                    inputs.setup.model_digests.at(model.name()).substr(0, kDigestShown), model.path()});
  }
  return Columns(rows, rows[0].size());
}

// Genes of one parameter in different groups of tensors ("layer.3/ja.weight"), which share a range.
struct GeneRow {
  std::string parameter;
  Gene first, last;
  int count = 0;
};

std::vector<GeneRow> GeneRows(const std::vector<Gene>& genes) {
  std::vector<GeneRow> rows;
  for (const Gene& gene : genes) {
    const std::string parameter = gene.name.substr(gene.name.find('/') + 1);
    auto row = std::find_if(rows.begin(), rows.end(), [&](const GeneRow& other) {
      return other.parameter == parameter && other.first.low == gene.low && other.first.high == gene.high &&
             other.first.start == gene.start;
    });
    if (row == rows.end()) row = rows.insert(rows.end(), {parameter, gene, gene, 0});
    row->last = gene;
    ++row->count;
  }
  return rows;
}

std::string GenesText(const std::vector<Gene>& genes) {
  const auto group = [](const Gene& gene) { return gene.name.substr(0, gene.name.find('/')); };
  std::vector<std::vector<std::string>> rows = {{"    parameter", "genes", "groups", "range", "start"}};
  for (const GeneRow& row : GeneRows(genes)) {
    rows.push_back({"    " + row.parameter, absl::StrCat(row.count),
                    row.count == 1 ? group(row.first) : absl::StrCat(group(row.first), " to ", group(row.last)),
                    absl::StrFormat("[%g, %g]", row.first.low, row.first.high),
                    absl::StrFormat("%g", row.first.start)});
  }
  return Columns(rows, rows[0].size());
}

// "dare_ties of ja, math over base, by layer", or "paths through ja (8 layers), math (8 layers), 48 slots".
std::string SpaceText(const ExperimentSetup& setup, const v1::Phase& phase) {
  if (phase.space() == v1::Phase::DFS) {
    const DfsSpaceOptions options = DfsOptionsFromConfig(setup.config, phase, setup.model_layers);
    std::vector<std::string> parts;
    int layers = 0;
    for (size_t i = 0; i < options.names.size(); ++i) {
      parts.push_back(absl::StrCat(options.names[i], " (", options.layers[i], " layers)"));
      layers += options.layers[i];
    }
    return absl::StrFormat("paths through %s, %d slots", absl::StrJoin(parts, ", "), layers * options.repeats);
  }
  const v1::Merge& merge = phase.merge();
  return absl::StrFormat("%s of %s%s, by %s", YamlName(v1::Merge::Method_Name(merge.method())),
                         absl::StrJoin(merge.sources(), ", "),
                         merge.method() == v1::Merge::LINEAR ? "" : " over " + setup.config.base(),
                         YamlName(v1::Merge::Granularity_Name(merge.granularity())));
}

// What a phase's limits forbid that its search starts from, or "": it runs, but blindly at first.
std::string WarningsText(const ExperimentSetup& setup, const v1::Phase& phase) {
  if (phase.space() != v1::Phase::DFS) return "";
  const DfsSpaceOptions options = DfsOptionsFromConfig(setup.config, phase, setup.model_layers);
  std::string text;
  for (const auto& [key, limit] :
       {std::pair{"max_hops", options.max_hops}, {"max_distinct_layers", options.max_distinct_layers}}) {
    if (limit == 0 || limit >= options.layers[0]) continue;
    absl::StrAppendFormat(
        &text,
        "  warning: %s is %d, but %s alone has %d layers: its own path, from which the search starts, is infeasible\n",
        key, limit, options.names[0], options.layers[0]);
  }
  return text;
}

std::string PhaseText(const ExperimentSetup& setup, const PhasePlan& plan) {
  const v1::Phase& phase = setup.config.phases(plan.index());
  const v1::Optimizer& optimizer = phase.optimizer();
  const int search = static_cast<int>(setup.search.size());
  const int batch = plan.per_generation() > 0 ? std::min(plan.per_generation(), search) : search;
  std::string text = absl::StrFormat("phase %s: %s space, %s\n", plan.name(),
                                     YamlName(v1::Phase::Space_Name(phase.space())), SpaceText(setup, phase));
  absl::StrAppendFormat(&text, "  %d genes:\n%s", plan.space().dimension(), GenesText(plan.space().genes()));
  absl::StrAppendFormat(&text, "  optimizer: %s, sigma %g of ranges scaled to [0, 1]",
                        YamlName(v1::Optimizer::Kind_Name(optimizer.kind())), optimizer.sigma());
  if (!plan.injected_labels().empty()) {
    absl::StrAppend(&text, "; the first generation has also: ", absl::StrJoin(plan.injected_labels(), ", "));
  }
  absl::StrAppendFormat(&text, "\n  population %d x %d generations = %d trials, each on %d search problems in %d %s\n",
                        plan.population(), plan.generations(), int64_t{plan.population()} * plan.generations(), batch,
                        ShardCount(batch, setup.config.evaluation().shard_size()),
                        batch > setup.config.evaluation().shard_size() ? "shards" : "shard");
  absl::StrAppendFormat(&text, "  selection: the best %d and %s again on %s\n", plan.top(),
                        plan.validates_each_generation() ? "each generation's best and mean" : "the mean",
                        setup.validation.empty() ? "all search problems" : "the validation problems");
  return text + WarningsText(setup, phase);
}

std::string TaskText(const ExperimentSetup& setup, const Task& task) {
  std::string text =
      absl::StrFormat("answers: at most %d new tokens, decoded as %s; right is the last number (%s)",
                      task.max_new_tokens, Name(task.compute_dtype),
                      task.number_mode == NumberMode::kPaper ? "read as the paper's code does" : "robust reading");
  if (!task.language.empty()) {
    absl::StrAppendFormat(&text, " in an answer with P(%s) > %g", task.language, task.language_threshold);
  }
  return absl::StrFormat("problems: %d search, %d validation, %d test\n%s\n", setup.search.size(),
                         setup.validation.size(), setup.test.size(), text);
}

}  // namespace

absl::StatusOr<std::string> Check(const std::string& config_path) {
  ASSIGN_OR_RETURN(const Inputs inputs, ReadInputs(config_path));
  const ExperimentSetup& setup = inputs.setup;
  std::vector<PhasePlan> plans;
  for (int i = 0; i < setup.config.phases_size(); ++i) {
    absl::StatusOr<PhasePlan> plan = PhasePlan::Create(setup.config, i, setup.model_layers);
    if (!plan.ok()) return Annotate(plan.status(), config_path);
    plans.push_back(*std::move(plan));
  }
  std::string text =
      absl::StrFormat("%s is sound.\nexperiment %s, seed %d\n\nmodels:\n%s\n%s", config_path, setup.config.name(),
                      setup.config.seed(), ModelsText(inputs), TaskText(setup, inputs.task));
  for (const PhasePlan& plan : plans) absl::StrAppend(&text, "\n", PhaseText(setup, plan));
  absl::StrAppendFormat(&text, "\nin all at most %d answers to decode, with parents, baselines and the sealed test\n",
                        SamplesPlanned(setup, plans));
  return text;
}

}  // namespace heterosis
