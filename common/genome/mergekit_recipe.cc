// SPDX-License-Identifier: Apache-2.0
// Implements MergekitFile::ToRecipe: settings per tensor, then as few rows as say the same.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "common/base/status.h"
#include "common/genome/mergekit_yaml.h"

namespace heterosis {
namespace {

constexpr std::string_view kLayerPrefix = "model.layers.";

// The decoder layer that a tensor belongs to, or -1.
int LayerOf(std::string_view tensor) {
  if (!tensor.starts_with(kLayerPrefix)) return -1;
  const std::string_view rest = tensor.substr(kLayerPrefix.size());
  int layer = -1;
  const std::string digits(rest.substr(0, rest.find('.')));
  return absl::SimpleAtoi(digits, &layer) && layer >= 0 ? layer : -1;
}

bool FilterMatches(std::string_view filter, std::string_view tensor) {
  return filter.empty() || filter == "*" || tensor.find(filter) != std::string_view::npos;
}

// Piecewise linear between the values, spread evenly over [0, 1] (mergekit/config.py, evaluate_setting).
double Interpolated(const std::vector<double>& values, double depth) {
  const double scaled = depth * static_cast<double>(values.size() - 1);
  const auto first = static_cast<size_t>(scaled);
  const size_t second = std::min(values.size() - 1, first + 1);
  const double part = scaled - static_cast<double>(first);
  return (1 - part) * values[first] + part * values[second];
}

bool SameParameters(const ParameterRow& a, const ParameterRow& b) {
  return a.weight == b.weight && a.density == b.density && a.t == b.t;
}

// Writes the tensors of each row as patterns: "*" for all, "model.layers.N.*" for a layer that is wholly in one row.
void Abbreviate(const std::vector<std::string>& tensors, std::vector<ParameterRow>& rows) {
  if (rows.size() == 1) {
    rows[0].match = {"*"};
    return;
  }
  std::map<int, size_t> layer_sizes;
  for (const std::string& tensor : tensors) ++layer_sizes[LayerOf(tensor)];
  for (ParameterRow& row : rows) {
    std::map<int, size_t> here;
    for (const std::string& tensor : row.match) ++here[LayerOf(tensor)];
    std::vector<std::string> match;
    for (std::string& tensor : row.match) {
      const int layer = LayerOf(tensor);
      const bool whole = layer >= 0 && here[layer] == layer_sizes[layer];
      std::string pattern = whole ? absl::StrCat(std::string(kLayerPrefix), layer, ".*") : std::move(tensor);
      if (std::find(match.begin(), match.end(), pattern) == match.end()) match.push_back(std::move(pattern));
    }
    row.match = std::move(match);
  }
}

}  // namespace

struct MergekitFile::Tensor {
  std::string name;
  double depth = 0;  // 0 for the first layer and for all that is outside the layers, 1 for the last layer
};

// The model's own setting, then the whole file's; a setting none of whose cases matches says nothing.
absl::StatusOr<double> MergekitFile::Value(std::string_view parameter, std::optional<size_t> model,
                                           const Tensor& tensor) const {
  std::vector<const Parameters*> scopes;
  if (model.has_value()) scopes.push_back(&model_parameters_[*model]);
  scopes.push_back(&parameters_);
  for (const Parameters* scope : scopes) {
    const auto setting = scope->find(parameter);
    if (setting == scope->end()) continue;
    for (const Case& entry : setting->second) {
      if (FilterMatches(entry.filter, tensor.name)) return Interpolated(entry.gradient, tensor.depth);
    }
  }
  if (parameter == "density") return 1.0;
  const int line = model.has_value() ? model_lines_[*model] : 1;
  const std::string of = model.has_value() ? absl::StrCat(" of ", models_[*model].path) : "";
  return absl::InvalidArgumentError(absl::StrCat(file_, ":", line, ": the ", std::string(parameter), of,
                                                 " for the tensor ", tensor.name,
                                                 " is missing; give it under parameters:"));
}

absl::StatusOr<ParameterRow> MergekitFile::RowOf(const Tensor& tensor) const {
  ParameterRow row{.match = {tensor.name}, .weight = {}, .density = {}};
  if (recipe_.method == MergeMethod::kSlerp) {
    ASSIGN_OR_RETURN(row.t, Value("t", std::nullopt, tensor));
    return row;
  }
  for (const size_t source : sources_) {
    ASSIGN_OR_RETURN(const double weight, Value("weight", source, tensor));
    row.weight.push_back(weight);
    if (!HasDensity(recipe_.method)) continue;
    ASSIGN_OR_RETURN(const double density, Value("density", source, tensor));
    row.density.push_back(density);
  }
  return row;
}

absl::StatusOr<Recipe> MergekitFile::ToRecipe(const MergekitModelFacts& facts) const {
  if (facts.tensors.empty()) return absl::InvalidArgumentError(absl::StrCat(file_, ": the models have no tensors"));
  Recipe recipe = recipe_;
  if (!has_dtype_) recipe.dtype = facts.dtype;
  if (!has_out_dtype_) recipe.out_dtype = recipe.dtype;
  for (const std::string& name : facts.tensors) {
    Tensor tensor{name, 0};
    const int layer = LayerOf(name);
    if (layer >= facts.num_layers) {
      return absl::InvalidArgumentError(
          absl::StrCat(file_, ": the models have ", facts.num_layers, " layers, but also the tensor ", name));
    }
    // mergekit takes the end of a gradient for the layer of a model that has only one.
    if (layer >= 0) tensor.depth = facts.num_layers == 1 ? 1.0 : static_cast<double>(layer) / (facts.num_layers - 1);
    ASSIGN_OR_RETURN(ParameterRow row, RowOf(tensor));
    const auto same = std::find_if(recipe.rows.begin(), recipe.rows.end(),
                                   [&](const ParameterRow& other) { return SameParameters(row, other); });
    if (same == recipe.rows.end()) {
      recipe.rows.push_back(std::move(row));
    } else {
      same->match.push_back(name);
    }
  }
  Abbreviate(facts.tensors, recipe.rows);
  RETURN_IF_ERROR(Annotate(ValidateRecipe(recipe), file_));
  return recipe;
}

}  // namespace heterosis
