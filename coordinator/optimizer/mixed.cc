// SPDX-License-Identifier: Apache-2.0
// Implements mixed.h.
#include "coordinator/optimizer/mixed.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/random.h"
#include "common/base/status.h"
#include "coordinator/optimizer/generation.h"
#include "coordinator/optimizer/normal_distribution.h"
#include "coordinator/optimizer/options.h"
#include "coordinator/optimizer/ranking.h"

namespace heterosis {
namespace {

// The streams of one candidate beside its normal numbers, whose keys have one part less.
constexpr uint64_t kBitStream = 1;
constexpr uint64_t kMoveStream = 2;

RandomStream StreamOf(const OptimizerOptions& options, int64_t generation, size_t candidate, uint64_t purpose) {
  return RandomStream(
      RandomKey({options.seed, options.phase, static_cast<uint64_t>(generation), candidate, uint64_t{0}, purpose}));
}

std::vector<size_t> GenesWhere(const std::vector<double>& steps, bool discrete) {
  std::vector<size_t> genes;
  for (size_t i = 0; i < steps.size(); ++i) {
    if ((steps[i] > 0) == discrete) genes.push_back(i);
  }
  return genes;
}

template <typename T>
std::vector<T> Pick(std::span<const T> values, const std::vector<size_t>& genes) {
  std::vector<T> picked;
  picked.reserve(genes.size());
  for (const size_t gene : genes) picked.push_back(values[gene]);
  return picked;
}

std::vector<double> Pick(const std::vector<double>& values, const std::vector<size_t>& genes) {
  return Pick(std::span<const double>(values), genes);
}

// The chance that a gene drawn round the mean lies above the middle of its interval.
std::vector<double> StartProbabilities(const OptimizerOptions& options, const std::vector<size_t>& bit_genes) {
  std::vector<double> probabilities;
  for (const size_t i : bit_genes) {
    const double middle = options.lower[i] + (options.upper[i] - options.lower[i]) / 2;
    probabilities.push_back(NormalCdf((options.mean[i] - middle) / options.sigma));
  }
  return probabilities;
}

bool BitOf(const OptimizerOptions& options, size_t gene, double value) {
  return value > options.lower[gene] + (options.upper[gene] - options.lower[gene]) / 2;
}

// How many of a generation's best are copied by moves.
size_t BestCount(const OptimizerOptions& options) {
  return static_cast<size_t>(std::max(1, options.population / 8));
}

}  // namespace

Mixed::Mixed(OptimizerOptions options, int64_t generation, BernoulliState bits, PartialReals reals, Matrix best,
             Matrix candidates)
    : options_(std::move(options)),
      bit_genes_(GenesWhere(options_.steps, true)),
      real_genes_(GenesWhere(options_.steps, false)),
      real_box_(Pick(options_.lower, real_genes_), Pick(options_.upper, real_genes_)),
      generation_(generation),
      bits_(std::move(bits)),
      reals_(std::move(reals)),
      best_(std::move(best)),
      candidates_(std::move(candidates)) {}

Mixed::Mixed(OptimizerOptions options) : Mixed(std::move(options), 0, {}, {}, {}, {}) {
  bits_ = InitialBernoulli(StartProbabilities(options_, bit_genes_));
  reals_ = InitialPartialReals(Pick(options_.mean, real_genes_), options_.sigma);
  Sample();
}

absl::StatusOr<std::unique_ptr<Optimizer>> Mixed::Restore(OptimizerOptions options, SnapshotReader& reader) {
  const size_t n = static_cast<size_t>(options.dimension);
  const int64_t generation = static_cast<int64_t>(reader.Uint64());
  const size_t bit_count = GenesWhere(options.steps, true).size();
  ASSIGN_OR_RETURN(BernoulliState bits, ReadBernoulli(bit_count, reader));
  ASSIGN_OR_RETURN(PartialReals reals, ReadReals(n - bit_count, reader));
  const uint64_t best_count = reader.Uint64();
  if (best_count > BestCount(options))
    return absl::DataLossError("optimizer snapshot is damaged: too many best genomes");
  ASSIGN_OR_RETURN(Matrix best, ReadMatrix(best_count, n, reader));
  ASSIGN_OR_RETURN(Matrix candidates, ReadMatrix(static_cast<size_t>(options.population), n, reader));
  RETURN_IF_ERROR(reader.Finish());
  return std::unique_ptr<Optimizer>(new Mixed(std::move(options), generation, std::move(bits), std::move(reals),
                                              std::move(best), std::move(candidates)));
}

std::string Mixed::Snapshot() const {
  SnapshotWriter writer;
  WriteOptions(options_, writer);
  writer.Uint64(static_cast<uint64_t>(generation_));
  WriteBernoulli(bits_, writer);
  WriteReals(reals_, writer);
  writer.Uint64(best_.rows);
  writer.Doubles(best_.values);
  writer.Doubles(candidates_.values);
  return std::move(writer).Seal();
}

std::vector<std::vector<double>> Mixed::Ask() const {
  return RowsOf(candidates_);
}

absl::Status Mixed::Tell(std::span<const Evaluation> evaluations) {
  RETURN_IF_ERROR(CheckCount(evaluations, options_.population));
  if (AnyValid(evaluations)) Learn(evaluations);
  ++generation_;
  Sample();
  return absl::OkStatus();
}

std::vector<double> Mixed::mean() const {
  std::vector<double> genome(static_cast<size_t>(options_.dimension));
  for (size_t k = 0; k < bit_genes_.size(); ++k) {
    const size_t gene = bit_genes_[k];
    genome[gene] = bits_.probabilities[k] > 0.5 ? options_.upper[gene] : options_.lower[gene];
  }
  for (size_t k = 0; k < real_genes_.size(); ++k) genome[real_genes_[k]] = reals_.mean[k];
  return genome;
}

double Mixed::sigma() const {
  if (!real_genes_.empty()) return reals_.sigma;
  double variance = 0;
  for (size_t k = 0; k < bit_genes_.size(); ++k) {
    const double range = options_.upper[bit_genes_[k]] - options_.lower[bit_genes_[k]];
    variance += bits_.probabilities[k] * (1 - bits_.probabilities[k]) * range * range;
  }
  return std::sqrt(variance / static_cast<double>(bit_genes_.size()));
}

Mixed::Origin Mixed::OriginOf(size_t candidate) const {
  if (candidate < InjectedCount(options_, generation_)) return Origin::kInjected;
  if (best_.rows == 0 || options_.move_probability == 0) return Origin::kModel;
  if (candidate == 0) return Origin::kBest;
  RandomStream stream = StreamOf(options_, generation_, candidate, kMoveStream);
  return stream.NextUniform() < options_.move_probability ? Origin::kMove : Origin::kModel;
}

void Mixed::Sample() {
  candidates_ = Matrix(static_cast<size_t>(options_.population), static_cast<size_t>(options_.dimension));
  for (size_t i = 0; i < candidates_.rows; ++i) {
    const std::span<double> genome = candidates_.row(i);
    switch (OriginOf(i)) {
      case Origin::kInjected:
        break;  // all at once below
      case Origin::kBest:
        std::copy_n(best_.row(0).begin(), genome.size(), genome.begin());
        break;
      case Origin::kMove:
        DrawMove(i, genome);
        break;
      case Origin::kModel:
        DrawFromModel(i, genome);
        break;
    }
  }
  PlaceInjected(options_, generation_, candidates_);
}

void Mixed::DrawFromModel(size_t candidate, std::span<double> genome) const {
  RandomStream stream = StreamOf(options_, generation_, candidate, kBitStream);
  for (size_t k = 0; k < bit_genes_.size(); ++k) {
    const size_t gene = bit_genes_[k];
    genome[gene] = stream.NextUniform() < bits_.probabilities[k] ? options_.upper[gene] : options_.lower[gene];
  }
  for (size_t k = 0; k < real_genes_.size(); ++k) genome[real_genes_[k]] = reals_.mean[k];
  DrawActive(candidate, {}, genome);
}

void Mixed::DrawMove(size_t candidate, std::span<double> genome) const {
  RandomStream stream = StreamOf(options_, generation_, candidate, kMoveStream);
  stream.NextUniform();  // OriginOf's
  const std::span<const double> parent = best_.row(stream.NextBelow(best_.rows));
  std::copy(parent.begin(), parent.end(), genome.begin());
  options_.mutate(genome, stream);
  BoxOf(options_).Clip(genome);
  for (const size_t gene : bit_genes_) {
    genome[gene] = BitOf(options_, gene, genome[gene]) ? options_.upper[gene] : options_.lower[gene];
  }
  DrawActive(candidate, ActiveIn(parent), genome);
}

void Mixed::DrawActive(size_t candidate, std::span<const char> before, std::span<double> genome) const {
  const std::vector<char> active = ActiveIn(genome);
  std::vector<char> wanted;
  std::vector<double> values;
  for (size_t k = 0; k < real_genes_.size(); ++k) {
    const size_t gene = real_genes_[k];
    wanted.push_back(active[gene] != 0 && (before.empty() || before[gene] == 0) ? 1 : 0);
    values.push_back(active[gene] != 0 ? genome[gene] : reals_.mean[k]);
  }
  const int resampling_max = options_.bounds == OptimizerOptions::Bounds::kResample ? options_.max_resampling : 0;
  DrawReals(reals_, real_box_, resampling_max, candidate, wanted, KeyedNormals(options_, generation_), values);
  for (size_t k = 0; k < real_genes_.size(); ++k) genome[real_genes_[k]] = values[k];
}

std::vector<char> Mixed::ActiveIn(std::span<const double> genome) const {
  std::vector<char> active(genome.size(), 1);
  if (options_.active) options_.active(genome, active);
  return active;
}

void Mixed::Learn(std::span<const Evaluation> evaluations) {
  const std::vector<size_t> ranking = Ranking(evaluations);
  const CmaConstants k = MakeCmaConstants(options_.dimension, options_.population);
  struct Parent {
    std::vector<char> bits, bits_active, reals_active;
    std::vector<double> reals;
  };
  std::vector<Parent> parents;
  for (size_t i = 0; i < static_cast<size_t>(k.parents); ++i) {
    if (!IsValid(evaluations[ranking[i]])) break;  // a failed candidate is no parent
    const std::span<const double> genome = candidates_.row(ranking[i]);
    const std::vector<char> active = ActiveIn(genome);
    Parent& parent = parents.emplace_back();
    for (const size_t gene : bit_genes_) parent.bits.push_back(BitOf(options_, gene, genome[gene]) ? 1 : 0);
    parent.bits_active = Pick(std::span<const char>(active), bit_genes_);
    parent.reals_active = Pick(std::span<const char>(active), real_genes_);
    parent.reals = Pick(genome, real_genes_);
  }
  std::vector<BitParent> bit_parents;
  std::vector<RealParent> real_parents;
  const CmaConstants real_constants = MakeSepCmaConstants(options_.dimension, options_.population);
  for (size_t i = 0; i < parents.size(); ++i) {
    bit_parents.push_back({parents[i].bits, parents[i].bits_active, k.weights[i]});
    const bool foreign = OriginOf(ranking[i]) != Origin::kModel;
    real_parents.push_back({parents[i].reals, parents[i].reals_active, real_constants.weights[i], foreign});
  }
  UpdateBernoulli(bit_parents, bits_);
  UpdateReals(options_.population, real_parents, real_box_, reals_);
  if (options_.mutate) KeepBest(ranking, evaluations);
}

void Mixed::KeepBest(std::span<const size_t> ranking, std::span<const Evaluation> evaluations) {
  best_ = Matrix(0, static_cast<size_t>(options_.dimension));
  for (const size_t i : ranking) {
    if (!IsValid(evaluations[i]) || best_.rows == BestCount(options_)) break;
    const std::span<const double> genome = candidates_.row(i);
    bool known = false;
    for (size_t k = 0; k < best_.rows && !known; ++k) {
      known = std::equal(genome.begin(), genome.end(), best_.row(k).begin());
    }
    if (known) continue;
    best_.values.insert(best_.values.end(), genome.begin(), genome.end());
    ++best_.rows;
  }
}

}  // namespace heterosis
