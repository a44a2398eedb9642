// SPDX-License-Identifier: Apache-2.0
// Implements the writing half of mergekit_yaml.h. The text is put together by hand: it is flat, and its numbers must be
// exact and readable by YAML 1.1 too.
#include <algorithm>

#include "common/base/json.h"
#include "common/base/status.h"
#include "common/genome/mergekit_yaml.h"

namespace heterosis {
namespace {

// Every JSON string is a YAML string.
std::string Quoted(const std::string& text) {
  return JsonText(Json(text));
}

// The shortest text that reads back as `value`. YAML 1.1 (PyYAML) takes "1e-05" for a string, so a point is put in.
std::string Number(double value) {
  std::string text = JsonText(Json(value));
  const size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos) text.insert(exponent, ".0");
  return text;
}

// The substring filter that selects what a glob does ("model.layers.3.*" -> "model.layers.3."). Tensor names begin
// with fixed prefixes, so that a prefix and a substring are the same there.
absl::StatusOr<std::string> Filter(const std::string& glob) {
  if (glob == "*") return glob;
  const size_t first = glob.find_first_not_of('*');
  if (first == std::string::npos) return std::string("*");
  const size_t last = glob.find_last_not_of('*');
  const std::string filter = glob.substr(first, last - first + 1);
  if (filter.find('*') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("the pattern ", glob, " has a '*' inside, which mergekit's filters cannot say"));
  }
  return filter;
}

// One parameter over all rows: a plain value where the only row matches everything, a list of cases otherwise.
template <typename GetValue>
absl::StatusOr<std::string> Setting(const Recipe& recipe, const std::string& indent, const std::string& name,
                                    const GetValue& value) {
  if (recipe.rows.size() == 1 && recipe.rows[0].match == std::vector<std::string>{"*"}) {
    return absl::StrCat(indent, name, ": ", Number(value(recipe.rows[0])), "\n");
  }
  std::string text = absl::StrCat(indent, name, ":\n");
  for (const ParameterRow& row : recipe.rows) {
    for (const std::string& glob : row.match) {
      ASSIGN_OR_RETURN(const std::string filter, Filter(glob));
      absl::StrAppend(&text, indent, "  - {value: ", Number(value(row)), ", filter: ", Quoted(filter), "}\n");
    }
  }
  return text;
}

absl::StatusOr<std::string> PathOf(const std::vector<NamedModel>& models, const std::string& name) {
  for (const NamedModel& model : models) {
    if (model.name == name) return model.path;
  }
  return absl::InvalidArgumentError(absl::StrCat("the path of the model \"", name, "\" is not known"));
}

absl::StatusOr<std::string> SourceText(const Recipe& recipe, size_t index, const std::vector<NamedModel>& models) {
  ASSIGN_OR_RETURN(const std::string path, PathOf(models, recipe.sources[index]));
  std::string text = absl::StrCat("  - model: ", Quoted(path), "\n");
  if (recipe.method == MergeMethod::kSlerp) return text;
  absl::StrAppend(&text, "    parameters:\n");
  ASSIGN_OR_RETURN(const std::string weight,
                   Setting(recipe, "      ", "weight", [index](const ParameterRow& row) { return row.weight[index]; }));
  absl::StrAppend(&text, weight);
  if (recipe.rows[0].density.empty()) return text;
  ASSIGN_OR_RETURN(const std::string density, Setting(recipe, "      ", "density",
                                                      [index](const ParameterRow& row) { return row.density[index]; }));
  return text + density;
}

// The parameters of the whole merge.
absl::StatusOr<std::string> SharedText(const Recipe& recipe) {
  if (recipe.method == MergeMethod::kSlerp) {
    ASSIGN_OR_RETURN(const std::string t, Setting(recipe, "  ", "t", [](const ParameterRow& row) { return row.t; }));
    return absl::StrCat("parameters:\n", t);
  }
  std::string text = absl::StrCat("parameters:\n  normalize: ", recipe.normalize ? "true" : "false", "\n");
  if (recipe.method == MergeMethod::kLinear) return text;
  absl::StrAppend(&text, "  lambda: ", Number(recipe.lambda), "\n");
  if (recipe.method != MergeMethod::kDareLinear && recipe.method != MergeMethod::kDareTies) return text;
  absl::StrAppend(
      &text, "  rescale: ", recipe.rescale == Rescale::kNone ? "false" : "true", "\n",
      "  # For Heterosis alone. mergekit ignores these lines: since its version 0.1 it rescales by L1 norms,\n",
      "  # and its masks come from its own generator (--random-seed).\n",
      "  heterosis_rescale: ", std::string(Name(recipe.rescale)), "\n",
      "  heterosis_mask: ", std::string(Name(recipe.mask)), "\n", "  heterosis_mask_seed: ", recipe.mask_seed, "\n");
  return text;
}

