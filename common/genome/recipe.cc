// SPDX-License-Identifier: Apache-2.0
// Implements recipe.h except its JSON: names, globs and the checks of a recipe.
#include "common/genome/recipe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "common/base/names.h"
#include "common/base/status.h"
#include "common/base/utf8.h"

namespace heterosis {
namespace {

constexpr std::array kMethods = {Named<MergeMethod>{MergeMethod::kLinear, "linear"},
                                 Named<MergeMethod>{MergeMethod::kSlerp, "slerp"},
                                 Named<MergeMethod>{MergeMethod::kTaskArithmetic, "task_arithmetic"},
                                 Named<MergeMethod>{MergeMethod::kTies, "ties"},
                                 Named<MergeMethod>{MergeMethod::kDareLinear, "dare_linear"},
                                 Named<MergeMethod>{MergeMethod::kDareTies, "dare_ties"}};
constexpr std::array kDTypes = {Named<DType>{DType::kFloat32, "float32"}, Named<DType>{DType::kBFloat16, "bfloat16"},
                                Named<DType>{DType::kFloat16, "float16"}};
constexpr std::array kRescales = {Named<Rescale>{Rescale::kDensity, "density"}, Named<Rescale>{Rescale::kL1, "l1"},
                                  Named<Rescale>{Rescale::kNone, "none"}};
constexpr std::array kMaskSources = {Named<MaskSource>{MaskSource::kCounter, "counter"},
                                     Named<MaskSource>{MaskSource::kMergekit, "mergekit"}};
constexpr std::array kScaleTargets = {Named<ScaleTarget>{ScaleTarget::kStream, "stream"},
                                      Named<ScaleTarget>{ScaleTarget::kBranch, "branch"}};

absl::Status Invalid(std::string message) {
  return absl::InvalidArgumentError(std::move(message));
}

absl::Status CheckModels(const Recipe& recipe) {
  const std::string method(Name(recipe.method));
  if (recipe.sources.empty()) return Invalid("the recipe names no source model");
  if (recipe.tokenizer.empty()) return Invalid("the recipe does not say whose tokenizer the merged model has");
  if (recipe.method == MergeMethod::kLinear) {
    if (!recipe.base.empty()) {
      return Invalid(absl::StrCat("method linear has no base model, but the recipe names \"", recipe.base,
                                  "\"; make it a source"));
    }
  } else if (recipe.base.empty()) {
    return Invalid(absl::StrCat("method ", method, " needs a base model"));
  }
  if (recipe.method == MergeMethod::kSlerp && recipe.sources.size() != 1) {
    return Invalid(absl::StrCat("method slerp takes the base and exactly one source, but the recipe has ",
                                recipe.sources.size(), " sources"));
  }
  std::set<std::string> seen;
  for (const std::string& source : recipe.sources) {
    if (source.empty()) return Invalid("a source model has an empty name");
    if (!IsValidUtf8(source)) return Invalid("the name of a source model is not UTF-8");
    if (source == recipe.base) return Invalid(absl::StrCat("\"", source, "\" is the base and a source at once"));
    if (!seen.insert(source).second) return Invalid(absl::StrCat("\"", source, "\" is a source twice"));
  }
  if (!IsValidUtf8(recipe.base) || !IsValidUtf8(recipe.tokenizer)) return Invalid("the name of a model is not UTF-8");
  return absl::OkStatus();
}

// The layers of the parts are the models' business: only the worker can compare with them.
absl::Status CheckPath(const Recipe& recipe) {
  if (!recipe.is_path()) return Invalid("the recipe has parts but no path through them");
  if (recipe.parts.empty()) return Invalid("the recipe has a path but no parts for it");
  if (!recipe.base.empty() || !recipe.sources.empty() || !recipe.rows.empty()) {
    return Invalid("a path merges nothing itself: base, sources and rows belong to its parts");
  }
  if (recipe.tokenizer.empty()) return Invalid("the recipe does not say whose tokenizer the model has");
  for (size_t i = 0; i < recipe.parts.size(); ++i) {
    const std::string where = absl::StrCat("part ", i);
    if (recipe.parts[i].is_path()) return Invalid(where + " is a path itself");
    RETURN_IF_ERROR(Annotate(ValidateRecipe(recipe.parts[i]), where));
    if (recipe.parts[i].out_dtype != recipe.out_dtype) return Invalid(where + " has another out_dtype than the path");
  }
  for (size_t i = 0; i < recipe.path.size(); ++i) {
    const Hop& hop = recipe.path[i];
    if (hop.part < 0 || hop.part >= static_cast<int>(recipe.parts.size()) || hop.layer < 0) {
      return Invalid(absl::StrCat("hop ", i, " names layer ", hop.layer, " of part ", hop.part, ", there are ",
                                  recipe.parts.size(), " parts"));
    }
    if (!std::isfinite(hop.scale)) return Invalid(absl::StrCat("hop ", i, " has a scale that is not finite"));
  }
  return absl::OkStatus();
}

absl::Status CheckCount(std::string_view what, size_t found, size_t wanted, const Recipe& recipe) {
  if (found == wanted) return absl::OkStatus();
  const std::string method(Name(recipe.method));
  if (wanted == 0) {
    return Invalid(
        absl::StrCat("has ", found, " values of ", std::string(what), ", which method ", method, " has not"));
  }
  return Invalid(absl::StrCat("has ", found, " values of ", std::string(what), " for ", wanted, " sources"));
}

absl::Status CheckRow(const Recipe& recipe, const ParameterRow& row) {
  if (row.match.empty()) return Invalid("matches no tensor: its list of patterns is empty");
  for (const std::string& pattern : row.match) {
    if (pattern.empty() || !IsValidUtf8(pattern)) return Invalid("has a pattern that is empty or not UTF-8");
  }
  const size_t sources = recipe.sources.size();
  const bool slerp = recipe.method == MergeMethod::kSlerp;
  RETURN_IF_ERROR(CheckCount("weight", row.weight.size(), slerp ? 0 : sources, recipe));
  RETURN_IF_ERROR(CheckCount("density", row.density.size(), HasDensity(recipe.method) ? sources : 0, recipe));
  for (const double weight : row.weight) {
    if (!std::isfinite(weight)) return Invalid("has a weight that is not finite");
  }
  for (const double density : row.density) {
    if (!(density >= 0 && density <= 1)) return Invalid(absl::StrCat("has a density of ", density, ", outside [0, 1]"));
  }
  if (!std::isfinite(row.t)) return Invalid("has a t that is not finite");
  if (!slerp && row.t != 0) return Invalid(absl::StrCat("has a t of ", row.t, ", which only method slerp has"));
  return absl::OkStatus();
}

}  // namespace

std::string_view Name(MergeMethod method) {
  return NameIn(kMethods, method);
}
std::string_view Name(DType dtype) {
  return NameIn(kDTypes, dtype);
}
std::string_view Name(Rescale rescale) {
  return NameIn(kRescales, rescale);
}
std::string_view Name(MaskSource mask) {
  return NameIn(kMaskSources, mask);
}
std::string_view Name(ScaleTarget target) {
  return NameIn(kScaleTargets, target);
}

absl::StatusOr<MergeMethod> MergeMethodFromName(std::string_view name) {
  return ValueIn(kMethods, "merge method", name);
}
absl::StatusOr<DType> DTypeFromName(std::string_view name) {
  return ValueIn(kDTypes, "dtype", name);
}
absl::StatusOr<Rescale> RescaleFromName(std::string_view name) {
  return ValueIn(kRescales, "rescale", name);
}
absl::StatusOr<MaskSource> MaskSourceFromName(std::string_view name) {
  return ValueIn(kMaskSources, "mask source", name);
}
absl::StatusOr<ScaleTarget> ScaleTargetFromName(std::string_view name) {
  return ValueIn(kScaleTargets, "scale target", name);
}

bool HasDensity(MergeMethod method) {
  return method == MergeMethod::kTies || method == MergeMethod::kDareLinear || method == MergeMethod::kDareTies;
}

// On a mismatch only the last '*' seen needs to take one more character: an earlier one that took more could not match
// more. So the time is at most pattern x name.
bool GlobMatches(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0;
  size_t star = std::string_view::npos, star_name = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_name = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

const ParameterRow* RowFor(const Recipe& recipe, std::string_view tensor_name) {
  for (const ParameterRow& row : recipe.rows) {
    for (const std::string& pattern : row.match) {
      if (GlobMatches(pattern, tensor_name)) return &row;
    }
  }
  return nullptr;
}

std::vector<std::string> ModelsOf(const Recipe& recipe) {
  std::vector<std::string> names = recipe.sources;
  names.push_back(recipe.base);
  names.push_back(recipe.tokenizer);
  for (const Recipe& part : recipe.parts) {
    const std::vector<std::string> more = ModelsOf(part);
    names.insert(names.end(), more.begin(), more.end());
  }
  std::set<std::string> seen = {""};
  std::erase_if(names, [&](const std::string& name) { return !seen.insert(name).second; });
  return names;
}

absl::Status ValidateRecipe(const Recipe& recipe) {
  if (recipe.is_path() || !recipe.parts.empty()) return CheckPath(recipe);
  if (Name(recipe.method) == "?" || Name(recipe.dtype) == "?" || Name(recipe.out_dtype) == "?" ||
      Name(recipe.rescale) == "?" || Name(recipe.mask) == "?") {
    return Invalid("the recipe has a method, dtype, rescale or mask that this version does not know");
  }
  RETURN_IF_ERROR(CheckModels(recipe));
  if (!std::isfinite(recipe.lambda)) return Invalid("the recipe's lambda is not finite");
  const bool has_delta = recipe.method != MergeMethod::kLinear && recipe.method != MergeMethod::kSlerp;
  if (!has_delta && recipe.lambda != 1.0) {
    return Invalid(absl::StrCat("method ", std::string(Name(recipe.method)), " has no lambda, but the recipe's is ",
                                recipe.lambda, "; leave it 1"));
  }
  if (recipe.rows.empty()) return Invalid("the recipe has no row of parameters");
  for (size_t i = 0; i < recipe.rows.size(); ++i) {
    const ParameterRow& row = recipe.rows[i];
    const std::string where = absl::StrCat("row ", i, row.match.empty() ? "" : absl::StrCat(" (", row.match[0], ")"));
    RETURN_IF_ERROR(Annotate(CheckRow(recipe, row), where));
  }
  return absl::OkStatus();
}

Recipe SingleModelRecipe(std::string_view model, std::string_view tokenizer, DType out_dtype) {
  Recipe recipe;
  recipe.method = MergeMethod::kLinear;
  recipe.sources = {std::string(model)};
  recipe.tokenizer = std::string(tokenizer);
  recipe.out_dtype = out_dtype;
  recipe.rows = {ParameterRow{.match = {"*"}, .weight = {1.0}, .density = {}}};
  return recipe;
}

}  // namespace heterosis
