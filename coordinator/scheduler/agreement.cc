// SPDX-License-Identifier: Apache-2.0
// Implements agreement.h.
#include "coordinator/scheduler/agreement.h"

#include <algorithm>
#include <cmath>

namespace heterosis {
namespace {

constexpr double kFlipProbability = 0.03;
constexpr double kFalseAlarm = 1e-9;

// P(K >= flips) for K of Binomial(samples, kFlipProbability), as the sum of its terms.
double TailProbability(size_t samples, size_t flips) {
  const double n = static_cast<double>(samples);
  double tail = 0;
  for (size_t i = flips; i <= samples; ++i) {
    const double k = static_cast<double>(i);
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + k * std::log(kFlipProbability) +
                     (n - k) * std::log1p(-kFlipProbability));
  }
  return tail;
}

}  // namespace

std::string DeviceClass(std::string_view device) {
  const size_t colon = device.find(':');
  if (colon == std::string_view::npos) return std::string(device);
  const size_t end = std::min(device.find_first_not_of("0123456789", colon + 1), device.size());
  const bool numbered = end > colon + 1 && (end == device.size() || device[end] == ' ');
  std::string name(device);
  if (numbered) name.erase(colon, end - colon);
  return name;
}

Agreement Compare(const Answer& a, const Answer& b) {
  const std::vector<SampleResult>& left = a.result.samples;
  const std::vector<SampleResult>& right = b.result.samples;
  if (left.size() != right.size()) return Agreement::kNone;
  if (left == right) return Agreement::kEqual;
  if (a.device_class == b.device_class) return Agreement::kNone;
  size_t flips = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    if (left[i].sample != right[i].sample) return Agreement::kNone;
    flips += left[i].correct != right[i].correct ? 1 : 0;
  }
  return TailProbability(left.size(), flips) < kFalseAlarm ? Agreement::kNone : Agreement::kTolerated;
}

Ruling Rule(const std::vector<Answer>& answers) {
  Ruling ruling;
  bool equal = true, some_agree = false;
  for (size_t i = 0; i < answers.size(); ++i) {
    bool supported = false;
    for (size_t j = 0; j < answers.size(); ++j) {
      if (i == j) continue;
      const Agreement agreement = Compare(answers[i], answers[j]);
      supported = supported || agreement != Agreement::kNone;
      equal = equal && agreement == Agreement::kEqual;
    }
    some_agree = some_agree || supported;
    if (!supported) ruling.wrong.push_back(answers[i].name);
  }
  ruling.decided = some_agree;
  if (!ruling.decided) ruling.wrong.clear();
  ruling.all_equal = equal && answers.size() > 1;
  return ruling;
}

}  // namespace heterosis
