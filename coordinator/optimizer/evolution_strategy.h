// SPDX-License-Identifier: Apache-2.0
// What the CMA-ES variants have in common behind the Optimizer interface: the generation that is handed out, with its
// random numbers and injected points, and the frame of a snapshot. A variant adds its state and its mathematics.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "coordinator/optimizer/evolution.h"
#include "coordinator/optimizer/linear_algebra.h"
#include "coordinator/optimizer/optimizer.h"
#include "coordinator/optimizer/sampling.h"
#include "coordinator/optimizer/snapshot.h"

namespace heterosis {

class EvolutionStrategy : public Optimizer {
 public:
  int dimension() const final { return options_.dimension; }
  int population() const final { return options_.population; }
  int64_t generation() const final { return evolution().generation; }
  std::vector<std::vector<double>> Ask() const final;
  absl::Status Tell(std::span<const Evaluation> evaluations) final;
  std::vector<double> mean() const final;
  double sigma() const final { return evolution().sigma; }
  std::string Snapshot() const final;

 protected:
  // `options` as ResolveOptions leaves them. The constructor of a variant then calls Sample, Restore ReadCandidates.
  explicit EvolutionStrategy(OptimizerOptions options) : options_(std::move(options)) {}

  // Draws the candidates of the current generation.
  void Sample();
  // The end of a snapshot: the candidates as they were handed out, also where another machine would draw others.
  absl::Status ReadCandidates(SnapshotReader& reader);

  const OptimizerOptions& options() const { return options_; }

 private:
  virtual const EvolutionState& evolution() const = 0;
  virtual EvolutionState& evolution() = 0;
  virtual Matrix Draw(const NormalSource& normals) const = 0;
  // Learns from the generation that was drawn, of which at least one candidate is valid; counts it.
  virtual void Learn(const Matrix& candidates, std::span<const Evaluation> evaluations, size_t injected) = 0;
  virtual void WriteState(SnapshotWriter& writer) const = 0;
  // Makes of a point of the distribution the genome that is handed out.
  virtual void ToGenome(std::span<double>) const {}

  OptimizerOptions options_;
  Matrix candidates_;  // of the current generation, as drawn: what is learned from
};

}  // namespace heterosis
