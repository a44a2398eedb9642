// SPDX-License-Identifier: Apache-2.0
// Implements optimizer.h: the choice of the optimizer by its kind.
#include "coordinator/optimizer/optimizer.h"

#include <utility>

#include "common/base/status.h"
#include "coordinator/optimizer/cma.h"
#include "coordinator/optimizer/cma_margin.h"
#include "coordinator/optimizer/mixed.h"
#include "coordinator/optimizer/options.h"
#include "coordinator/optimizer/random_search.h"
#include "coordinator/optimizer/sep_cma.h"
#include "coordinator/optimizer/snapshot.h"

namespace heterosis {

absl::StatusOr<std::unique_ptr<Optimizer>> MakeOptimizer(const OptimizerOptions& options) {
  ASSIGN_OR_RETURN(OptimizerOptions resolved, ResolveOptions(options));
  switch (resolved.kind) {
    case OptimizerOptions::Kind::kCma:
      return std::make_unique<Cma>(std::move(resolved));
    case OptimizerOptions::Kind::kSepCma:
      return std::make_unique<SepCma>(std::move(resolved));
    case OptimizerOptions::Kind::kCmaMargin:
      return std::make_unique<CmaMargin>(std::move(resolved));
    case OptimizerOptions::Kind::kMixed:
      return std::make_unique<Mixed>(std::move(resolved));
    case OptimizerOptions::Kind::kRandom:
      return std::make_unique<RandomSearch>(std::move(resolved));
  }
  return absl::InternalError("an optimizer kind is not handled");
}

absl::StatusOr<std::unique_ptr<Optimizer>> RestoreOptimizer(const OptimizerOptions& options,
                                                            std::string_view snapshot) {
  ASSIGN_OR_RETURN(OptimizerOptions resolved, ResolveOptions(options));
  ASSIGN_OR_RETURN(SnapshotReader reader, SnapshotReader::Open(snapshot));
  RETURN_IF_ERROR(ReadSameOptions(resolved, reader));
  switch (resolved.kind) {
    case OptimizerOptions::Kind::kCma:
      return Cma::Restore(std::move(resolved), reader);
    case OptimizerOptions::Kind::kSepCma:
      return SepCma::Restore(std::move(resolved), reader);
    case OptimizerOptions::Kind::kCmaMargin:
      return CmaMargin::Restore(std::move(resolved), reader);
    case OptimizerOptions::Kind::kMixed:
      return Mixed::Restore(std::move(resolved), reader);
    case OptimizerOptions::Kind::kRandom:
      return RandomSearch::Restore(std::move(resolved), reader);
  }
  return absl::InternalError("an optimizer kind is not handled");
}

}  // namespace heterosis
