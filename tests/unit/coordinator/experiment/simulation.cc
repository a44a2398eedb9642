// SPDX-License-Identifier: Apache-2.0
// Implements simulation.h.
#include "tests/unit/coordinator/experiment/simulation.h"

#include "common/base/random.h"
#include "common/base/status.h"

namespace heterosis {

absl::Status SimulatedRun::Start() {
  Kill();
  ASSIGN_OR_RETURN(store_, Store::Open({.path = path_, .commit_hook = commit_hook}));
  ASSIGN_OR_RETURN(experiment_, Experiment::Open(setup, *store_, clock));
  ++starts_;
  return absl::OkStatus();
}

void SimulatedRun::Kill() {
  experiment_.reset();
  store_.reset();
}

std::string SimulatedRun::Join(const std::string& name, const std::string& device) {
  const std::string session = absl::StrCat("start-", starts_, "-", name);
  EXPECT_TRUE(experiment_->RegisterWorker({session, name, device}).ok());
  return session;
}

absl::Status SimulatedRun::RunToEnd(int workers, uint64_t order_seed, const Evaluator& evaluate) {
  std::vector<std::string> sessions;
  for (int i = 0; i < workers; ++i) {
    const std::string name = absl::StrCat("worker ", i);
    sessions.push_back(absl::StrCat("start-", starts_, "-", name));
    RETURN_IF_ERROR(experiment_->RegisterWorker({sessions.back(), name, "cpu"}));
  }
  std::vector<std::optional<ShardWork>> held(sessions.size());
  RandomStream order(RandomKey({order_seed}));
  for (int step = 0; !experiment_->finished(); ++step) {
    if (step > 10'000) return absl::DeadlineExceededError("the experiment does not come to its end");
    const size_t i = order.NextBelow(sessions.size());
    if (held[i].has_value()) {
      RETURN_IF_ERROR(experiment_->Report(sessions[i], evaluate(*held[i])).status());
      held[i].reset();
    } else {
      ASSIGN_OR_RETURN(held[i], experiment_->Lease(sessions[i]));
      // Nobody has anything to do: what is waited for comes with time.
      const auto idle = [](const auto& work) { return !work.has_value(); };
      if (!std::all_of(held.begin(), held.end(), idle)) continue;
      clock.Advance(std::chrono::milliseconds(100));
      RETURN_IF_ERROR(experiment_->Tick());
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> SimulatedRun::Query(const std::string& sql) const {
  absl::StatusOr<std::vector<std::string>> rows = QueryDatabase(path_, sql);
  EXPECT_TRUE(rows.ok()) << rows.status();
  return rows.ok() ? *std::move(rows) : std::vector<std::string>();
}

std::string SimulatedRun::Contents() const {
  absl::StatusOr<std::string> contents = DatabaseContents(path_);
  EXPECT_TRUE(contents.ok()) << contents.status();
  return contents.ok() ? *std::move(contents) : std::string();
}

}  // namespace heterosis
