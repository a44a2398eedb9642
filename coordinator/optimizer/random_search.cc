// SPDX-License-Identifier: Apache-2.0
// Implements random_search.h.
#include "coordinator/optimizer/random_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/base/status.h"
#include "coordinator/optimizer/options.h"

namespace heterosis {

RandomSearch::RandomSearch(OptimizerOptions options) : options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<Optimizer>> RandomSearch::Restore(OptimizerOptions options, SnapshotReader& reader) {
  auto search = std::make_unique<RandomSearch>(std::move(options));
  search->generation_ = static_cast<int64_t>(reader.Uint64());
  RETURN_IF_ERROR(reader.Finish());
  return search;
}

std::string RandomSearch::Snapshot() const {
  SnapshotWriter writer;
  WriteOptions(options_, writer);
  writer.Uint64(static_cast<uint64_t>(generation_));
  return std::move(writer).Seal();
}

std::vector<std::vector<double>> RandomSearch::Ask() const {
  std::vector<std::vector<double>> genomes(static_cast<size_t>(options_.population));
  for (size_t candidate = 0; candidate < genomes.size(); ++candidate) {
    RandomStream stream(RandomKey({options_.seed, options_.phase, static_cast<uint64_t>(generation_), candidate}));
    for (size_t i = 0; i < options_.lower.size(); ++i) {
      const double gene = options_.lower[i] + stream.NextUniform() * (options_.upper[i] - options_.lower[i]);
      genomes[candidate].push_back(std::min(gene, options_.upper[i]));  // the product may round up past the bound
    }
  }
  if (generation_ == 0) std::copy(options_.injected.begin(), options_.injected.end(), genomes.begin());
  return genomes;
}

absl::Status RandomSearch::Tell(std::span<const Evaluation> evaluations) {
  if (evaluations.size() != static_cast<size_t>(options_.population)) {
    return absl::InvalidArgumentError(absl::StrCat("Tell needs the evaluations of all ", options_.population,
                                                   " candidates, it was given ", evaluations.size()));
  }
  ++generation_;
  return absl::OkStatus();
}

std::vector<double> RandomSearch::mean() const {
  std::vector<double> centre(options_.lower);
  for (size_t i = 0; i < centre.size(); ++i) centre[i] += (options_.upper[i] - options_.lower[i]) / 2;
  return centre;
}

double RandomSearch::sigma() const {
  double squares = 0;
  for (size_t i = 0; i < options_.lower.size(); ++i) {
    const double range = options_.upper[i] - options_.lower[i];
    squares += range * range / 12;  // the variance of a uniform variable
  }
  return std::sqrt(squares / options_.dimension);
}

}  // namespace heterosis
