// SPDX-License-Identifier: Apache-2.0
// A worker's life: register, lease a shard, run it while heartbeats keep the lease, report, again; through restarts of
// the coordinator, until it says that the experiment is finished. Between shards it answers canaries. What is finished
// while no coordinator takes it is kept on disk, and delivered by whoever registers next for that run.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "worker/evaluate/trial_runner.h"
#include "worker/session/coordinator_client.h"

namespace heterosis {

struct SessionOptions {
  std::string worker_name;
  std::string device;  // and its make: "cpu (AMD EPYC 9R14)", "cuda:0 (NVIDIA H100)"
  ModelFolders models;
  std::string coordinator;  // HOST:PORT, as the spool tells it
  std::string spool;        // the spool's folder; empty: nothing is kept
  // Gives up when the coordinator cannot be reached for this long.
  std::chrono::milliseconds unreachable_max{10 * 60 * 1000};
  // Pauses between tries: the first, doubled each time up to the last.
  std::chrono::milliseconds retry_first{200};
  std::chrono::milliseconds retry_last{5'000};
};

// Blocks. OK when the experiment is finished or `stop` became true (a shard in work is then given back);
// FAILED_PRECONDITION when the coordinator will not have this worker, UNAVAILABLE when it stayed unreachable or the
// runner can compute nothing any more; what Spool::Open says of a spool that cannot be used.
// `runner` is used from a thread of its own, one shard at a time.
absl::Status RunSession(const SessionOptions& options, CoordinatorClient& client, TrialRunner& runner,
                        const std::atomic<bool>& stop);

}  // namespace heterosis
