// SPDX-License-Identifier: Apache-2.0
// Compares the optimizers on problems of bits and paths: the same budget for all, many seeds, one Markdown table a
// population (docs/optimizers.md). Usage: compare_optimizers [SEEDS] [EVALUATIONS] [PART] [TRACES]: PART of the names
// of the optimizers to compare, "" for all; TRACES: a file for plot.py, {"PROBLEM, population P": {OPTIMIZER: [the
// median over the seeds of what the best is short by, after each 128 evaluations]}}. demo.py compares them on the demo.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/random.h"
#include "common/base/status.h"
#include "coordinator/optimizer/optimizer.h"
#include "tests/bench/optimizer/problems.h"

namespace heterosis {
namespace {

using Kind = OptimizerOptions::Kind;
using StepSize = OptimizerOptions::StepSize;

struct Method {
  std::string name;
  Kind kind = Kind::kCma;
  StepSize step_size = StepSize::kAuto;
  double move_probability = 0;
  bool bounded = true;  // the unit box; a bit is 1 above 0.5 either way
};

const std::vector<Method> kMethods = {
    {"cma, csa", Kind::kCma, StepSize::kCsa},
    {"cma, tpa", Kind::kCma, StepSize::kTpa},
    {"cma, csa, unbounded", Kind::kCma, StepSize::kCsa, 0, false},
    {"sep_cma, csa", Kind::kSepCma, StepSize::kCsa},
    {"sep_cma, tpa", Kind::kSepCma, StepSize::kTpa},
    {"sep_cma, csa, unbounded", Kind::kSepCma, StepSize::kCsa, 0, false},
    {"cma_margin, csa", Kind::kCmaMargin, StepSize::kCsa},
    {"cma_margin, tpa", Kind::kCmaMargin, StepSize::kTpa},
    {"mixed, no moves", Kind::kMixed, StepSize::kAuto, 0},
    {"mixed, moves 0.1", Kind::kMixed, StepSize::kAuto, 0.1},
    {"mixed, moves 0.25", Kind::kMixed, StepSize::kAuto, 0.25},
    {"mixed, moves 0.5", Kind::kMixed, StepSize::kAuto, 0.5},
    {"mixed, moves 0.75", Kind::kMixed, StepSize::kAuto, 0.75},
    {"random", Kind::kRandom},
};

OptimizerOptions OptionsOf(const Method& method, const Problem& problem, int population, uint64_t seed) {
  const size_t n = problem.bits + problem.reals;
  OptimizerOptions options;
  options.kind = method.kind;
  options.dimension = static_cast<int>(n);
  options.population = population;
  options.mean = problem.mean;
  options.sigma = 1.0 / 6;
  if (method.bounded) {
    options.lower.assign(n, 0.0);
    options.upper.assign(n, 1.0);
  }
  options.seed = seed;
  options.step_size = method.step_size;
  if (method.kind == Kind::kCmaMargin || method.kind == Kind::kMixed) {
    options.steps.assign(n, 0.0);
    std::fill_n(options.steps.begin(), problem.bits, 1.0);
  }
  if (method.kind == Kind::kMixed) {
    options.active = problem.active;
    if (method.move_probability > 0) options.mutate = problem.mutate;
    options.move_probability = method.move_probability;
  }
  return options;
}

constexpr int kTraceEvery = 128;

struct Outcome {
  int solved_at = 0;          // the evaluation whose noise-free score first counted as solved; 0: none
  double best = -1e300;       // noise-free, over all candidates
  double of_mean = -1e300;    // noise-free, at the end
  std::vector<double> trace;  // `best` after each kTraceEvery evaluations
};

Outcome Search(const Method& method, const Problem& problem, int population, int evaluations, uint64_t seed) {
  auto made = MakeOptimizer(OptionsOf(method, problem, population, seed));
  if (!made.ok()) {
    std::fprintf(stderr, "%s: %s\n", method.name.c_str(), std::string(made.status().message()).c_str());
    std::exit(1);
  }
  Optimizer& optimizer = **made;
  RandomStream noise(RandomKey({seed, 5}));
  Outcome outcome;
  for (int used = 0; used + optimizer.population() <= evaluations;) {
    std::vector<Evaluation> told;
    for (const std::vector<double>& genome : optimizer.Ask()) {
      const double score = problem.score(genome);
      ++used;
      outcome.best = std::max(outcome.best, score);
      if (score >= problem.solved && outcome.solved_at == 0) outcome.solved_at = used;
      if (used % kTraceEvery == 0) outcome.trace.push_back(outcome.best);
      told.push_back({score + problem.noise * noise.NextNormal()});
    }
    if (!optimizer.Tell(told).ok()) std::exit(1);
  }
  outcome.of_mean = problem.score(optimizer.mean());
  return outcome;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

struct Budget {
  int seeds = 10;
  int evaluations = 12'800;
  std::string only;  // a part of the names of the optimizers that are compared
};

// The median over the seeds of what the best is short by, point by point.
Json MedianTrace(const std::vector<std::vector<double>>& traces, double optimum) {
  Json medians = Json::array();
  for (size_t i = 0; i < traces.front().size(); ++i) {
    std::vector<double> values;
    for (const std::vector<double>& trace : traces) values.push_back(optimum - trace[i]);
    medians.push_back(Median(values));
  }
  return medians;
}

using ProblemOfSeed = std::function<Problem(uint64_t)>;

// One cell of the table: how many seeds solved the problem, after how many evaluations (the median of those), and what
// the best candidate and the mean at the end are short by (medians of all).
std::string Compare(const Method& method, const ProblemOfSeed& problem_of, int population, const Budget& budget,
                    Json& traces) {
  std::vector<double> solved_at;
  std::vector<double> best;
  std::vector<double> of_mean;
  std::vector<std::vector<double>> seed_traces;
  for (int seed = 1; seed <= budget.seeds; ++seed) {
    const Problem problem = problem_of(static_cast<uint64_t>(seed));
    const Outcome outcome = Search(method, problem, population, budget.evaluations, static_cast<uint64_t>(seed));
    if (outcome.solved_at > 0) solved_at.push_back(outcome.solved_at);
    best.push_back(problem.optimum - outcome.best);
    of_mean.push_back(problem.optimum - outcome.of_mean);
    seed_traces.push_back(outcome.trace);
  }
  const Problem first = problem_of(1);
  const std::string key = first.name + ", population " + (population == 0 ? "default" : std::to_string(population));
  traces[key][method.name] = MedianTrace(seed_traces, first.optimum);
  char cell[128];
  std::snprintf(cell, sizeof(cell), "%zu/%d%s; %.3g, %.3g", solved_at.size(), budget.seeds,
                solved_at.empty() ? "" : absl::StrCat(" at ", static_cast<int>(Median(solved_at))).c_str(),
                Median(best), Median(of_mean));
  return cell;
}

void PrintTable(const std::vector<ProblemOfSeed>& problems, int population, const Budget& budget, Json& traces) {
  std::string header = "| optimizer |";
  std::string rule = "|---|";
  for (const ProblemOfSeed& problem_of : problems) {
    header += " " + problem_of(1).name + " |";
    rule += "---|";
  }
  std::printf("\nPopulation %s\n\n%s\n%s\n", population == 0 ? "default" : std::to_string(population).c_str(),
              header.c_str(), rule.c_str());
  for (const Method& method : kMethods) {
    if (method.name.find(budget.only) == std::string::npos) continue;
    std::printf("| %s |", method.name.c_str());
    for (const ProblemOfSeed& problem_of : problems) {
      std::printf(" %s |", Compare(method, problem_of, population, budget, traces).c_str());
    }
    std::puts("");
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace heterosis

int main(int argc, char** argv) {
  using namespace heterosis;
  Budget budget;
  if (argc > 1) budget.seeds = std::atoi(argv[1]);
  if (argc > 2) budget.evaluations = std::atoi(argv[2]);
  if (argc > 3) budget.only = argv[3];
  if (budget.seeds < 1 || budget.evaluations < 128) {
    std::fprintf(stderr, "usage: compare_optimizers [SEEDS] [EVALUATIONS, at least 128] [PART] [TRACES]\n");
    return 2;
  }
  std::printf("%d seeds, %d evaluations.\n", budget.seeds, budget.evaluations);
  Json traces = Json::object();
  const std::vector<ProblemOfSeed> problems = {
      [](uint64_t) { return OneMax(192, 0); }, [](uint64_t) { return OneMax(192, 1); },
      [](uint64_t) { return LeadingOnes(192); }, [](uint64_t seed) { return DeceptivePath(seed, 0); },
      [](uint64_t seed) { return DeceptivePath(seed, 0.03); }};
  for (const int population : {128, 0}) PrintTable(problems, population, budget, traces);
  if (argc > 4) {
    const absl::Status written = WriteFileAtomic(argv[4], JsonText(traces));
    if (!written.ok()) std::fprintf(stderr, "%s\n", Message(written).c_str());
    return written.ok() ? 0 : 1;
  }
  return 0;
}
