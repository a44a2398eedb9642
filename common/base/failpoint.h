// SPDX-License-Identifier: Apache-2.0
// Named points at which a test kills the process, as kill -9 at that moment would. They are in the programs that are
// shipped, so that what is tested is what runs; without the environment variables each costs one comparison.
#pragma once

#include <string_view>

namespace heterosis {

// HETEROSIS_FAILPOINT="NAME#N": SIGKILL to this process when it passes the point NAME for the N-th time, from 1.
// HETEROSIS_FAILPOINT_TRACE=FILE: a line is appended to FILE for each point that is passed: "NAME".
// Both are read once. Thread-safe. The points: "before WHAT" and "after WHAT" around each commit of coordinator/store,
// where WHAT is stage (W1, W3), shard (W2), failure, audit, rewind, worker, epoch, experiment, finish or reopen.
void Failpoint(std::string_view name);

}  // namespace heterosis
