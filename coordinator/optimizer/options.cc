// SPDX-License-Identifier: Apache-2.0
// Implements options.h.
#include "coordinator/optimizer/options.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/optimizer/margin.h"

namespace heterosis {
namespace {

// From here on CSA is slower than TPA at the budgets of model merging (DESIGN.md section 6).
constexpr int kTpaDimensionMin = 64;
constexpr int kTpaPopulationMin = 4;

absl::Status Invalid(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("optimizer options: ", std::string(what)));
}

const char* Name(OptimizerOptions::Kind kind) {
  switch (kind) {
    case OptimizerOptions::Kind::kCma:
      return "cma";
    case OptimizerOptions::Kind::kSepCma:
      return "sep_cma";
    case OptimizerOptions::Kind::kCmaMargin:
      return "cma_margin";
    case OptimizerOptions::Kind::kMixed:
      return "mixed";
    case OptimizerOptions::Kind::kRandom:
      return "random";
  }
  return "unknown";
}
const char* Name(OptimizerOptions::Bounds bounds) {
  return bounds == OptimizerOptions::Bounds::kClip ? "clip" : "resample";
}
const char* Name(OptimizerOptions::StepSize step) {
  return step == OptimizerOptions::StepSize::kCsa ? "csa" : "tpa";
}

absl::Status CheckBounds(const OptimizerOptions& options) {
  const size_t n = static_cast<size_t>(options.dimension);
  if (options.lower.empty() && options.upper.empty()) {
    return options.kind == OptimizerOptions::Kind::kRandom ? Invalid("random search needs bounds") : absl::OkStatus();
  }
  if (options.lower.size() != n || options.upper.size() != n) {
    return Invalid(absl::StrCat("lower has ", options.lower.size(), " and upper ", options.upper.size(),
                                " values; give one of each per dimension (", n, "), or none"));
  }
  for (size_t i = 0; i < n; ++i) {
    if (!(options.lower[i] < options.upper[i])) {
      return Invalid(
          absl::StrCat("lower[", i, "] = ", options.lower[i], " must be below upper[", i, "] = ", options.upper[i]));
    }
    if (options.kind == OptimizerOptions::Kind::kRandom && !std::isfinite(options.upper[i] - options.lower[i])) {
      return Invalid(absl::StrCat("random search needs finite bounds, gene ", i, " has none"));
    }
  }
  return absl::OkStatus();
}

bool HasDiscreteGenes(OptimizerOptions::Kind kind) {
  return kind == OptimizerOptions::Kind::kCmaMargin || kind == OptimizerOptions::Kind::kMixed;
}

absl::Status CheckSteps(const OptimizerOptions& options) {
  const size_t n = static_cast<size_t>(options.dimension);
  if (!HasDiscreteGenes(options.kind)) {
    return options.steps.empty() ? absl::OkStatus() : Invalid("steps are for the kinds cma_margin and mixed only");
  }
  if (options.steps.size() != n || options.lower.size() != n) {
    return Invalid(absl::StrCat("steps has ", options.steps.size(), " and lower ", options.lower.size(), " values; ",
                                Name(options.kind), " needs one of each per dimension (", n, ")"));
  }
  for (size_t i = 0; i < n; ++i) {
    const double step = options.steps[i];
    if (step == 0) continue;
    const double range = options.upper[i] - options.lower[i];
    const double count = std::round(range / step);
    if (!(step > 0) || !std::isfinite(range) || !(count >= 1) || !(std::abs(count * step - range) <= 1e-9 * range)) {
      return Invalid(absl::StrCat("steps[", i, "] = ", step, " must be 0 or divide the finite interval from ",
                                  options.lower[i], " to ", options.upper[i]));
    }
    if (options.kind == OptimizerOptions::Kind::kMixed && count != 1) {
      return Invalid(absl::StrCat("steps[", i, "] = ", step, " must be 0 or, for mixed, upper - lower = ", range));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMoves(const OptimizerOptions& options) {
  if (!(options.move_probability >= 0 && options.move_probability <= 1)) {
    return Invalid(absl::StrCat("move_probability is ", options.move_probability, ", it must be in [0, 1]"));
  }
  const bool callbacks = options.active != nullptr || options.mutate != nullptr;
  if (callbacks && options.kind != OptimizerOptions::Kind::kMixed) {
    return Invalid("active and mutate are for the kind mixed only");
  }
  if (options.kind == OptimizerOptions::Kind::kMixed && options.step_size == OptimizerOptions::StepSize::kTpa) {
    return Invalid("step size tpa is not for the kind mixed: its candidates differ in more than their real genes");
  }
  return absl::OkStatus();
}

absl::Status CheckPoint(const std::vector<double>& point, size_t dimension, std::string_view name) {
  if (point.size() != dimension) {
    return Invalid(absl::StrCat(std::string(name), " has ", point.size(), " values, the dimension is ", dimension));
  }
  // The limit of the `cmaes` package, beyond which squares may overflow.
  const auto bad = std::find_if(point.begin(), point.end(), [](double x) { return !(std::abs(x) < 1e32); });
  if (bad == point.end()) return absl::OkStatus();
  return Invalid(absl::StrCat(std::string(name), "[", bad - point.begin(), "] = ", *bad, " is not a usable number"));
}

absl::Status CheckOptions(const OptimizerOptions& options) {
  const size_t n = static_cast<size_t>(options.dimension);
  if (options.kind != OptimizerOptions::Kind::kRandom && options.population < 2) {
    return Invalid(absl::StrCat("population is ", options.population, ", ", Name(options.kind), " needs at least 2"));
  }
  if (options.population < 1) return Invalid(absl::StrCat("population is ", options.population));
  if (!(options.sigma > 0) || !(options.sigma < 1e32)) {
    return Invalid(absl::StrCat("sigma is ", options.sigma, ", it must be above 0 and finite"));
  }
  if (options.max_resampling < 0) return Invalid(absl::StrCat("max_resampling is ", options.max_resampling));
  RETURN_IF_ERROR(CheckBounds(options));
  RETURN_IF_ERROR(CheckSteps(options));
  RETURN_IF_ERROR(CheckMoves(options));
  RETURN_IF_ERROR(CheckPoint(options.mean, n, "mean"));
  if (!BoxOf(options).Contains(options.mean)) return Invalid("mean is outside the bounds");
  if (options.injected.size() > static_cast<size_t>(options.population)) {
    return Invalid(
        absl::StrCat(options.injected.size(), " injected points do not fit into a population of ", options.population));
  }
  for (size_t i = 0; i < options.injected.size(); ++i) {
    RETURN_IF_ERROR(CheckPoint(options.injected[i], n, absl::StrCat("injected[", i, "]")));
  }
  if (options.step_size == OptimizerOptions::StepSize::kTpa && options.population < kTpaPopulationMin) {
    return Invalid(absl::StrCat("step size tpa needs a population of at least ", kTpaPopulationMin, ", it is ",
                                options.population));
  }
  return absl::OkStatus();
}

template <typename T>
std::string Difference(std::string_view name, const T& snapshot, const T& asked) {
  if (snapshot == asked) return "";
  return absl::StrCat(std::string(name), " (snapshot ", snapshot, ", options ", asked, "), ");
}

std::string Difference(std::string_view name, const std::vector<double>& snapshot, const std::vector<double>& asked) {
  return snapshot == asked ? std::string() : absl::StrCat(std::string(name), ", ");
}

std::vector<double> Flat(const std::vector<std::vector<double>>& points) {
  std::vector<double> flat;
  for (const std::vector<double>& point : points) flat.insert(flat.end(), point.begin(), point.end());
  return flat;
}

}  // namespace

absl::StatusOr<OptimizerOptions> ResolveOptions(OptimizerOptions options) {
  if (options.dimension < 1) return Invalid(absl::StrCat("dimension is ", options.dimension, ", it must be positive"));
  if (options.population == 0) options.population = 4 + static_cast<int>(std::floor(3 * std::log(options.dimension)));
  if (options.max_resampling == 0) options.max_resampling = 10 * options.dimension;
  if (options.step_size == OptimizerOptions::StepSize::kAuto) {
    const bool tpa = options.dimension >= kTpaDimensionMin && options.population >= kTpaPopulationMin &&
                     options.kind != OptimizerOptions::Kind::kMixed;
    options.step_size = tpa ? OptimizerOptions::StepSize::kTpa : OptimizerOptions::StepSize::kCsa;
  }
  RETURN_IF_ERROR(CheckOptions(options));
  const GeneGrid grid(options);
  for (std::vector<double>& point : options.injected) {
    BoxOf(options).Clip(point);
    for (size_t k = 0; k < grid.genes().size(); ++k) point[grid.genes()[k]] = grid.Nearest(k, point[grid.genes()[k]]);
  }
  return options;
}

Box BoxOf(const OptimizerOptions& resolved) {
  return Box(resolved.lower, resolved.upper);
}

void WriteOptions(const OptimizerOptions& resolved, SnapshotWriter& writer) {
  writer.Text(Name(resolved.kind));
  writer.Uint64(static_cast<uint64_t>(resolved.dimension));
  writer.Uint64(static_cast<uint64_t>(resolved.population));
  writer.Doubles(resolved.mean);
  writer.Double(resolved.sigma);
  writer.Doubles(resolved.lower);
  writer.Doubles(resolved.upper);
  writer.Uint64(resolved.seed);
  writer.Uint64(resolved.phase);
  writer.Text(Name(resolved.bounds));
  writer.Text(Name(resolved.step_size));
  writer.Uint64(static_cast<uint64_t>(resolved.max_resampling));
  writer.Doubles(Flat(resolved.injected));
  writer.Doubles(resolved.steps);
  writer.Uint64(resolved.active != nullptr ? 1 : 0);
  writer.Uint64(resolved.mutate != nullptr ? 1 : 0);
  writer.Double(resolved.move_probability);
}

absl::Status ReadSameOptions(const OptimizerOptions& resolved, SnapshotReader& reader) {
  // One statement each: the order of reading is the order of writing.
  std::string differences = Difference<std::string>("kind", reader.Text(), Name(resolved.kind));
  differences += Difference("dimension", reader.Uint64(), static_cast<uint64_t>(resolved.dimension));
  differences += Difference("population", reader.Uint64(), static_cast<uint64_t>(resolved.population));
  differences += Difference("mean", reader.Doubles(), resolved.mean);
  differences += Difference("sigma", reader.Double(), resolved.sigma);
  differences += Difference("lower", reader.Doubles(), resolved.lower);
  differences += Difference("upper", reader.Doubles(), resolved.upper);
  differences += Difference("seed", reader.Uint64(), resolved.seed);
  differences += Difference("phase", reader.Uint64(), resolved.phase);
  differences += Difference<std::string>("bounds", reader.Text(), Name(resolved.bounds));
  differences += Difference<std::string>("step_size", reader.Text(), Name(resolved.step_size));
  differences += Difference("max_resampling", reader.Uint64(), static_cast<uint64_t>(resolved.max_resampling));
  differences += Difference("injected", reader.Doubles(), Flat(resolved.injected));
  differences += Difference("steps", reader.Doubles(), resolved.steps);
  differences += Difference("active", reader.Uint64(), uint64_t{resolved.active != nullptr});
  differences += Difference("mutate", reader.Uint64(), uint64_t{resolved.mutate != nullptr});
  differences += Difference("move_probability", reader.Double(), resolved.move_probability);
  RETURN_IF_ERROR(reader.status());
  if (differences.empty()) return absl::OkStatus();
  differences.resize(differences.size() - 2);
  return absl::FailedPreconditionError(absl::StrCat("optimizer snapshot: it was made with other options: ", differences,
                                                    "; restore it with its own options or start a new experiment"));
}

}  // namespace heterosis
