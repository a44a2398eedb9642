// SPDX-License-Identifier: Apache-2.0
// Implements partial_reals.h.
#include "coordinator/optimizer/partial_reals.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/status.h"
#include "coordinator/optimizer/generation.h"
#include "coordinator/optimizer/step_size.h"

namespace heterosis {
namespace {

constexpr double kVarianceMin = 1e-100;
constexpr double kSigmaMin = 1e-50;
constexpr double kSigmaMax = 1e32;

// What the parents say about one gene, over those in which it is active; y is (x - m) / sigma.
struct Evidence {
  double weight = 0;         // sum w
  double weight_square = 0;  // sum w^2
  double step = 0;           // sum w y
  double square = 0;         // sum w y^2
};

// The factor that keeps a foreign parent's step within InjectedLengthMax.
double Shortening(const RealParent& parent, const PartialReals& state) {
  if (!parent.foreign) return 1;
  double square = 0;
  size_t count = 0;
  for (size_t j = 0; j < state.mean.size(); ++j) {
    if (parent.active[j] == 0) continue;
    const double y = (parent.values[j] - state.mean[j]) / state.sigma;
    square += y * y / state.variances[j];
    ++count;
  }
  const double length = std::sqrt(square);
  return length > InjectedLengthMax(count) ? InjectedLengthMax(count) / length : 1;
}

std::vector<Evidence> Gather(std::span<const RealParent> parents, const PartialReals& state) {
  std::vector<Evidence> evidence(state.mean.size());
  for (const RealParent& parent : parents) {
    const double shortening = Shortening(parent, state);
    for (size_t j = 0; j < evidence.size(); ++j) {
      if (parent.active[j] == 0 || !(parent.weight > 0)) continue;
      const double y = shortening * (parent.values[j] - state.mean[j]) / state.sigma;
      Evidence& gene = evidence[j];
      gene.weight += parent.weight;
      gene.weight_square += parent.weight * parent.weight;
      gene.step += parent.weight * y;
      gene.square += parent.weight * y * y;
    }
  }
  return evidence;
}

}  // namespace

PartialReals InitialPartialReals(std::vector<double> mean, double sigma) {
  const size_t n = mean.size();
  return {InitialSepCmaState(std::move(mean), sigma), std::vector<double>(n)};
}

void DrawReals(const PartialReals& state, const Box& box, int resampling_max, size_t candidate,
               std::span<const char> wanted, const NormalSource& normals, std::span<double> values) {
  if (std::find(wanted.begin(), wanted.end(), 1) == wanted.end()) return;
  std::vector<double> z(values.size());
  for (int attempt = 0;; ++attempt) {
    normals(candidate, attempt, z);
    for (size_t j = 0; j < values.size(); ++j) {
      if (wanted[j] != 0) values[j] = state.mean[j] + state.sigma * std::sqrt(state.variances[j]) * z[j];
    }
    if (attempt >= resampling_max || box.Contains(values)) break;
  }
  box.Clip(values);
}

// As UpdateSepCma with n the number of genes that are active in some parent. A gene's steps are divided by
// sqrt(sum w^2) over its own parents, so that its paths keep unit variance under random selection.
void UpdateReals(int population, std::span<const RealParent> parents, const Box& box, PartialReals& state) {
  const std::vector<Evidence> evidence = Gather(parents, state);
  const auto live =
      std::count_if(evidence.begin(), evidence.end(), [](const Evidence& gene) { return gene.weight > 0; });
  if (live == 0) return;
  const CmaConstants k = MakeSepCmaConstants(static_cast<int>(live), population);
  const double sigma = state.sigma;

  double length_square = 0;
  double length_square_expected = 0;
  for (size_t j = 0; j < evidence.size(); ++j) {
    if (!(evidence[j].weight > 0)) continue;
    state.mean[j] += sigma * evidence[j].step;
    const double step = evidence[j].step / std::sqrt(evidence[j].weight_square * state.variances[j]);
    double& path = state.p_sigma[j];
    path = (1 - k.c_sigma) * path + PathFactor(k.c_sigma, 1) * step;
    double& variance = state.path_variances[j];
    variance = (1 - k.c_sigma) * (1 - k.c_sigma) * variance + k.c_sigma * (2 - k.c_sigma);
    length_square += path * path;
    length_square_expected += variance;
  }
  box.Clip(state.mean);
  const double path_length = std::sqrt(length_square / length_square_expected * static_cast<double>(live));
  state.sigma = std::clamp(sigma * CsaFactor(k, path_length), kSigmaMin, kSigmaMax);

  const double h_sigma = path_length < (1.4 + 2.0 / (k.dimension + 1)) * k.chi_n ? 1 : 0;
  for (size_t j = 0; j < evidence.size(); ++j) {
    const Evidence& gene = evidence[j];
    if (!(gene.weight > 0)) continue;
    double& path = state.p_c[j];
    path = (1 - k.c_c) * path + h_sigma * PathFactor(k.c_c, 1) * gene.step / std::sqrt(gene.weight_square);
    const double decay = 1 + k.c1 * (1 - h_sigma) * k.c_c * (2 - k.c_c) - k.c1 - k.c_mu * gene.weight;
    state.variances[j] = std::max(decay * state.variances[j] + k.c1 * path * path + k.c_mu * gene.square, kVarianceMin);
  }
  ++state.generation;
}

void WriteReals(const PartialReals& state, SnapshotWriter& writer) {
  WriteSepCmaState(state, writer);
  writer.Doubles(state.path_variances);
}

absl::StatusOr<PartialReals> ReadReals(size_t count, SnapshotReader& reader) {
  ASSIGN_OR_RETURN(SepCmaState base, ReadSepCmaState(count, reader));
  ASSIGN_OR_RETURN(Matrix variances, ReadMatrix(1, count, reader));
  return PartialReals{std::move(base), std::move(variances.values)};
}

}  // namespace heterosis
