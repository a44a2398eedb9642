// SPDX-License-Identifier: Apache-2.0
// Ranks a generation: valid candidates by falling fitness, then the invalid ones; ties by candidate index.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "coordinator/optimizer/optimizer.h"

namespace heterosis {

// False also for a fitness that is NaN or infinite.
bool IsValid(const Evaluation& evaluation);

// The candidates' indices, best first.
std::vector<size_t> Ranking(std::span<const Evaluation> evaluations);

}  // namespace heterosis
