// SPDX-License-Identifier: Apache-2.0
// Implements bernoulli.h.
#include "coordinator/optimizer/bernoulli.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/status.h"
#include "coordinator/optimizer/linear_algebra.h"

namespace heterosis {
namespace {

constexpr double kAlpha = 1.5;  // the signal counts as one while its squared length is above kAlpha times the expected

// sum w (c - q) over the parents in which the bit had an effect.
std::vector<double> Gradient(std::span<const BitParent> parents, const std::vector<double>& probabilities) {
  std::vector<double> gradient(probabilities.size());
  for (const BitParent& parent : parents) {
    for (size_t i = 0; i < gradient.size(); ++i) {
      if (!parent.active.empty() && parent.active[i] == 0) continue;
      gradient[i] += parent.weight * ((parent.bits[i] != 0 ? 1 : 0) - probabilities[i]);
    }
  }
  return gradient;
}

}  // namespace

double BernoulliMargin(size_t count) {
  return 1 - std::pow(0.73, 1 / static_cast<double>(count));
}

BernoulliState InitialBernoulli(std::vector<double> probabilities) {
  const double margin = BernoulliMargin(probabilities.size());
  for (double& q : probabilities) q = std::clamp(q, margin, 1 - margin);
  BernoulliState state;
  state.signal.assign(probabilities.size(), 0);
  state.probabilities = std::move(probabilities);
  return state;
}

void UpdateBernoulli(std::span<const BitParent> parents, BernoulliState& state) {
  std::vector<double>& q = state.probabilities;
  const std::vector<double> gradient = Gradient(parents, q);
  std::vector<double> fisher(gradient);  // times the root of the Fisher information, 1 / (q (1 - q))
  for (size_t i = 0; i < fisher.size(); ++i) fisher[i] /= std::sqrt(q[i] * (1 - q[i]));
  const double length = std::sqrt(Dot(fisher, fisher));
  if (!(length > 0)) return;
  const double margin = BernoulliMargin(q.size());
  for (size_t i = 0; i < q.size(); ++i) {
    q[i] = std::clamp(q[i] + state.step / length * gradient[i], margin, 1 - margin);
  }

  state.step = 1 / state.damping;
  const double beta = state.step / std::sqrt(static_cast<double>(q.size()));
  const double feed = std::sqrt(beta * (2 - beta));
  for (size_t i = 0; i < q.size(); ++i) {
    state.signal[i] = (1 - beta) * state.signal[i] + feed * fisher[i] / length;
  }
  state.signal_expected = (1 - beta) * (1 - beta) * state.signal_expected + beta * (2 - beta);
  state.damping *= std::exp(beta * (state.signal_expected - Dot(state.signal, state.signal) / kAlpha));
  // The package has no limit: here beta stays at most 1.
  state.damping = std::max(state.damping, 1 / std::sqrt(static_cast<double>(q.size())));
}

void WriteBernoulli(const BernoulliState& state, SnapshotWriter& writer) {
  writer.Doubles(state.probabilities);
  writer.Doubles(state.signal);
  writer.Double(state.signal_expected);
  writer.Double(state.damping);
  writer.Double(state.step);
}

absl::StatusOr<BernoulliState> ReadBernoulli(size_t count, SnapshotReader& reader) {
  BernoulliState state;
  state.probabilities = reader.Doubles();
  state.signal = reader.Doubles();
  state.signal_expected = reader.Double();
  state.damping = reader.Double();
  state.step = reader.Double();
  RETURN_IF_ERROR(reader.status());
  if (state.probabilities.size() == count && state.signal.size() == count) return state;
  return absl::DataLossError("optimizer snapshot is damaged: a field has the wrong size");
}

}  // namespace heterosis
