// SPDX-License-Identifier: Apache-2.0
// Options of an optimizer: their defaults and checks, and their form in a snapshot.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/optimizer/box.h"
#include "coordinator/optimizer/optimizer.h"
#include "coordinator/optimizer/snapshot.h"

namespace heterosis {

// `options` with every default filled in (population, step size, max_resampling) and the injected points clipped;
// InvalidArgument where an option is out of range or options contradict each other.
absl::StatusOr<OptimizerOptions> ResolveOptions(OptimizerOptions options);

Box BoxOf(const OptimizerOptions& resolved);

// What every snapshot begins with.
void WriteOptions(const OptimizerOptions& resolved, SnapshotWriter& writer);

// Reads what WriteOptions wrote and compares it with `resolved`; FailedPrecondition names each difference.
absl::Status ReadSameOptions(const OptimizerOptions& resolved, SnapshotReader& reader);

}  // namespace heterosis
