// SPDX-License-Identifier: Apache-2.0
// CMA-ES behind the Optimizer interface: cma_core.h as an EvolutionStrategy.
#pragma once

#include <memory>

#include "coordinator/optimizer/cma_core.h"
#include "coordinator/optimizer/evolution_strategy.h"

namespace heterosis {

class Cma : public EvolutionStrategy {
 public:
  // `options` as ResolveOptions leaves them.
  explicit Cma(OptimizerOptions options);
  // From the fields that Snapshot wrote after the options.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Restore(OptimizerOptions options, SnapshotReader& reader);

 private:
  Cma(OptimizerOptions options, CmaState state);

  const EvolutionState& evolution() const override { return state_; }
  EvolutionState& evolution() override { return state_; }
  Matrix Draw(const NormalSource& normals) const override;
  void Learn(const Matrix& candidates, std::span<const Evaluation> evaluations, size_t injected) override;
  void WriteState(SnapshotWriter& writer) const override { WriteCmaState(state_, writer); }

  CmaSettings settings_;
  CmaState state_;
};

}  // namespace heterosis
