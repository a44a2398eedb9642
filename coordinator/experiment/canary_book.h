// SPDX-License-Identifier: Apache-2.0
// The answers to an experiment's canary: which of them is the reference, and who is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/trial/canary.h"
#include "coordinator/store/records.h"

namespace heterosis {

// What an answer leads to.
struct CanaryRuling {
  CanaryRecord record;             // of the answer, to be stored
  std::vector<std::string> wrong;  // names of workers that are shown to compute wrongly: to be quarantined
  std::string reason;              // of that
  std::string differs_from;        // where it waits: the name of the worker who gave the reference
};

// Rules, by names of workers. The first answer is the reference; nothing confirms it yet, and its worker may work: a
// run with one worker must go on. An answer that agrees with it, of another worker, confirms it for good. Who differs
// from a confirmed reference, or from an answer of its own that is part of one, is wrong. Who differs from an
// unconfirmed one waits: either of the two may be wrong, and a third decides. It confirms the reference, and all that
// wait are wrong, or it agrees with one that waits: then that answer becomes the reference, and whoever differs from it
// is wrong. Where a worker that alone stands for the reference turns out wrong, the first answer that waits takes its
// place.
//
// Thread-compatible; no I/O. A copy is cheap: try an answer on one, store what it says, then keep the copy.
class CanaryBook {
 public:
  CanaryBook() = default;
  explicit CanaryBook(const CanaryTolerance& tolerance) : tolerance_(tolerance) {}
  // As it was after these, in the order of their ids.
  CanaryBook(const CanaryTolerance& tolerance, const std::vector<CanaryRecord>& records);

  // Takes the answer of a worker that is not quarantined. One with a failure only gets a number.
  CanaryRuling Add(const std::string& name, const CanaryResult& result);
  // A worker that was quarantined, for whatever reason: what it alone says counts no more.
  void Remove(const std::string& name);

  bool is_confirmed() const { return confirmed_; }
  std::set<std::string> waiting() const;

 private:
  struct Entry {
    int64_t canary = 0;
    std::string name;
    CanaryResult result;
  };
  CanaryRuling Agree(CanaryRuling ruling);
  CanaryRuling Differ(CanaryRuling ruling, const std::string& why);

  CanaryTolerance tolerance_;
  int64_t last_ = 0;  // number of an answer
  std::optional<Entry> reference_;
  bool confirmed_ = false;
  std::set<std::string> supporters_;  // names whose answers agree with the reference
  std::vector<Entry> waiting_;        // one of each name, in their order; they differ from the reference and another
};

}  // namespace heterosis
