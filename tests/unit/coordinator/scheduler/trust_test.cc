// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/scheduler/trust: when a worker's answers are computed again.
#include "coordinator/scheduler/trust.h"

#include <gtest/gtest.h>

namespace heterosis {
namespace {

int AuditsOfThousand(int agreements, uint64_t seed) {
  TrustBook book;
  book.Set("a", {.agreements = agreements});
  int audits = 0;
  for (int shard = 0; shard < 1000; ++shard) audits += book.AuditDue("a", seed, shard / 10, shard % 10) ? 1 : 0;
  return audits;
}

TEST(TrustTest, AStrangersShardsAreAllAudited) {
  EXPECT_EQ(AuditsOfThousand(0, 1), 1000);
  EXPECT_EQ(AuditsOfThousand(TrustBook::kTrustedAfter - 1, 1), 1000);
  EXPECT_TRUE(TrustBook().AuditDue("never heard of", 1, 1, 1));
}

TEST(TrustTest, ATrustedWorkersAuditsGrowRare) {
  // Binomial: 100 +- 9.5 and 10 +- 3.1.
  EXPECT_NEAR(AuditsOfThousand(TrustBook::kTrustedAfter, 1), 100, 40);
  EXPECT_NEAR(AuditsOfThousand(100, 1), 10, 10);
}

TEST(TrustTest, TheDrawIsReproducibleAndDependsOnSeedTrialAndShard) {
  TrustBook book;
  book.Set("a", {.agreements = 10});
  int differ_by_seed = 0, differ_by_trial = 0;
  for (int shard = 0; shard < 200; ++shard) {
    EXPECT_EQ(book.AuditDue("a", 1, 5, shard), book.AuditDue("a", 1, 5, shard));
    differ_by_seed += book.AuditDue("a", 1, 5, shard) != book.AuditDue("a", 2, 5, shard) ? 1 : 0;
    differ_by_trial += book.AuditDue("a", 1, 5, shard) != book.AuditDue("a", 1, 6, shard) ? 1 : 0;
  }
  EXPECT_GT(differ_by_seed, 0);
  EXPECT_GT(differ_by_trial, 0);
}

TEST(TrustTest, TrustGoesByName) {
  TrustBook book;
  book.Set("a", {.agreements = 10});
  EXPECT_TRUE(book.IsTrusted("a"));
  EXPECT_FALSE(book.IsTrusted("b"));
  book.Set("a", {.agreements = 0, .quarantined = true, .reason = "wrong"});
  EXPECT_FALSE(book.IsTrusted("a"));
  EXPECT_TRUE(book.Of("a").quarantined);
}

}  // namespace
}  // namespace heterosis
