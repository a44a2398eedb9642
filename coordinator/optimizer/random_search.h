// SPDX-License-Identifier: Apache-2.0
// Random search: every candidate uniform in the bounds, whatever was told.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordinator/optimizer/optimizer.h"
#include "coordinator/optimizer/snapshot.h"

namespace heterosis {

class RandomSearch : public Optimizer {
 public:
  // `options` as ResolveOptions leaves them.
  explicit RandomSearch(OptimizerOptions options);
  // From the fields that Snapshot wrote after the options.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Restore(OptimizerOptions options, SnapshotReader& reader);

  int dimension() const override { return options_.dimension; }
  int population() const override { return options_.population; }
  int64_t generation() const override { return generation_; }
  std::vector<std::vector<double>> Ask() const override;
  absl::Status Tell(std::span<const Evaluation> evaluations) override;
  // The centre of the bounds.
  std::vector<double> mean() const override;
  // The root of the genes' mean variance.
  double sigma() const override;
  std::string Snapshot() const override;

 private:
  OptimizerOptions options_;
  int64_t generation_ = 0;
};

}  // namespace heterosis
