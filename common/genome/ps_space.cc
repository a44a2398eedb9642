// SPDX-License-Identifier: Apache-2.0
// Implements ps_space.h: groups of tensors, their genes, and the way from a genome to a recipe and back.
#include "common/genome/ps_space.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr int kLayersMax = 10'000;

bool HasWeight(MergeMethod method) {
  return method != MergeMethod::kSlerp;
}

absl::Status CheckRange(const ParameterRange& range, const std::string& name) {
  const auto invalid = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", what));
  };
  if (range.fixed.has_value()) {
    return std::isfinite(*range.fixed) ? absl::OkStatus() : invalid("the fixed value is not finite");
  }
  if (!std::isfinite(range.low) || !std::isfinite(range.high)) return invalid("the range is not finite");
  if (!(range.low < range.high)) {
    return invalid(absl::StrCat("low (", range.low, ") must be less than high (", range.high, ")"));
  }
  if (!(range.start >= range.low && range.start <= range.high)) {
    return invalid(absl::StrCat("start (", range.start, ") is outside [", range.low, ", ", range.high, "]"));
  }
  return absl::OkStatus();
}

absl::Status CheckDensity(const ParameterRange& density) {
  RETURN_IF_ERROR(CheckRange(density, "density"));
  const double low = density.fixed.value_or(density.low);
  const double high = density.fixed.value_or(density.high);
  if (low >= 0 && high <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("density: [", low, ", ", high, "] leaves [0, 1]"));
}

absl::Status CheckOptions(const PsSpaceOptions& options) {
  if (HasWeight(options.method)) {
    RETURN_IF_ERROR(CheckRange(options.weight, "weight"));
  } else {
    RETURN_IF_ERROR(CheckRange(options.t, "t"));
  }
  if (HasDensity(options.method)) RETURN_IF_ERROR(CheckDensity(options.density));
  if (options.granularity == Granularity::kModel) return absl::OkStatus();
  if (options.num_layers < 1 || options.num_layers > kLayersMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the models have ", options.num_layers, " layers; from 1 to ", kLayersMax, " are possible"));
  }
  if (options.granularity == Granularity::kGroup && options.group_layers < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("group_layers is ", options.group_layers, "; it must be at least 1"));
  }
  return absl::OkStatus();
}

std::string LayerPattern(int layer, std::string_view part) {
  return absl::StrCat("model.layers.", layer, ".", std::string(part), "*");
}

// Reads a genome's values in the order of the genes, and fixed values where a parameter is no gene.
class GenomeReader {
 public:
  explicit GenomeReader(std::span<const double> genome) : genome_(genome) {}

  double Next(const ParameterRange& range) { return range.fixed.has_value() ? *range.fixed : genome_[next_++]; }

 private:
  std::span<const double> genome_;
  size_t next_ = 0;
};

bool Allows(const ParameterRange& range, double value) {
  return range.fixed.has_value() ? *range.fixed == value : value >= range.low && value <= range.high;
}

absl::Status NotAllowed(std::string_view what, double value) {
  return absl::FailedPreconditionError(
      absl::StrCat("it needs a ", std::string(what), " of ", value, ", which the search space excludes"));
}

}  // namespace

absl::StatusOr<PsSpace> PsSpace::Create(PsSpaceOptions options) {
  RETURN_IF_ERROR(CheckOptions(options));
  PsSpace space(std::move(options));
  space.MakeGroups();
  space.MakeGenes();
  RETURN_IF_ERROR(ValidateRecipe(space.Decode(StartGenome(space.genes_))));
  if (space.genes_.empty()) {
    return absl::InvalidArgumentError("all parameters are fixed, so that nothing is left to search");
  }
  return space;
}

void PsSpace::MakeGroups() {
  if (options_.granularity == Granularity::kModel) {
    groups_.push_back({"model", {"*"}});
    return;
  }
  groups_.push_back({"embedding", {"model.embed_tokens.weight"}});
  const int step = options_.granularity == Granularity::kGroup ? options_.group_layers : 1;
  for (int layer = 0; layer < options_.num_layers; layer += step) {
    const std::string name = absl::StrCat("layer.", layer);
    if (options_.granularity == Granularity::kModule) {
      groups_.push_back({name + ".attention", {LayerPattern(layer, "self_attn.")}});
      groups_.push_back({name + ".mlp", {LayerPattern(layer, "mlp.")}});
      groups_.push_back({name + ".norms", {LayerPattern(layer, "")}});  // the first match counts: what is left
      continue;
    }
    const int end = std::min(layer + step, options_.num_layers);
    Group group{end - layer > 1 ? absl::StrCat("layers.", layer, "-", end - 1) : name, {}};
    for (int member = layer; member < end; ++member) group.match.push_back(LayerPattern(member, ""));
    groups_.push_back(std::move(group));
  }
  groups_.push_back({"head", {"lm_head.weight", "model.norm.weight"}});
}

