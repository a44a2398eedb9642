// SPDX-License-Identifier: Apache-2.0
// Implements dfs_space.h.
#include "common/genome/dfs_space.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <set>

#include "absl/strings/str_format.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr int kSlotsMax = 100'000;
constexpr double kIndicatorRange = 3;  // on either side of zero, in starting standard deviations

absl::Status CheckOptions(const DfsSpaceOptions& options) {
  if (options.names.size() < 2 || options.names.size() != options.layers.size()) {
    return absl::InvalidArgumentError("a path needs at least two models");
  }
  int64_t layers = 0;
  for (const int count : options.layers) {
    if (count < 1) return absl::InvalidArgumentError("a model without layers");
    layers += count;
  }
  if (options.repeats < 1 || layers * options.repeats > kSlotsMax) {
    return absl::InvalidArgumentError(absl::StrCat("repeats is ", options.repeats, "; it must be at least 1, and ",
                                                   kSlotsMax, " slots (", layers, " layers x repeats) are the most"));
  }
  if (options.scales != HopScales::kNone &&
      !(std::isfinite(options.scale_low) && std::isfinite(options.scale_high) &&
        options.scale_low <= options.scale_start && options.scale_start <= options.scale_high &&
        options.scale_low < options.scale_high)) {
    return absl::InvalidArgumentError(absl::StrCat("scale: [", options.scale_low, ", ", options.scale_high,
                                                   "] is no range round its start, ", options.scale_start));
  }
  for (const double mean : {options.include_first, options.include_rest}) {
    if (std::abs(mean) <= kIndicatorRange) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("an indicator cannot start at ", mean, " standard deviations; at most 3 on either side"));
  }
  if (options.max_hops < 0 || options.max_distinct_layers < 0) {
    return absl::InvalidArgumentError("max_hops and max_distinct_layers must not be negative");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DfsSpace> DfsSpace::Create(DfsSpaceOptions options) {
  RETURN_IF_ERROR(CheckOptions(options));
  DfsSpace space(std::move(options));
  for (size_t part = 0; part < space.options_.layers.size(); ++part) {
    for (int layer = 0; layer < space.options_.layers[part]; ++layer) {
      space.places_.push_back({static_cast<int>(part), layer});
    }
  }
  space.MakeGenes();
  return space;
}

void DfsSpace::SetParts(std::vector<Recipe> parts, std::string tokenizer) {
  assert(parts.size() == options_.names.size());
  parts_ = std::move(parts);
  tokenizer_ = std::move(tokenizer);
}

void DfsSpace::MakeGenes() {
  const auto layer_name = [this](int place) {
    const Place& at = places_[static_cast<size_t>(place)];
    return absl::StrCat(options_.names[static_cast<size_t>(at.part)], ".", at.layer);
  };
  const int layers = layers_in_all();
  for (int slot = 0; slot < slots(); ++slot) {
    const bool first_pass_of_a = slot < options_.layers[0];
    genes_.push_back({absl::StrCat("slot.", slot, ".", layer_name(slot % layers), "/include"), -kIndicatorRange,
                      kIndicatorRange, first_pass_of_a ? options_.include_first : options_.include_rest});
  }
  const auto add_scale = [this](std::string name) {
    genes_.push_back({std::move(name), options_.scale_low, options_.scale_high, options_.scale_start});
  };
  if (options_.scales == HopScales::kSlot) {
    for (int slot = 0; slot < slots(); ++slot) add_scale(absl::StrCat("slot.", slot, "/scale"));
  } else if (options_.scales == HopScales::kMatrix) {
    for (int from = 0; from < layers; ++from) {
      for (int to = 0; to < layers; ++to) {
        add_scale(absl::StrCat(layer_name(from), "-", layer_name(to), "/scale"));
      }
    }
  }
}

std::vector<int> DfsSpace::SlotsOfPath(std::span<const double> genome) const {
  const int layers = layers_in_all();
  const int last_of_a = options_.layers[0] - 1;
  std::vector<int> path;
  for (int slot = 0; slot < slots(); ++slot) {
    if (genome[static_cast<size_t>(slot)] > 0) path.push_back(slot);
  }
  if (path.empty() || path.front() % layers != 0) path.insert(path.begin(), 0);
  if (path.back() % layers != last_of_a) path.push_back(slots() - layers + last_of_a);
  return path;
}

int DfsSpace::ScaleGene(int slot, int slot_before) const {
  const int layers = layers_in_all();
  switch (options_.scales) {
    case HopScales::kNone:
      return -1;
    case HopScales::kSlot:
      return slots() + slot;
    case HopScales::kMatrix:
      break;
  }
  return slot_before < 0 ? -1 : slots() + slot_before % layers * layers + slot % layers;
}

Recipe DfsSpace::Decode(std::span<const double> genome) const {
  assert(genome.size() == genes_.size());
  Recipe recipe;
  recipe.tokenizer = tokenizer_;
  recipe.out_dtype = options_.out_dtype;
  recipe.scale_applies_to = options_.scale_applies_to;
  recipe.parts = parts_;
  int before = -1;
  for (const int slot : SlotsOfPath(genome)) {
    const Place& at = places_[static_cast<size_t>(slot % layers_in_all())];
    const int scale = ScaleGene(slot, before);
    recipe.path.push_back({at.part, at.layer, scale < 0 ? 1.0 : genome[static_cast<size_t>(scale)]});
    before = slot;
  }
  return recipe;
}

std::string DfsSpace::Infeasible(const Recipe& recipe) const {
  const int hops = static_cast<int>(recipe.path.size());
  if (options_.max_hops > 0 && hops > options_.max_hops) {
    return absl::StrFormat("%d hops, at most %d are allowed", hops, options_.max_hops);
  }
  std::set<std::pair<int, int>> distinct;
  for (const Hop& hop : recipe.path) distinct.insert({hop.part, hop.layer});
  if (options_.max_distinct_layers > 0 && static_cast<int>(distinct.size()) > options_.max_distinct_layers) {
    return absl::StrFormat("%d distinct layers, at most %d are allowed", distinct.size(), options_.max_distinct_layers);
  }
  return "";
}

std::vector<KnownPoint> DfsSpace::KnownPoints() const {
  const bool unscaled = options_.scales == HopScales::kNone || (options_.scale_low <= 1 && 1 <= options_.scale_high);
  if (!unscaled) return {};
  std::vector<double> genome(genes_.size(), 1.0);  // also the scales
  for (int slot = 0; slot < slots(); ++slot) genome[static_cast<size_t>(slot)] = slot < options_.layers[0] ? 2 : -2;
  return {{options_.names[0], std::move(genome)}};
}

void DfsSpace::MarkActive(std::span<const double> genome, std::span<char> active) const {
  std::fill(active.begin() + slots(), active.end(), char{0});
  int before = -1;
  for (const int slot : SlotsOfPath(genome)) {
    if (const int scale = ScaleGene(slot, before); scale >= 0) active[static_cast<size_t>(scale)] = 1;
    before = slot;
  }
}

void DfsSpace::Mutate(std::span<double> genome, RandomStream& random) const {
  constexpr int kRunMax = 4;
  const auto take = [&](int slot, bool in) {
    genome[static_cast<size_t>(slot)] = in ? kIndicatorRange : -kIndicatorRange;
  };
  const auto any_slot = [&] { return static_cast<int>(random.NextBelow(static_cast<uint64_t>(slots()))); };
  const auto any_taken = [&] {
    std::vector<int> taken;
    for (int slot = 0; slot < slots(); ++slot) {
      if (genome[static_cast<size_t>(slot)] > 0) taken.push_back(slot);
    }
    return taken.empty() ? 0 : taken[random.NextBelow(taken.size())];
  };
  const int run = 1 + static_cast<int>(random.NextBelow(kRunMax));
  switch (random.NextBelow(5)) {
    case 0:
      take(any_slot(), true);
      break;
    case 1:
      take(any_taken(), false);
      break;
    case 2:
      take(any_taken(), false);
      take(any_slot(), true);
      break;
    case 3: {
      const int from = any_taken() + layers_in_all();
      for (int slot = from; slot < std::min(from + run, slots()); ++slot) take(slot, true);
      break;
    }
    default: {
      const int from = any_taken();
      for (int slot = from; slot < std::min(from + run, slots()); ++slot) take(slot, false);
    }
  }
}

std::string PathText(const Recipe& recipe) {
  std::string text;
  for (const Hop& hop : recipe.path) {
    if (!text.empty()) text += ' ';
    if (hop.scale != 1) absl::StrAppendFormat(&text, "x%.2f ", hop.scale);
    absl::StrAppendFormat(&text, "%c%02d", static_cast<char>('A' + hop.part % 26), hop.layer);
  }
  return text;
}

}  // namespace heterosis
