// SPDX-License-Identifier: Apache-2.0
// Whether two answers to one shard agree, and, where some do not, who is wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/trial/trial.h"

namespace heterosis {

// Devices whose answers to the same question are the same text: the same make, whatever its number, as workers tell it:
// "cuda:1 (NVIDIA H100)" -> "cuda (NVIDIA H100)", "cpu (AMD EPYC 9R14)". Processors of different makes may have
// different instruction sets, and round sums differently.
std::string DeviceClass(std::string_view device);

// An answer to a shard, and whose.
struct Answer {
  std::string name;  // of the worker
  std::string device_class;
  ShardResult result;
};

enum class Agreement {
  kEqual,      // one device class, and every answer is the same text
  kTolerated,  // different device classes, and no more judgements differ than rounding explains
  kNone,
};

// Between different device classes sums are rounded differently in the last bits, and greedy decoding then now and then
// takes another token: single judgements (`correct`) flip, honestly, in about one sample of a hundred, and most texts
// of long answers differ somewhere. So only the number of flipped judgements says anything. We take them for honest
// unless that many or more would come up with probability below 1e-9 if each sample flipped with probability 0.03,
// three times what is usual: of 64 samples 15 and more, of 8 samples 5. That is one false alarm in a thousand million
// shards; what it finds is a worker that is grossly wrong. A subtle one is found by its own class, which audits first
// where it is there.
Agreement Compare(const Answer& a, const Answer& b);

// What the answers to one shard, the counted one first, say together.
struct Ruling {
  bool decided = false;
  std::vector<std::string> wrong;  // names; empty: all agree
  bool all_equal = false;          // text for text: nothing is left to doubt
};

// An answer that agrees with none of the others while those agree among themselves is wrong. Two that differ, or three
// that all differ, decide nothing.
Ruling Rule(const std::vector<Answer>& answers);

}  // namespace heterosis
