// SPDX-License-Identifier: Apache-2.0
// Implements rope.h.
#include "worker/model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace heterosis {
namespace {

std::vector<float> PlainFrequencies(double theta, int64_t dim) {
  std::vector<float> frequencies(dim / 2);
  for (int64_t i = 0; i < dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dim);
    frequencies[i] = 1.0f / std::pow(static_cast<float>(theta), exponent);
  }
  return frequencies;
}

int64_t OriginalMaxPositions(const ModelConfig& config) {
  return config.rope.original_max_positions > 0 ? config.rope.original_max_positions : config.max_positions;
}

// arXiv 2309.00071, section 3.2: interpolate the slow dimensions, leave the fast ones, blend between.
void ScaleYarn(const ModelConfig& config, std::vector<float>& frequencies) {
  const RopeConfig& rope = config.rope;
  const double dim = static_cast<double>(config.head_dim);
  const double original = static_cast<double>(OriginalMaxPositions(config));
  const auto correction = [&](double rotations) {
    return dim * std::log(original / (rotations * 2 * std::numbers::pi)) / (2 * std::log(rope.theta));
  };
  const double low = std::max(std::floor(correction(rope.beta_fast)), 0.0);
  double high = std::min(std::ceil(correction(rope.beta_slow)), dim - 1);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    const double plain = frequencies[i];
    frequencies[i] = static_cast<float>(plain / rope.factor * ramp + plain * (1 - ramp));
  }
}

void ScaleLlama3(const ModelConfig& config, std::vector<float>& frequencies) {
  const RopeConfig& rope = config.rope;
  const double original = static_cast<double>(OriginalMaxPositions(config));
  for (float& frequency : frequencies) {
    const double wavelength = 2 * std::numbers::pi / frequency;
    if (wavelength < original / rope.high_freq_factor) continue;
    if (wavelength > original / rope.low_freq_factor) {
      frequency = static_cast<float>(frequency / rope.factor);
      continue;
    }
    const double smooth =
        (original / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
    frequency = static_cast<float>((1 - smooth) * frequency / rope.factor + smooth * frequency);
  }
}

}  // namespace

std::vector<float> RopeFrequencies(const ModelConfig& config, int64_t length) {
  const RopeConfig& rope = config.rope;
  double theta = rope.theta;
  if (rope.kind == RopeConfig::Kind::kDynamic) {
    const double limit = static_cast<double>(config.max_positions);
    const double dim = static_cast<double>(config.head_dim);
    const double stretch = rope.factor * std::max<double>(static_cast<double>(length), limit) / limit;
    theta *= std::pow(stretch - (rope.factor - 1), dim / (dim - 2));
  }
  std::vector<float> frequencies = PlainFrequencies(theta, config.head_dim);
  switch (rope.kind) {
    case RopeConfig::Kind::kLinear:
      for (float& frequency : frequencies) frequency /= static_cast<float>(rope.factor);
      break;
    case RopeConfig::Kind::kYarn:
      ScaleYarn(config, frequencies);
      break;
    case RopeConfig::Kind::kLlama3:
      ScaleLlama3(config, frequencies);
      break;
    case RopeConfig::Kind::kDefault:
    case RopeConfig::Kind::kDynamic:
      break;
  }
  return frequencies;
}

float RopeAttentionFactor(const ModelConfig& config) {
  if (config.rope.kind != RopeConfig::Kind::kYarn) return 1.0f;
  if (config.rope.attention_factor.has_value()) return static_cast<float>(*config.rope.attention_factor);
  return config.rope.factor <= 1 ? 1.0f : static_cast<float>(0.1 * std::log(config.rope.factor) + 1.0);
}

Rope::Rope(const ModelConfig& config, int64_t positions)
    : config_(config),
      half_(config.head_dim / 2),
      dynamic_(config.rope.kind == RopeConfig::Kind::kDynamic),
      factor_(RopeAttentionFactor(config)),
      table_(positions * 2 * half_) {
  const std::vector<float> frequencies = RopeFrequencies(config, 0);
  for (int64_t position = 0; position < positions; ++position) {
    FillRow(frequencies, position, table_.data() + position * 2 * half_);
  }
}

void Rope::Compute(int64_t position, int64_t length, std::span<float> row) const {
  FillRow(RopeFrequencies(config_, length), position, row.data());
}

void Rope::FillRow(const std::vector<float>& frequencies, int64_t position, float* row) const {
  for (int64_t i = 0; i < half_; ++i) {
    const float angle = static_cast<float>(position) * frequencies[i];  // in f32, as transformers does
    row[i] = std::cos(angle) * factor_;
    row[half_ + i] = std::sin(angle) * factor_;
  }
}

}  // namespace heterosis