// A part of a path as a folder on disk.
absl::StatusOr<std::string> PathOfPart(const Recipe& recipe, int index, const std::vector<NamedModel>& models) {
  const Recipe& part = recipe.parts[static_cast<size_t>(index)];
  if (part != SingleModelRecipe(part.sources[0], part.tokenizer, part.out_dtype)) {
    return absl::InvalidArgumentError(
        absl::StrCat("part ", std::string(1, static_cast<char>('A' + index)),
                     " of the path is a merge itself, which a passthrough file cannot hold; write the whole path as a "
                     "model with `worker merge` instead"));
  }
  return PathOf(models, part.sources[0]);
}

// One slice for each run of layers that follow each other in one model, unscaled or with one scale.
absl::StatusOr<std::string> PassthroughText(const Recipe& recipe, const std::vector<NamedModel>& models) {
  std::string text = "# A path found by Heterosis, as a mergekit configuration.\n";
  const bool scaled =
      std::any_of(recipe.path.begin(), recipe.path.end(), [](const Hop& hop) { return hop.scale != 1; });
  if (scaled) {
    absl::StrAppend(
        &text, "# mergekit cannot scale what flows between layers: without the scales in the comments (applied to the ",
        std::string(Name(recipe.scale_applies_to)), ") the model is another one.\n");
  }
  absl::StrAppend(&text, "merge_method: passthrough\nslices:\n");
  for (size_t begin = 0; begin < recipe.path.size();) {
    const Hop& first = recipe.path[begin];
    size_t end = begin + 1;
    while (end < recipe.path.size() && recipe.path[end].part == first.part && recipe.path[end].scale == first.scale &&
           recipe.path[end].layer == recipe.path[end - 1].layer + 1) {
      ++end;
    }
    ASSIGN_OR_RETURN(const std::string path, PathOfPart(recipe, first.part, models));
    absl::StrAppend(&text, "  - sources:\n      - model: ", Quoted(path), "\n        layer_range: [", first.layer, ", ",
                    recipe.path[end - 1].layer + 1, "]",
                    first.scale == 1 ? "" : absl::StrCat("  # scale ", Number(first.scale)), "\n");
    begin = end;
  }
  absl::StrAppend(&text, "dtype: ", std::string(Name(recipe.out_dtype)), "\n");
  return text;
}

}  // namespace

absl::StatusOr<std::string> MergekitText(const Recipe& recipe, const std::vector<NamedModel>& models) {
  RETURN_IF_ERROR(ValidateRecipe(recipe));
  if (recipe.is_path()) return PassthroughText(recipe, models);
  std::string text = absl::StrCat("# A merge found by Heterosis, as a mergekit configuration.\nmerge_method: ",
                                  std::string(Name(recipe.method)), "\n");
  if (!recipe.base.empty()) {
    ASSIGN_OR_RETURN(const std::string base, PathOf(models, recipe.base));
    absl::StrAppend(&text, "base_model: ", Quoted(base), "\n");
  }
  absl::StrAppend(&text, "models:\n");
  for (size_t i = 0; i < recipe.sources.size(); ++i) {
    ASSIGN_OR_RETURN(const std::string source, SourceText(recipe, i, models));
    absl::StrAppend(&text, source);
  }
  ASSIGN_OR_RETURN(const std::string shared, SharedText(recipe));
  absl::StrAppend(&text, shared, "dtype: ", std::string(Name(recipe.dtype)), "\n",
                  "out_dtype: ", std::string(Name(recipe.out_dtype)), "\n");
  // Without this line mergekit copies the base's tokenizer, or the first model's.
  if (recipe.tokenizer != (recipe.base.empty() ? recipe.sources[0] : recipe.base)) {
    ASSIGN_OR_RETURN(const std::string tokenizer, PathOf(models, recipe.tokenizer));
    absl::StrAppend(&text, "tokenizer_source: ", Quoted(tokenizer), "\n");
  }
  return text;
}

}  // namespace heterosis
