// SPDX-License-Identifier: Apache-2.0
// Domain structs to messages and back. The only place that knows both; a message from the network is checked here.
#pragma once

#include "absl/status/statusor.h"
#include "common/genome/recipe.h"
#include "common/trial/canary.h"
#include "common/trial/task.h"
#include "common/trial/trial.h"
#include "heterosis/v1/recipe.pb.h"
#include "heterosis/v1/trial.pb.h"

namespace heterosis {

// Of proto/heterosis/v1/worker_service.proto; a worker of another version gets no work.
inline constexpr uint32_t kProtocolVersion = 1;

// The largest report that the coordinator takes and a worker sends.
inline constexpr int kReportBytesMax = 32 << 20;

v1::Recipe ToWire(const Recipe& recipe);
v1::ShardKey ToWire(const ShardKey& key);
v1::ShardWork ToWire(const ShardWork& work);
v1::ShardResult ToWire(const ShardResult& result);
v1::ShardFailure ToWire(const ShardFailure& failure);
v1::TaskSpec ToWire(const Task& task);
v1::CanaryWork ToWire(const CanaryWork& work);
v1::CanaryResult ToWire(const CanaryResult& result);

// INVALID_ARGUMENT where a message has a value that no domain struct can have; FAILED_PRECONDITION for another recipe
// version.
absl::StatusOr<Recipe> FromWire(const v1::Recipe& message);
ShardKey FromWire(const v1::ShardKey& message);
absl::StatusOr<ShardWork> FromWire(const v1::ShardWork& message);
absl::StatusOr<ShardResult> FromWire(const v1::ShardResult& message);
absl::StatusOr<ShardFailure> FromWire(const v1::ShardFailure& message);
absl::StatusOr<Task> FromWire(const v1::TaskSpec& message);
absl::StatusOr<CanaryWork> FromWire(const v1::CanaryWork& message);
absl::StatusOr<CanaryResult> FromWire(const v1::CanaryResult& message);

}  // namespace heterosis
