// SPDX-License-Identifier: Apache-2.0
// Separable CMA-ES behind the Optimizer interface: random numbers, injected points and snapshots round sep_cma_core.h.
// Time and memory are linear in the dimension.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordinator/optimizer/optimizer.h"
#include "coordinator/optimizer/sep_cma_core.h"
#include "coordinator/optimizer/snapshot.h"

namespace heterosis {

class SepCma : public Optimizer {
 public:
  // `options` as ResolveOptions leaves them.
  explicit SepCma(OptimizerOptions options);
  // From the fields that Snapshot wrote after the options.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Restore(OptimizerOptions options, SnapshotReader& reader);

  int dimension() const override { return options_.dimension; }
  int population() const override { return options_.population; }
  int64_t generation() const override { return state_.generation; }
  std::vector<std::vector<double>> Ask() const override;
  absl::Status Tell(std::span<const Evaluation> evaluations) override;
  std::vector<double> mean() const override { return state_.mean; }
  double sigma() const override { return state_.sigma; }
  std::string Snapshot() const override;

 private:
  SepCma(OptimizerOptions options, SepCmaState state, Matrix candidates);
  void Sample();

  OptimizerOptions options_;
  CmaSettings settings_;
  SepCmaState state_;
  Matrix candidates_;  // of the current generation
};

}  // namespace heterosis
