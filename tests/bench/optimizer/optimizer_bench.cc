// SPDX-License-Identifier: Apache-2.0
// CPU time of ask and tell per generation against the packages `cmaes` and `cma` (pycma) in the same run, each on one
// thread, and the part of ours that is LAPACK's eigendecomposition; as a Markdown table (docs/optimizers.md).
// Usage: optimizer_bench PYTHON reference.py [LARGEST_DIMENSION, 1000; 4288 takes minutes]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/base/random.h"
#include "coordinator/optimizer/cma_constants.h"
#include "coordinator/optimizer/linear_algebra.h"
#include "coordinator/optimizer/optimizer.h"

namespace heterosis {
namespace {

struct Case {
  int dimension = 0;
  int population = 0;
  int generations = 0;  // enough for several of our decompositions, but for 4288: there one
};

const std::vector<Case> kCases = {{6, 9, 400},    {6, 128, 400},  {100, 17, 200},  {100, 128, 200}, {450, 22, 40},
                                  {450, 128, 40}, {1000, 24, 24}, {1000, 128, 24}, {4288, 128, 7}};

double CpuMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double Timed(const std::function<void()>& work) {
  const double start = CpuMilliseconds();
  work();
  return CpuMilliseconds() - start;
}

struct Cost {
  double generation_ms = 0;  // the mean of those that decompose and those that do not
  double snapshot_ms = 0;    // at the end: to write one,
  double restore_ms = 0;     // and to continue from it
  size_t snapshot_bytes = 0;
};

Cost CostOf(OptimizerOptions::Kind kind, const Case& c) {
  const size_t n = static_cast<size_t>(c.dimension);
  OptimizerOptions options;
  options.kind = kind;
  options.dimension = c.dimension;
  options.population = c.population;
  options.mean.assign(n, 0.5);
  options.sigma = 1.0 / 6;
  auto optimizer = MakeOptimizer(options);
  if (!optimizer.ok()) std::exit(1);
  double milliseconds = 0;
  for (int g = 0; g < c.generations; ++g) {
    std::vector<std::vector<double>> genomes;
    milliseconds += Timed([&] { genomes = (*optimizer)->Ask(); });
    std::vector<Evaluation> evaluations;
    for (const std::vector<double>& genome : genomes) {
      double sum = 0;
      for (const double gene : genome) sum += gene * gene;
      evaluations.push_back({-sum});
    }
    milliseconds += Timed([&] {
      if (!(*optimizer)->Tell(evaluations).ok()) std::exit(1);
    });
  }
  Cost cost;
  cost.generation_ms = milliseconds / c.generations;
  std::string snapshot;
  cost.snapshot_ms = Timed([&] { snapshot = (*optimizer)->Snapshot(); });
  cost.snapshot_bytes = snapshot.size();
  cost.restore_ms = Timed([&] {
    if (!RestoreOptimizer(options, snapshot).ok()) std::exit(1);
  });
  return cost;
}

// One eigendecomposition of a covariance as a search has it: the identity and some hundred learned directions.
double Decomposition(int dimension) {
  const size_t n = static_cast<size_t>(dimension);
  Matrix rows(std::min<size_t>(n, 400), n);
  RandomStream random(RandomKey({7}));
  for (double& value : rows.values) value = random.NextNormal();
  Matrix c = Matrix::Identity(n);
  UpdateUpperTriangle(0.9, 0.001, rows, c);
  EigenBasis basis;
  bool clamped = false;
  double least = INFINITY;
  for (int i = 0; i < (n > 1000 ? 1 : 5); ++i) {
    least = std::min(least, Timed([&] {
                       if (!Decompose(c, basis, clamped).ok()) std::exit(1);
                     }));
  }
  return least;
}

// How many decompositions the generations of a case need.
int DecompositionsOf(const Case& c) {
  const double gap = std::max(1.0, std::ceil(MakeCmaConstants(c.dimension, c.population).eigen_gap));
  return static_cast<int>(c.generations / gap);
}

// {"cmaes": {"6/9": milliseconds or null, ...}, "cma": ...}
Json Reference(const std::string& python, const std::string& script, const std::vector<Case>& cases) {
  std::string command = "OPENBLAS_NUM_THREADS=1 '" + python + "' '" + script + "'";
  for (const Case& c : cases) command += " " + std::to_string(c.dimension) + "/" + std::to_string(c.population);
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return Json();
  std::string text;
  char buffer[4096];
  for (size_t got = 0; (got = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, got);
  if (pclose(pipe) != 0) {
    std::fprintf(stderr, "%s failed\n", command.c_str());
    std::exit(1);
  }
  return Json::parse(text);
}

std::string Cell(const Json& packages, const char* package, const std::string& key) {
  const Json& value = packages.at(package).at(key);
  if (value.is_null()) return "-";
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value.get<double>());
  return text;
}

}  // namespace
}  // namespace heterosis

int main(int argc, char** argv) {
  using namespace heterosis;
  if (argc < 3) {
    std::fprintf(stderr, "usage: optimizer_bench PYTHON reference.py [LARGEST_DIMENSION]\n");
    return 2;
  }
  const int largest = argc > 3 ? std::atoi(argv[3]) : 1000;
  std::vector<Case> cases;
  for (const Case& c : kCases) {
    if (c.dimension <= largest) cases.push_back(c);
  }
  const Json packages = Reference(argv[1], argv[2], cases);
  std::puts(
      "| n / population | cma | of it dsyevd | cmaes.CMA | pycma | sep_cma | cmaes.SepCMA | snapshot of cma |\n"
      "|---|---|---|---|---|---|---|---|");
  for (const Case& c : cases) {
    const std::string key = std::to_string(c.dimension) + "/" + std::to_string(c.population);
    const Cost ours = CostOf(OptimizerOptions::Kind::kCma, c);
    const Cost sep = CostOf(OptimizerOptions::Kind::kSepCma, c);
    const double lapack = Decomposition(c.dimension) * DecompositionsOf(c) / c.generations;
    std::printf("| %s | %.3g | %.3g | %s | %s | %.3g | %s | %.3g MB, written in %.2g ms, restored in %.2g ms |\n",
                key.c_str(), ours.generation_ms, lapack, Cell(packages, "cmaes", key).c_str(),
                Cell(packages, "cma", key).c_str(), sep.generation_ms, Cell(packages, "sep_cmaes", key).c_str(),
                static_cast<double>(ours.snapshot_bytes) / 1e6, ours.snapshot_ms, ours.restore_ms);
    std::fflush(stdout);
  }
  return 0;
}
