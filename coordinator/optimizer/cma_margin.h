// SPDX-License-Identifier: Apache-2.0
// CMA-ES with margin behind the Optimizer interface: a full covariance as Cma has it, with discrete genes (margin.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordinator/optimizer/cma_core.h"
#include "coordinator/optimizer/margin.h"
#include "coordinator/optimizer/optimizer.h"
#include "coordinator/optimizer/snapshot.h"

namespace heterosis {

class CmaMargin : public Optimizer {
 public:
  // `options` as ResolveOptions leaves them.
  explicit CmaMargin(OptimizerOptions options);
  // From the fields that Snapshot wrote after the options.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Restore(OptimizerOptions options, SnapshotReader& reader);

  int dimension() const override { return options_.dimension; }
  int population() const override { return options_.population; }
  int64_t generation() const override { return state_.generation; }
  std::vector<std::vector<double>> Ask() const override;
  absl::Status Tell(std::span<const Evaluation> evaluations) override;
  // Its discrete genes on the grid.
  std::vector<double> mean() const override;
  double sigma() const override { return state_.sigma; }
  std::string Snapshot() const override;

 private:
  CmaMargin(OptimizerOptions options, CmaState state, MarginState margin, Matrix drawn);
  void Sample();

  OptimizerOptions options_;
  GeneGrid grid_;
  CmaSettings settings_;
  CmaState state_;
  MarginState margin_;
  Matrix drawn_;  // the current generation before its discrete genes are put on the grid: what is learned from
};

}  // namespace heterosis
