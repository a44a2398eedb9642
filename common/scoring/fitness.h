// SPDX-License-Identifier: Apache-2.0
// What a set of judged answers says about a model: its accuracy, how sure that is, and how two models compare.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/trial/trial.h"

namespace heterosis {

// The share of correct answers, in [0, 1]; 0 for none.
double Accuracy(std::span<const SampleResult> samples);

struct Interval {
  double low = 0;
  double high = 1;
  bool operator==(const Interval&) const = default;
};

// Wilson's score interval (1927) at 95% for `correct` of `total`; [0, 1] where total is 0. Unlike the normal
// approximation it stays within [0, 1] and has a width at 0 and 1.
Interval WilsonInterval(int correct, int total);

// Indexes of the scores from the best to the worst; equal scores keep their order and NaN comes last.
std::vector<size_t> RankScores(std::span<const double> scores);

// Two models on the same samples: where just one of them is right.
struct PairedComparison {
  int only_first = 0;
  int only_second = 0;
  double p_value = 1;  // of so uneven a split between equally good models: exact two-sided McNemar test
};

// `first` and `second` hold results of the same samples in the same order; programmer error otherwise.
PairedComparison ComparePaired(std::span<const SampleResult> first, std::span<const SampleResult> second);

}  // namespace heterosis
