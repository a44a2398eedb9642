// SPDX-License-Identifier: Apache-2.0
// CMA-ES with margin behind the Optimizer interface: a full covariance as Cma has it, with discrete genes (margin.h),
// which candidates and mean have on the grid.
#pragma once

#include <memory>

#include "coordinator/optimizer/cma_core.h"
#include "coordinator/optimizer/evolution_strategy.h"
#include "coordinator/optimizer/margin.h"

namespace heterosis {

class CmaMargin : public EvolutionStrategy {
 public:
  // `options` as ResolveOptions leaves them.
  explicit CmaMargin(OptimizerOptions options);
  // From the fields that Snapshot wrote after the options.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Restore(OptimizerOptions options, SnapshotReader& reader);

 private:
  CmaMargin(OptimizerOptions options, CmaState state, MarginState margin);

  const EvolutionState& evolution() const override { return state_; }
  EvolutionState& evolution() override { return state_; }
  Matrix Draw(const NormalSource& normals) const override;
  void Learn(const Matrix& candidates, std::span<const Evaluation> evaluations, size_t injected) override;
  void WriteState(SnapshotWriter& writer) const override;
  void ToGenome(std::span<double> point) const override;

  GeneGrid grid_;
  CmaSettings settings_;
  CmaState state_;
  MarginState margin_;
};

}  // namespace heterosis
