// SPDX-License-Identifier: Apache-2.0
// Implements trust.h.
#include "coordinator/scheduler/trust.h"

#include "common/base/random.h"

namespace heterosis {

Standing TrustBook::Of(const std::string& name) const {
  const auto standing = standings_.find(name);
  return standing == standings_.end() ? Standing{} : standing->second;
}

bool TrustBook::AuditDue(const std::string& name, uint64_t seed, int64_t trial, int shard) const {
  const int agreements = Of(name).agreements;
  if (agreements < kTrustedAfter) return true;
  RandomStream stream(RandomKey({HashText("audit"), seed, static_cast<uint64_t>(trial), static_cast<uint64_t>(shard)}));
  return stream.NextUniform() * agreements < 1;
}

}  // namespace heterosis
