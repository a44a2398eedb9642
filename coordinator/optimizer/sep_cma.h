// SPDX-License-Identifier: Apache-2.0
// Separable CMA-ES behind the Optimizer interface: sep_cma_core.h as an EvolutionStrategy. Time and memory are linear
// in the dimension.
#pragma once

#include <memory>

#include "coordinator/optimizer/evolution_strategy.h"
#include "coordinator/optimizer/sep_cma_core.h"

namespace heterosis {

class SepCma : public EvolutionStrategy {
 public:
  // `options` as ResolveOptions leaves them.
  explicit SepCma(OptimizerOptions options);
  // From the fields that Snapshot wrote after the options.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Restore(OptimizerOptions options, SnapshotReader& reader);

 private:
  SepCma(OptimizerOptions options, SepCmaState state);

  const EvolutionState& evolution() const override { return state_; }
  EvolutionState& evolution() override { return state_; }
  Matrix Draw(const NormalSource& normals) const override;
  void Learn(const Matrix& candidates, std::span<const Evaluation> evaluations, size_t injected) override;
  void WriteState(SnapshotWriter& writer) const override { WriteSepCmaState(state_, writer); }

  CmaSettings settings_;
  SepCmaState state_;
};

}  // namespace heterosis
