// SPDX-License-Identifier: Apache-2.0
// How many evaluations our CMA-ES and separable CMA-ES need on test functions, seed by seed, as JSON:
// {"CMA": {"sphere": [...], ...}, "SepCMA": {...}}. Read by compare_with_cmaes.py, which runs the package's classes of
// these names on the same functions.
#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

#include "common/base/json.h"
#include "coordinator/optimizer/optimizer.h"

namespace heterosis {
namespace {

// The same numbers stand in compare_with_cmaes.py.
constexpr int kDimension = 6;
constexpr int kSeeds = 60;
constexpr int kEvaluationsMax = 20'000;
constexpr double kTarget = 1e-8;
constexpr double kSigma = 0.5;
constexpr double kStart = 0.8;

using Function = std::function<double(const std::vector<double>&)>;

double Sphere(const std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return sum;
}

double Ellipsoid(const std::vector<double>& x) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    sum += std::pow(1000.0, 2.0 * static_cast<double>(i) / static_cast<double>(x.size() - 1)) * x[i] * x[i];
  }
  return sum;
}

double Rosenbrock(const std::vector<double>& x) {
  double sum = 0;
  for (size_t i = 0; i + 1 < x.size(); ++i) {
    sum += 100 * std::pow(x[i + 1] - x[i] * x[i], 2) + std::pow(1 - x[i], 2);
  }
  return sum;
}

// Evaluations until a candidate reaches the target; kEvaluationsMax where none does.
int EvaluationsTo(OptimizerOptions::Kind kind, const Function& function, uint64_t seed) {
  OptimizerOptions options;
  options.kind = kind;
  options.dimension = kDimension;
  options.mean.assign(kDimension, kStart);
  options.sigma = kSigma;
  options.seed = seed;
  options.step_size = OptimizerOptions::StepSize::kCsa;
  const auto optimizer = MakeOptimizer(options);
  if (!optimizer.ok()) return -1;
  for (int used = 0; used < kEvaluationsMax;) {
    std::vector<Evaluation> evaluations;
    for (const std::vector<double>& candidate : (*optimizer)->Ask()) {
      const double value = function(candidate);
      ++used;
      if (value < kTarget) return used;
      evaluations.push_back({-value});
    }
    if (!(*optimizer)->Tell(evaluations).ok()) return -1;
  }
  return kEvaluationsMax;
}

Json EvaluationsOf(OptimizerOptions::Kind kind, const Function& function) {
  Json counts = Json::array();
  for (uint64_t seed = 0; seed < kSeeds; ++seed) counts.push_back(EvaluationsTo(kind, function, seed));
  return counts;
}

}  // namespace
}  // namespace heterosis

int main() {
  using namespace heterosis;
  const auto cma = OptimizerOptions::Kind::kCma;
  const auto sep_cma = OptimizerOptions::Kind::kSepCma;
  const Json document = {
      {"CMA",
       {{"sphere", EvaluationsOf(cma, Sphere)},
        {"ellipsoid", EvaluationsOf(cma, Ellipsoid)},
        {"rosenbrock", EvaluationsOf(cma, Rosenbrock)}}},
      {"SepCMA", {{"sphere", EvaluationsOf(sep_cma, Sphere)}, {"ellipsoid", EvaluationsOf(sep_cma, Ellipsoid)}}}};
  std::puts(JsonText(document).c_str());
  return 0;
}
