// SPDX-License-Identifier: Apache-2.0
// The worker's side of the protocol: typed calls with deadlines over one gRPC channel. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "common/trial/canary.h"
#include "common/trial/task.h"
#include "common/trial/trial.h"
#include "proto/channel.h"

namespace heterosis {

struct ModelIdentity {
  std::string name;
  std::string digest;
};

struct Registration {
  std::string session;
  std::string experiment;
  std::string run;                    // of the experiment: what is leased now belongs to it
  std::vector<ModelIdentity> models;  // what the coordinator has
  Task task;
  std::chrono::milliseconds heartbeat_interval{0};
};

// What a lease call brought: work, or the wish to be asked again, or the end.
struct AskAgain {};
struct Finished {};
using LeaseAnswer = std::variant<ShardWork, AskAgain, Finished, CanaryWork>;

// What a shard is leased under: the session may change while it is held, the run must not.
struct LeaseHolder {
  std::string session;
  std::string run;
};

// Errors carry gRPC's code: UNAVAILABLE and DEADLINE_EXCEEDED are worth a retry, NOT_FOUND asks for a new registration,
// FAILED_PRECONDITION, UNAUTHENTICATED and PERMISSION_DENIED are final, INVALID_ARGUMENT to a report says that this one
// will never be taken.
class CoordinatorClient {
 public:
  virtual ~CoordinatorClient() = default;
  virtual absl::StatusOr<Registration> Register(const std::string& worker, const std::string& device) = 0;
  // `device_error`: something happened since the last lease that makes this worker doubt its device.
  virtual absl::StatusOr<LeaseAnswer> Lease(const std::string& session, const std::vector<ModelIdentity>& models,
                                            std::chrono::milliseconds wait, bool device_error = false) = 0;
  // Returns the keys that the coordinator wants dropped.
  virtual absl::StatusOr<std::vector<ShardKey>> Heartbeat(const LeaseHolder& holder,
                                                          const std::vector<ShardKey>& holding) = 0;
  // False: not counted, because another report of the shard was, or the coordinator now serves another run.
  virtual absl::StatusOr<bool> Report(const LeaseHolder& holder, const ShardResult& result) = 0;
  virtual absl::StatusOr<bool> Report(const LeaseHolder& holder, const ShardFailure& failure) = 0;
  virtual absl::StatusOr<bool> Report(const LeaseHolder& holder, const CanaryResult& canary) = 0;
};

// `address` is HOST:PORT. Connects lazily and again whenever needed. Errors are those of Dial (proto/channel.h).
absl::StatusOr<std::unique_ptr<CoordinatorClient>> MakeCoordinatorClient(const std::string& address,
                                                                         const ClientSecurity& security = {});

}  // namespace heterosis
