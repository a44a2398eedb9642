// SPDX-License-Identifier: Apache-2.0
// Implements the JSON and the digest of recipe.h. One list of keys serves writing and the check for unknown ones.
#include <algorithm>
#include <array>
#include <span>

#include "common/base/digest.h"
#include "common/base/status.h"
#include "common/genome/recipe.h"

namespace heterosis {
namespace {

constexpr std::array<std::string_view, 13> kRecipeKeys = {"version",   "method",    "base",    "sources", "tokenizer",
                                                          "normalize", "lambda",    "rescale", "mask",    "mask_seed",
                                                          "dtype",     "out_dtype", "rows"};
constexpr std::array<std::string_view, 6> kPathKeys = {"version",          "parts",     "path",
                                                       "scale_applies_to", "tokenizer", "out_dtype"};
constexpr std::array<std::string_view, 4> kRowKeys = {"match", "weight", "density", "t"};

// 0.0 and -0.0 are equal, so they must have one text.
double Canonical(double value) {
  return value == 0 ? 0.0 : value;
}

Json Numbers(const std::vector<double>& values) {
  Json array = Json::array();
  for (const double value : values) array.push_back(Canonical(value));
  return array;
}

Json RowToJson(const ParameterRow& row) {
  Json json = Json::object();
  json["match"] = row.match;
  json["weight"] = Numbers(row.weight);
  json["density"] = Numbers(row.density);
  json["t"] = Canonical(row.t);
  return json;
}

absl::Status CheckKeys(const Json& json, std::span<const std::string_view> known) {
  if (!json.is_object()) return absl::InvalidArgumentError("must be an object");
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return absl::InvalidArgumentError(absl::StrCat("unknown key \"", key, "\""));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<const Json*> Array(const Json& json, const std::string& key) {
  const Json* member = JsonFind(json, key);
  if (member == nullptr || !member->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" must be a list"));
  }
  return member;
}

absl::StatusOr<std::vector<std::string>> Texts(const Json& json, const std::string& key) {
  ASSIGN_OR_RETURN(const Json* array, Array(json, key));
  std::vector<std::string> texts;
  for (const Json& item : *array) {
    if (!item.is_string()) return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" must hold only texts"));
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

absl::StatusOr<std::vector<double>> Doubles(const Json& json, const std::string& key) {
  ASSIGN_OR_RETURN(const Json* array, Array(json, key));
  std::vector<double> values;
  for (const Json& item : *array) {
    if (!item.is_number()) return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" must hold only numbers"));
    values.push_back(item.get<double>());
  }
  return values;
}

// A seed may use all 64 bits, which JsonInt refuses.
absl::StatusOr<uint64_t> Unsigned(const Json& json, const std::string& key) {
  const Json* member = JsonFind(json, key);
  if (member != nullptr && member->is_number_unsigned()) return member->get<uint64_t>();
  if (member != nullptr && member->is_number_integer() && member->get<int64_t>() >= 0) {
    return static_cast<uint64_t>(member->get<int64_t>());
  }
  return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" must be a whole number from 0 to 2^64 - 1"));
}

absl::StatusOr<ParameterRow> RowFromJson(const Json& json) {
  RETURN_IF_ERROR(CheckKeys(json, kRowKeys));
  ParameterRow row;
  ASSIGN_OR_RETURN(row.match, Texts(json, "match"));
  ASSIGN_OR_RETURN(row.weight, Doubles(json, "weight"));
  ASSIGN_OR_RETURN(row.density, Doubles(json, "density"));
  ASSIGN_OR_RETURN(row.t, JsonNumber(json, "t"));
  return row;
}

absl::Status ReadNames(const Json& json, Recipe& recipe) {
  ASSIGN_OR_RETURN(const std::string method, JsonString(json, "method"));
  ASSIGN_OR_RETURN(const std::string rescale, JsonString(json, "rescale"));
  ASSIGN_OR_RETURN(const std::string mask, JsonString(json, "mask"));
  ASSIGN_OR_RETURN(const std::string dtype, JsonString(json, "dtype"));
  ASSIGN_OR_RETURN(const std::string out_dtype, JsonString(json, "out_dtype"));
  ASSIGN_OR_RETURN(recipe.method, MergeMethodFromName(method));
  ASSIGN_OR_RETURN(recipe.rescale, RescaleFromName(rescale));
  ASSIGN_OR_RETURN(recipe.mask, MaskSourceFromName(mask));
  ASSIGN_OR_RETURN(recipe.dtype, DTypeFromName(dtype));
  ASSIGN_OR_RETURN(recipe.out_dtype, DTypeFromName(out_dtype));
  return absl::OkStatus();
}

Json MergeToJson(const Recipe& recipe) {
  Json rows = Json::array();
  for (const ParameterRow& row : recipe.rows) rows.push_back(RowToJson(row));
  Json json = Json::object();
  json["version"] = Recipe::kVersion;
  json["method"] = Name(recipe.method);
  json["base"] = recipe.base;
  json["sources"] = recipe.sources;
  json["tokenizer"] = recipe.tokenizer;
  json["normalize"] = recipe.normalize;
  json["lambda"] = Canonical(recipe.lambda);
  json["rescale"] = Name(recipe.rescale);
  json["mask"] = Name(recipe.mask);
  json["mask_seed"] = recipe.mask_seed;
  json["dtype"] = Name(recipe.dtype);
  json["out_dtype"] = Name(recipe.out_dtype);
  json["rows"] = std::move(rows);
  return json;
}

