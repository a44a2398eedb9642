// SPDX-License-Identifier: Apache-2.0
// A recipe: the fully resolved, self-contained description of one merged model. A worker needs nothing else but the
// source models, which it knows by name. Values only; protobuf is in proto/wire.h. A recipe merges parameters (PS), or
// leads the data along a path through the layers of such merges (DFS).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/json.h"

namespace heterosis {

// mergekit's names (mergekit/merge_methods): linear, slerp, task_arithmetic, ties, dare_linear, dare_ties.
enum class MergeMethod { kLinear, kSlerp, kTaskArithmetic, kTies, kDareLinear, kDareTies };

enum class DType { kFloat32, kBFloat16, kFloat16 };

// What DARE multiplies the surviving deltas by: 1/density (the DARE paper, and mergekit before 0.1), the ratio of the
// L1 norms before and after (mergekit since 0.1), or nothing.
enum class Rescale { kDensity, kL1, kNone };

// Where DARE's masks come from: our counter-based generator, or mergekit's sequential mt19937 (for exact reproduction).
enum class MaskSource { kCounter, kMergekit };

// The parameters of the tensors whose names match one of `match`: globs in which only '*' is special, for example
// "model.layers.3.mlp.*". The first row that matches a tensor's name counts.
struct ParameterRow {
  std::vector<std::string> match;
  std::vector<double> weight;   // one per source; unused by slerp
  std::vector<double> density;  // one per source in [0,1]; used by ties and dare_* only, empty otherwise
  double t = 0;                 // slerp only: 0 is the base, 1 the source
  bool operator==(const ParameterRow&) const = default;
};

// One step of a path: a decoder layer of one of the recipe's parts, and what the data are multiplied by there.
struct Hop {
  int part = 0;
  int layer = 0;  // of the part, from 0
  double scale = 1.0;
  bool operator==(const Hop&) const = default;
};

// What a hop's scale multiplies: the whole hidden state that goes into the layer (the paper's text, section 3.2), or,
// from the second hop on, only what the MLP before it has added (the authors' released code); there the first hop's
// scale multiplies the whole state.
enum class ScaleTarget { kStream, kBranch };

struct Recipe {
  static constexpr int kVersion = 1;

  MergeMethod method = MergeMethod::kLinear;
  std::string base;                  // name of the base model; empty for linear
  std::vector<std::string> sources;  // names, without the base, in the order of the rows' values
  std::string tokenizer;             // name of the model whose tokenizer, vocabulary and config.json the result has
  bool normalize = false;            // divide by the sum of the weights
  double lambda = 1.0;               // multiplies the mixed delta
  Rescale rescale = Rescale::kDensity;
  MaskSource mask = MaskSource::kCounter;
  uint64_t mask_seed = 0;
  DType dtype = DType::kFloat32;       // of the arithmetic; bfloat16 rounds after each operation, as mergekit does
  DType out_dtype = DType::kBFloat16;  // of the merged model's tensors
  std::vector<ParameterRow> rows;

  // A path has no method, base, sources and rows of its own: it runs through the layers of `parts`, recipes without a
  // path, in the order of `path`, whose first hop is the first layer of part 0 and whose last hop is the last layer of
  // part 0. Part 0 also gives embeddings, final norm, head, tokenizer and config.json.
  std::vector<Recipe> parts;
  std::vector<Hop> path;  // empty: not a path
  ScaleTarget scale_applies_to = ScaleTarget::kStream;

  bool is_path() const { return !path.empty(); }
  bool operator==(const Recipe&) const = default;
};

// The names as written in YAML, JSON and SQL: "dare_ties", "bfloat16", "density", "counter".
std::string_view Name(MergeMethod method);
std::string_view Name(DType dtype);
std::string_view Name(Rescale rescale);
std::string_view Name(MaskSource mask);
std::string_view Name(ScaleTarget target);
absl::StatusOr<MergeMethod> MergeMethodFromName(std::string_view name);
absl::StatusOr<DType> DTypeFromName(std::string_view name);
absl::StatusOr<Rescale> RescaleFromName(std::string_view name);
absl::StatusOr<MaskSource> MaskSourceFromName(std::string_view name);
absl::StatusOr<ScaleTarget> ScaleTargetFromName(std::string_view name);

// Whether the method keeps only a part of each delta, so that its rows have densities.
bool HasDensity(MergeMethod method);

// Whether `name` matches the glob `pattern` ('*' = any run of characters, also of dots).
bool GlobMatches(std::string_view pattern, std::string_view name);

// The row for a tensor, or nullptr when none matches.
const ParameterRow* RowFor(const Recipe& recipe, std::string_view tensor_name);

// Checks all that can be checked without the models: sizes of the rows, ranges, finite numbers, base and sources given
// as the method wants. The error names the row.
absl::Status ValidateRecipe(const Recipe& recipe);

// The recipe of an unmerged model: linear over one source with weight 1.
Recipe SingleModelRecipe(std::string_view model, std::string_view tokenizer, DType out_dtype);

// The names of all models that the recipe needs, each once: base, sources and tokenizer, those of the parts included.
std::vector<std::string> ModelsOf(const Recipe& recipe);

// Canonical JSON: every field that its kind (merge or path) has, fixed key order, shortest round-trip numbers. Equal
// recipes have equal text.
Json RecipeToJson(const Recipe& recipe);
absl::StatusOr<Recipe> RecipeFromJson(const Json& json);

// SHA-256 of the canonical JSON: two recipes with one digest are the same model. A path that is just its part 0 has the
// digest of that part, so that a search which finds a model again does not evaluate it twice.
std::string RecipeDigest(const Recipe& recipe);

}  // namespace heterosis
