// SPDX-License-Identifier: Apache-2.0
// The optimizers behind one ask-and-tell interface: an experiment asks for a generation of genomes and tells their
// fitness. Pure arithmetic: no I/O, clock or thread; random numbers are a function of (seed, phase, generation,
// candidate, attempt), so that the state needs no generator (DESIGN.md section 6).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/random.h"

namespace heterosis {

// What a candidate was worth; larger is better. A candidate that failed, is infeasible or scored NaN or infinity ranks
// behind every valid one.
struct Evaluation {
  double fitness = 0;
  bool valid = true;
};

// Thread-compatible.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  virtual int dimension() const = 0;
  virtual int population() const = 0;
  // The number of generations told so far, which is also the index of the generation that Ask returns.
  virtual int64_t generation() const = 0;

  // The current generation: population() genomes of dimension() values, inside the bounds. The same state always gives
  // the same genomes, bit for bit.
  virtual std::vector<std::vector<double>> Ask() const = 0;
  // The current generation's evaluations in Ask's order, exactly population() of them; ties rank by candidate index.
  // After an error the state is unchanged. A generation without one valid candidate only advances the count.
  virtual absl::Status Tell(std::span<const Evaluation> evaluations) = 0;

  // The centre of the search distribution, inside the bounds, and its overall standard deviation.
  virtual std::vector<double> mean() const = 0;
  virtual double sigma() const = 0;

  // The whole state and the options as versioned bytes that check themselves (format: snapshot.h); RestoreOptimizer
  // continues from them bit for bit.
  virtual std::string Snapshot() const = 0;
};

struct OptimizerOptions {
  enum class Kind {
    kCma,        // CMA-ES with a full covariance matrix, as the `cmaes` package
    kSepCma,     // CMA-ES with a diagonal covariance, as its SepCMA: linear in the dimension
    kCmaMargin,  // CMA-ES with margin, as its CMAwM: genes with a step are discrete
    kMixed,      // a Bernoulli model for the genes with a step, which are bits, and separable CMA-ES for the others
    kRandom,     // uniform in the bounds: what the same budget finds without learning
  };
  enum class Bounds {
    kClip,      // clips a candidate, and learns from the clipped point
    kResample,  // Optuna's: draws the whole candidate again, at most max_resampling times, then clips
  };
  enum class StepSize {
    kCsa,   // cumulative step-size adaptation: the paper's
    kTpa,   // two-point adaptation: far faster where generations are few for the dimension (not for kMixed)
    kAuto,  // kTpa from 64 dimensions on, else kCsa
  };
  // Says which genes of a genome have an effect: `active` comes in filled with 1, and the callback clears the others.
  using ActiveGenes = std::function<void(std::span<const double> genome, std::span<char> active)>;
  // Changes a genome a little, in a way that fits the space.
  using Mutation = std::function<void(std::span<double> genome, RandomStream& random)>;

  Kind kind = Kind::kCma;
  int dimension = 0;
  int population = 0;         // 0: 4 + floor(3 ln dimension)
  std::vector<double> mean;   // where the search starts: one per dimension, inside the bounds
  double sigma = 0;           // the first standard deviation of every gene
  std::vector<double> lower;  // bounds: one per dimension, or both empty for none
  std::vector<double> upper;  // (infinities are allowed, except for kRandom)
  uint64_t seed = 0;          // of the experiment
  uint64_t phase = 0;         // makes the phases of one experiment independent
  Bounds bounds = Bounds::kClip;
  StepSize step_size = StepSize::kAuto;
  int max_resampling = 0;                     // 0: 10 * dimension (Optuna)
  std::vector<std::vector<double>> injected;  // known points: the first candidates of generation 0, clipped

  // The step of every discrete gene, 0 for a continuous one; it must divide the gene's interval. For kCmaMargin and
  // kMixed one per dimension; else empty. A step of upper - lower makes a bit: it is one of the two bounds, and which
  // one a mean and sigma ask for is decided at their midpoint. kMixed knows no other discrete genes.
  std::vector<double> steps;
  // For kMixed, both pure functions that are the same whenever a snapshot is restored. A gene that `active` clears is
  // inert in that candidate: it stays at the mean, and the candidate teaches nothing about it. `mutate` makes a
  // share `move_probability` of each generation after the first from copies of the last one's best; candidate 0 is then
  // the very best, unchanged, which is thereby scored again. Values that `mutate` leaves out of bounds are clipped.
  ActiveGenes active;
  Mutation mutate;
  double move_probability = kMoveProbability;
  static constexpr double kMoveProbability = 0.25;
};

// InvalidArgument says which option is wrong and what it may be.
absl::StatusOr<std::unique_ptr<Optimizer>> MakeOptimizer(const OptimizerOptions& options);

// The optimizer whose Snapshot() `snapshot` is. DataLoss for damaged bytes; FailedPrecondition for those of another
// version, or of other options: the message names each that differs.
absl::StatusOr<std::unique_ptr<Optimizer>> RestoreOptimizer(const OptimizerOptions& options, std::string_view snapshot);

}  // namespace heterosis