void PsSpace::MakeGenes() {
  const auto add = [this](const std::string& name, const ParameterRange& range) {
    if (!range.fixed.has_value()) genes_.push_back({name, range.low, range.high, range.start});
  };
  for (const Group& group : groups_) {
    if (!HasWeight(options_.method)) {
      add(absl::StrCat(group.name, "/t"), options_.t);
      continue;
    }
    for (const std::string& source : options_.sources) {
      add(absl::StrCat(group.name, "/", source, ".weight"), options_.weight);
      if (HasDensity(options_.method)) add(absl::StrCat(group.name, "/", source, ".density"), options_.density);
    }
  }
}

Recipe PsSpace::Decode(std::span<const double> genome) const {
  assert(genome.size() == genes_.size());
  Recipe recipe;
  recipe.method = options_.method;
  recipe.base = options_.base;
  recipe.sources = options_.sources;
  recipe.tokenizer = options_.tokenizer;
  recipe.normalize = options_.normalize;
  recipe.lambda = options_.lambda;
  recipe.rescale = options_.rescale;
  recipe.mask = options_.mask;
  recipe.mask_seed = options_.mask_seed;
  recipe.dtype = options_.dtype;
  recipe.out_dtype = options_.out_dtype;
  GenomeReader reader(genome);
  for (const Group& group : groups_) {
    ParameterRow row{.match = group.match, .weight = {}, .density = {}};
    if (!HasWeight(options_.method)) {
      row.t = reader.Next(options_.t);
    } else {
      for (size_t i = 0; i < options_.sources.size(); ++i) {
        row.weight.push_back(reader.Next(options_.weight));
        if (HasDensity(options_.method)) row.density.push_back(reader.Next(options_.density));
      }
    }
    recipe.rows.push_back(std::move(row));
  }
  return recipe;
}

std::vector<KnownPoint> PsSpace::KnownPoints() const {
  std::vector<KnownPoint> points;
  const auto add = [&](const absl::StatusOr<std::vector<double>>& genome, const std::string& label) {
    if (genome.ok()) points.push_back({label, *genome});
  };
  add(EncodeUniform(), kUniformLabel);
  for (const std::string& source : options_.sources) add(EncodeModel(source), source);
  return points;
}

absl::StatusOr<std::vector<double>> PsSpace::EncodeModel(std::string_view model) const {
  const auto found = std::find(options_.sources.begin(), options_.sources.end(), model);
  const bool is_base = !options_.base.empty() && model == options_.base;
  if (found == options_.sources.end() && !is_base) {
    return absl::NotFoundError(absl::StrCat("\"", std::string(model), "\" is no model of this search"));
  }
  if (!HasWeight(options_.method)) {
    const double t = is_base ? 0 : 1;
    if (!Allows(options_.t, t)) return NotAllowed("t", t);
    return Encode({}, 1, t);
  }
  std::vector<double> weights(options_.sources.size(), 0);
  if (!is_base) weights[static_cast<size_t>(found - options_.sources.begin())] = 1;
  for (const double weight : weights) {
    if (!Allows(options_.weight, weight)) return NotAllowed("weight", weight);
  }
  if (!is_base && HasDensity(options_.method) && !Allows(options_.density, 1)) return NotAllowed("density", 1);
  if (!is_base && options_.lambda != 1) return NotAllowed("lambda", 1);
  return Encode(weights, 1, 0);
}

absl::StatusOr<std::vector<double>> PsSpace::EncodeUniform() const {
  if (!HasWeight(options_.method)) {
    if (!Allows(options_.t, 0.5)) return NotAllowed("t", 0.5);
    return Encode({}, 1, 0.5);
  }
  const double weight = 1.0 / static_cast<double>(options_.sources.size());
  if (!Allows(options_.weight, weight)) return NotAllowed("weight", weight);
  return Encode(std::vector<double>(options_.sources.size(), weight), 1, 0);
}

std::vector<double> PsSpace::Encode(const std::vector<double>& weights, double density, double t) const {
  const auto clipped = [](const ParameterRange& range, double value) {
    return std::clamp(value, range.low, range.high);
  };
  std::vector<double> genome;
  for (size_t group = 0; group < groups_.size(); ++group) {
    if (!HasWeight(options_.method) && !options_.t.fixed.has_value()) genome.push_back(t);
    for (const double weight : weights) {
      if (!options_.weight.fixed.has_value()) genome.push_back(weight);
      if (HasDensity(options_.method) && !options_.density.fixed.has_value()) {
        genome.push_back(clipped(options_.density, density));
      }
    }
  }
  return genome;
}

}  // namespace heterosis
