// SPDX-License-Identifier: Apache-2.0
// Implements semantic_phase.h.
#include "common/config/semantic_phase.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/config/dfs_options.h"
#include "common/config/ps_options.h"
#include "common/config/resolve.h"
#include "common/config/suggest.h"
#include "common/genome/ps_space.h"

namespace heterosis {
namespace {

std::string MethodName(const v1::Merge& merge) {
  return absl::AsciiStrToLower(v1::Merge::Method_Name(merge.method()));
}

bool IsDare(const v1::Merge& merge) {
  return merge.method() == v1::Merge::DARE_TIES || merge.method() == v1::Merge::DARE_LINEAR;
}

// A key that the method or the granularity makes meaningless is an error: whoever wrote it expects an effect.
void CheckUnused(const v1::Merge& merge, const std::string& key, ConfigIssues& issues) {
  const bool slerp = merge.method() == v1::Merge::SLERP;
  const bool dare = IsDare(merge);
  const bool delta = !slerp && merge.method() != v1::Merge::LINEAR;
  const auto check = [&](bool given, bool used, std::string_view name) {
    if (!given || used) return;
    const std::string field(name);
    issues.Add(absl::StrCat(key, ".", field),
               absl::StrCat("method ", MethodName(merge), " has no ", field, "; remove it"));
  };
  check(merge.has_weight(), !slerp, "weight");
  check(merge.has_density(), dare || merge.method() == v1::Merge::TIES, "density");
  check(merge.has_t(), slerp, "t");
  check(merge.has_normalize(), !slerp, "normalize");
  check(merge.has_lambda(), delta, "lambda");
  check(merge.has_rescale(), dare, "rescale");
  check(merge.has_mask_seed(), dare, "mask_seed");
  if (merge.has_group_layers() && merge.granularity() != v1::Merge::GROUP) {
    issues.Add(key + ".group_layers", "group_layers counts only with `granularity: group`; write that or remove it");
  }
}

void CheckRange(const v1::Range& range, const std::string& key, bool is_density, ConfigIssues& issues) {
  if (range.has_fixed()) {
    if (range.has_low() || range.has_high() || range.has_start()) {
      issues.Add(key, absl::StrCat(key, " is fixed and has a range at once; remove one of the two"));
    } else if (is_density && (range.fixed() < 0 || range.fixed() > 1)) {
      issues.Add(key, absl::StrCat(key, " must be from 0 to 1, but is ", range.fixed()));
    }
    return;
  }
  if (!(range.low() < range.high())) {
    issues.Add(key, absl::StrCat(key, ": low (", range.low(), ") must be less than high (", range.high(), ")"));
  } else if (is_density && (range.low() < 0 || range.high() > 1)) {
    issues.Add(key, absl::StrCat(key, " must stay within [0, 1], but is [", range.low(), ", ", range.high(), "]"));
  } else if (range.has_start() && (range.start() < range.low() || range.start() > range.high())) {
    issues.Add(
        key, absl::StrCat(key, ": start (", range.start(), ") must be within [", range.low(), ", ", range.high(), "]"));
  }
}

void CheckSources(const v1::Experiment& config, const v1::Merge& merge, const std::string& key, ConfigIssues& issues) {
  const bool linear = merge.method() == v1::Merge::LINEAR;
  std::set<std::string> seen;
  for (int i = 0; i < merge.sources_size(); ++i) {
    const std::string& source = merge.sources(i);
    const std::string source_key = absl::StrCat(key, ".sources[", i, "]");
    CheckModelName(source_key, source, config, issues);
    if (!seen.insert(source).second)
      issues.Add(source_key, absl::StrCat("\"", source, "\" is a source twice; remove one"));
    if (!linear && !config.base().empty() && source == config.base()) {
      issues.Add(source_key, absl::StrCat("\"", source, "\" is the base; remove it from the sources"));
    }
  }
  if (!linear && config.base().empty()) {
    issues.Add("base", absl::StrCat("method ", MethodName(merge),
                                    " needs a base: the model that the others were fine-tuned from"));
  }
  if (issues.Has("models") || issues.Has("base")) return;
  const size_t count = SourcesOf(config, merge).size();
  if (count == 0) {
    issues.Add(key + ".sources", "there is no source to merge: `models` has only the base");
  } else if (merge.method() == v1::Merge::SLERP && count != 1) {
    issues.Add(key + ".sources",
               absl::StrCat("slerp takes the base and exactly one source, but there are ", count,
                            "; name one as in `sources: [", config.models(config.models_size() - 1).name(), "]`"));
  } else if (linear && count < 2) {
    issues.Add(key + ".sources", "linear needs at least two sources");
  }
}

void CheckOptimizer(const v1::Optimizer& optimizer, const std::string& key, ConfigIssues& issues) {
  const int population = optimizer.population();
  if (population == 0 || optimizer.kind() == v1::Optimizer::RANDOM) return;
  if (population < 2) issues.Add(key + ".population", absl::StrCat(key, ".population must be at least 2"));
  if (population < 4 && optimizer.step_size() == v1::Optimizer::TPA) {
    issues.Add(key + ".population", "step_size tpa needs a population of at least 4");
  }
}

void CheckBudget(const v1::Budget& budget, const std::string& key, ConfigIssues& issues) {
  if (budget.has_trials() == budget.has_generations()) {
    issues.Add(key, absl::StrCat(key, " needs exactly one of `trials` and `generations`"));
  }
}

// The models of one merge must have the same number of layers.
void CheckDepth(const v1::Experiment& config, const v1::Merge& merge, const ModelLayers& layers, ConfigIssues& issues) {
  std::vector<std::string> names = SourcesOf(config, merge);
  if (merge.method() != v1::Merge::LINEAR) names.insert(names.begin(), config.base());
  const v1::Model* first = nullptr;
  for (int i = 0; i < config.models_size(); ++i) {
    const v1::Model& model = config.models(i);
    if (std::find(names.begin(), names.end(), model.name()) == names.end() || !layers.contains(model.name())) continue;
    if (first == nullptr) first = &model;
    const int depth = layers.at(model.name()), wanted = layers.at(first->name());
    if (depth == wanted) continue;
    issues.Add(absl::StrCat("models[", i, "].path"),
               absl::StrCat("num_hidden_layers of ", model.path(), " is ", depth, ", but that of ", first->path(),
                            " is ", wanted, "; only models of one shape can be merged"));
  }
}

// Whatever the checks of single keys let through, the search space itself refuses.
void CheckSpace(const v1::Experiment& config, const v1::Phase& phase, const ModelLayers& layers, const std::string& key,
                ConfigIssues& issues) {
  if (layers.empty() || issues.Has("models") || issues.Has("base") || issues.Has("tokenizer")) return;
  v1::Experiment resolved = config;
  resolved.clear_phases();
  *resolved.add_phases() = phase;
  ResolveConfig(resolved);
  const int depth = LayersOfMerge(resolved, resolved.phases(0), layers);
  const absl::StatusOr<PsSpace> space = PsSpace::Create(PsOptionsFromConfig(resolved, resolved.phases(0), depth));
  if (!space.ok()) issues.Add(key, absl::StrCat(key, ": ", space.status().message()));
}

void CheckMerge(const v1::Experiment& config, const v1::Phase& phase, const ModelLayers& layers,
                const std::string& phase_key, ConfigIssues& issues) {
  if (phase.has_path()) issues.Add(phase_key + ".path", "a ps phase has no `path`; remove it or say `space: dfs`");
  if (!phase.has_merge()) {
    issues.Add(phase_key, absl::StrCat(phase_key, " needs `merge`, as in `merge: {method: dare_ties}`"));
    return;
  }
  const std::string key = phase_key + ".merge";
  CheckUnused(phase.merge(), key, issues);
  CheckRange(phase.merge().weight(), key + ".weight", false, issues);
  CheckRange(phase.merge().density(), key + ".density", true, issues);
  CheckRange(phase.merge().t(), key + ".t", false, issues);
  CheckSources(config, phase.merge(), key, issues);
  CheckDepth(config, phase.merge(), layers, issues);
  CheckSpace(config, phase, layers, key, issues);
}

// A source of a path: a model, or the winner of an earlier ps phase.
void CheckPathSource(const v1::Experiment& config, int index, const v1::Source& source, const std::string& key,
                     ConfigIssues& issues) {
  if (source.has_model() == source.has_phase()) {
    issues.Add(key, absl::StrCat(key, " must be either {model: NAME} or {phase: NAME}"));
  } else if (source.has_model()) {
    CheckModelName(key + ".model", source.model(), config, issues);
  } else {
    std::vector<std::string> earlier;
    for (int i = 0; i < index; ++i) {
      if (config.phases(i).space() == v1::Phase::PS) earlier.push_back(config.phases(i).name());
    }
    if (std::find(earlier.begin(), earlier.end(), source.phase()) != earlier.end()) return;
    issues.Add(key + ".phase", absl::StrCat(key, ".phase: there is no ps phase \"", source.phase(),
                                            "\" before this one", Suggestion(source.phase(), earlier)));
  }
}

void CheckPath(const v1::Experiment& config, int index, const ModelLayers& layers, const std::string& phase_key,
               ConfigIssues& issues) {
  const v1::Phase& phase = config.phases(index);
  if (phase.has_merge()) issues.Add(phase_key + ".merge", "a dfs phase has no `merge`; remove it or say `space: ps`");
  if (!phase.has_path()) {
    issues.Add(phase_key,
               absl::StrCat(phase_key, " needs `path`, as in `path: {sources: [{model: ja}, {model: math}]}`"));
    return;
  }
  const v1::Path& path = phase.path();
  const std::string key = phase_key + ".path";
  for (int i = 0; i < path.sources_size(); ++i) {
    CheckPathSource(config, index, path.sources(i), absl::StrCat(key, ".sources[", i, "]"), issues);
  }
  if (path.scales() == v1::Path::NONE && path.has_scale()) {
    issues.Add(key + ".scale", "`scales: none` has no scale; remove it");
  }
  if (path.has_scale() && path.scale().has_fixed()) {
    issues.Add(key + ".scale", absl::StrCat(key, ".scale must be a range; for unscaled paths say `scales: none`"));
  }
  if (layers.empty() || issues.Has("models") || issues.Has(key)) return;
  const absl::StatusOr<DfsSpace> space = DfsSpace::Create(DfsOptionsFromConfig(config, phase, layers));
  if (!space.ok()) issues.Add(key, absl::StrCat(key, ": ", space.status().message()));
}

void CheckPhase(const v1::Experiment& config, int index, const ModelLayers& layers, ConfigIssues& issues) {
  const v1::Phase& phase = config.phases(index);
  const std::string key = absl::StrCat("phases[", index, "]");
  CheckName(key + ".name", phase.name(), issues);
  for (int earlier = 0; earlier < index; ++earlier) {
    if (phase.name().empty() || config.phases(earlier).name() != phase.name()) continue;
    issues.Add(key + ".name", absl::StrCat("two phases have the name \"", phase.name(), "\"; rename one"));
  }
  if (phase.space() == v1::Phase::DFS) {
    CheckPath(config, index, layers, key, issues);
  } else {
    CheckMerge(config, phase, layers, key, issues);
  }
  CheckOptimizer(phase.optimizer(), key + ".optimizer", issues);
  if (phase.has_budget()) CheckBudget(phase.budget(), key + ".budget", issues);
}

}  // namespace

void CheckName(const std::string& key, const std::string& name, ConfigIssues& issues) {
  for (const char c : name) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-') continue;
    issues.Add(key, absl::StrCat(key, " \"", name, "\" may have only letters, digits, '.', '_' and '-'"));
    return;
  }
  if (name.starts_with('.')) issues.Add(key, absl::StrCat(key, " \"", name, "\" must not begin with a dot"));
}

void CheckModelName(const std::string& key, const std::string& name, const v1::Experiment& config,
                    ConfigIssues& issues) {
  std::vector<std::string> names;
  for (const v1::Model& model : config.models()) {
    if (model.name() == name) return;
    names.push_back(model.name());
  }
  if (issues.Has("models")) return;
  issues.Add(key, absl::StrCat(key, ": there is no model \"", name, "\"", Suggestion(name, names)));
}

void CheckPhases(const v1::Experiment& config, const ModelLayers& layers, ConfigIssues& issues) {
  for (int i = 0; i < config.phases_size(); ++i) CheckPhase(config, i, layers, issues);
}

}  // namespace heterosis
