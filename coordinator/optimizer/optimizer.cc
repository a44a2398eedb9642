// SPDX-License-Identifier: Apache-2.0
// Implements optimizer.h: the choice of the optimizer by its kind.
#include "coordinator/optimizer/optimizer.h"

#include <utility>

#include "common/base/status.h"
#include "coordinator/optimizer/cma.h"
#include "coordinator/optimizer/options.h"
#include "coordinator/optimizer/random_search.h"
#include "coordinator/optimizer/snapshot.h"

namespace heterosis {

absl::StatusOr<std::unique_ptr<Optimizer>> MakeOptimizer(const OptimizerOptions& options) {
  ASSIGN_OR_RETURN(OptimizerOptions resolved, ResolveOptions(options));
  if (resolved.kind == OptimizerOptions::Kind::kRandom) return std::make_unique<RandomSearch>(std::move(resolved));
  return std::make_unique<Cma>(std::move(resolved));
}

absl::StatusOr<std::unique_ptr<Optimizer>> RestoreOptimizer(const OptimizerOptions& options,
                                                            std::string_view snapshot) {
  ASSIGN_OR_RETURN(OptimizerOptions resolved, ResolveOptions(options));
  ASSIGN_OR_RETURN(SnapshotReader reader, SnapshotReader::Open(snapshot));
  RETURN_IF_ERROR(ReadSameOptions(resolved, reader));
  if (resolved.kind == OptimizerOptions::Kind::kRandom) return RandomSearch::Restore(std::move(resolved), reader);
  return Cma::Restore(std::move(resolved), reader);
}

}  // namespace heterosis
