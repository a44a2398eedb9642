// SPDX-License-Identifier: Apache-2.0
// The optimizer for genomes of bits and real numbers, some of which have no effect in some candidates: a Bernoulli
// model for the bits (bernoulli.h), separable CMA-ES for the active real genes (partial_reals.h), and, where the space
// offers a mutation, candidates made from copies of the last generation's best.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordinator/optimizer/bernoulli.h"
#include "coordinator/optimizer/linear_algebra.h"
#include "coordinator/optimizer/optimizer.h"
#include "coordinator/optimizer/partial_reals.h"
#include "coordinator/optimizer/snapshot.h"

namespace heterosis {

class Mixed : public Optimizer {
 public:
  // `options` as ResolveOptions leaves them.
  explicit Mixed(OptimizerOptions options);
  // From the fields that Snapshot wrote after the options.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Restore(OptimizerOptions options, SnapshotReader& reader);

  int dimension() const override { return options_.dimension; }
  int population() const override { return options_.population; }
  int64_t generation() const override { return generation_; }
  std::vector<std::vector<double>> Ask() const override;
  absl::Status Tell(std::span<const Evaluation> evaluations) override;
  // Every bit's likelier value (the lower bound at a probability of 1/2) and the mean of the real genes.
  std::vector<double> mean() const override;
  // Of the real genes; without any, the root of the bits' mean variance.
  double sigma() const override;
  std::string Snapshot() const override;

 private:
  // Where a candidate comes from.
  enum class Origin { kModel, kInjected, kBest, kMove };

  Mixed(OptimizerOptions options, int64_t generation, BernoulliState bits, PartialReals reals, Matrix best,
        Matrix candidates);

  Origin OriginOf(size_t candidate) const;
  void Sample();
  void DrawFromModel(size_t candidate, std::span<double> genome) const;
  void DrawMove(size_t candidate, std::span<double> genome) const;
  // Draws the real genes that are active in `genome` and were not in `before` (empty: none was); the inert ones go to
  // the mean.
  void DrawActive(size_t candidate, std::span<const char> before, std::span<double> genome) const;
  std::vector<char> ActiveIn(std::span<const double> genome) const;
  void Learn(std::span<const Evaluation> evaluations);
  void KeepBest(std::span<const size_t> ranking, std::span<const Evaluation> evaluations);

  OptimizerOptions options_;
  std::vector<size_t> bit_genes_;
  std::vector<size_t> real_genes_;
  Box real_box_;
  int64_t generation_ = 0;
  BernoulliState bits_;
  PartialReals reals_;
  Matrix best_;        // of the last generation that had a valid candidate, best first; for moves only
  Matrix candidates_;  // of the current generation
};

}  // namespace heterosis