// A hop is [part, layer, scale].
Json PathToJson(const Recipe& recipe) {
  Json parts = Json::array();
  for (const Recipe& part : recipe.parts) parts.push_back(MergeToJson(part));
  Json path = Json::array();
  for (const Hop& hop : recipe.path) path.push_back(Json::array({hop.part, hop.layer, Canonical(hop.scale)}));
  Json json = Json::object();
  json["version"] = Recipe::kVersion;
  json["parts"] = std::move(parts);
  json["path"] = std::move(path);
  json["scale_applies_to"] = Name(recipe.scale_applies_to);
  json["tokenizer"] = recipe.tokenizer;
  json["out_dtype"] = Name(recipe.out_dtype);
  return json;
}

absl::Status CheckVersion(const Json& json) {
  ASSIGN_OR_RETURN(const int64_t version, JsonInt(json, "version"));
  if (version == Recipe::kVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the recipe has version ", version, ", this program reads version ", Recipe::kVersion));
}

absl::StatusOr<Recipe> MergeFromJson(const Json& json) {
  RETURN_IF_ERROR(Annotate(CheckKeys(json, kRecipeKeys), "recipe"));
  RETURN_IF_ERROR(CheckVersion(json));
  Recipe recipe;
  RETURN_IF_ERROR(ReadNames(json, recipe));
  ASSIGN_OR_RETURN(recipe.base, JsonString(json, "base"));
  ASSIGN_OR_RETURN(recipe.sources, Texts(json, "sources"));
  ASSIGN_OR_RETURN(recipe.tokenizer, JsonString(json, "tokenizer"));
  ASSIGN_OR_RETURN(recipe.normalize, JsonBool(json, "normalize"));
  ASSIGN_OR_RETURN(recipe.lambda, JsonNumber(json, "lambda"));
  ASSIGN_OR_RETURN(recipe.mask_seed, Unsigned(json, "mask_seed"));
  ASSIGN_OR_RETURN(const Json* rows, Array(json, "rows"));
  for (const Json& item : *rows) {
    absl::StatusOr<ParameterRow> row = RowFromJson(item);
    if (!row.ok()) return Annotate(row.status(), absl::StrCat("row ", recipe.rows.size()));
    recipe.rows.push_back(*std::move(row));
  }
  return recipe;
}

absl::StatusOr<Hop> HopFromJson(const Json& json) {
  const bool fits = json.is_array() && json.size() == 3 && json[0].is_number_integer() && json[1].is_number_integer() &&
                    json[2].is_number();
  constexpr int64_t kLayersMax = 1'000'000;
  if (!fits || json[0].get<int64_t>() < 0 || json[0].get<int64_t>() > kLayersMax || json[1].get<int64_t>() < 0 ||
      json[1].get<int64_t>() > kLayersMax) {
    return absl::InvalidArgumentError("must be [part, layer, scale]");
  }
  return Hop{json[0].get<int>(), json[1].get<int>(), json[2].get<double>()};
}

absl::StatusOr<Recipe> PathFromJson(const Json& json) {
  RETURN_IF_ERROR(Annotate(CheckKeys(json, kPathKeys), "recipe"));
  RETURN_IF_ERROR(CheckVersion(json));
  Recipe recipe;
  ASSIGN_OR_RETURN(recipe.tokenizer, JsonString(json, "tokenizer"));
  ASSIGN_OR_RETURN(const std::string out_dtype, JsonString(json, "out_dtype"));
  ASSIGN_OR_RETURN(recipe.out_dtype, DTypeFromName(out_dtype));
  ASSIGN_OR_RETURN(const std::string target, JsonString(json, "scale_applies_to"));
  ASSIGN_OR_RETURN(recipe.scale_applies_to, ScaleTargetFromName(target));
  ASSIGN_OR_RETURN(const Json* parts, Array(json, "parts"));
  for (const Json& item : *parts) {
    absl::StatusOr<Recipe> part = MergeFromJson(item);
    if (!part.ok()) return Annotate(part.status(), absl::StrCat("part ", recipe.parts.size()));
    recipe.parts.push_back(*std::move(part));
  }
  ASSIGN_OR_RETURN(const Json* path, Array(json, "path"));
  for (const Json& item : *path) {
    absl::StatusOr<Hop> hop = HopFromJson(item);
    if (!hop.ok()) return Annotate(hop.status(), absl::StrCat("hop ", recipe.path.size()));
    recipe.path.push_back(*hop);
  }
  if (recipe.path.empty()) return absl::InvalidArgumentError("\"path\" has no hop");
  return recipe;
}

// A path ends with the last layer of part 0, so one that counts up to it from the first is all of part 0.
bool IsFirstPartAsItIs(const Recipe& recipe) {
  for (size_t i = 0; i < recipe.path.size(); ++i) {
    if (recipe.path[i] != Hop{0, static_cast<int>(i), 1.0}) return false;
  }
  return recipe.is_path() && !recipe.parts.empty() && recipe.tokenizer == recipe.parts[0].tokenizer &&
         recipe.out_dtype == recipe.parts[0].out_dtype;
}

}  // namespace

Json RecipeToJson(const Recipe& recipe) {
  return recipe.is_path() ? PathToJson(recipe) : MergeToJson(recipe);
}

absl::StatusOr<Recipe> RecipeFromJson(const Json& json) {
  return JsonFind(json, "path") != nullptr ? PathFromJson(json) : MergeFromJson(json);
}

std::string RecipeDigest(const Recipe& recipe) {
  return Sha256(JsonText(RecipeToJson(IsFirstPartAsItIs(recipe) ? recipe.parts[0] : recipe)));
}

}  // namespace heterosis
