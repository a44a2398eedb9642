// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/experiment/canary_book: the reference, who waits and who is wrong, and that the stored answers
// give the same book.
#include "coordinator/experiment/canary_book.h"

#include <gmock/gmock.h>

#include "common/base/random.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr CanaryTolerance kTolerance{.absolute = 0.1F, .relative = 0};

// Answers that differ by a whole unit are different ones.
CanaryResult Result(float kind) {
  return {.answers = {{{{7, 10 + kind}, {8, 9}}}}};
}

TEST(CanaryBookTest, TheFirstAnswerIsTheReferenceAndAnotherWorkerConfirmsIt) {
  CanaryBook book(kTolerance);
  const CanaryRuling first = book.Add("a", Result(0));
  EXPECT_EQ(first.record.outcome, CanaryOutcome::kGood);
  EXPECT_EQ(first.record.canary, 1);
  EXPECT_EQ(first.record.reference, 1);
  EXPECT_EQ(book.Add("a", Result(0.05F)).record.reference, 1);
  EXPECT_FALSE(book.is_confirmed()) << "a worker does not confirm itself";
  EXPECT_TRUE(book.Add("b", Result(0)).record.confirmed);
  EXPECT_TRUE(book.is_confirmed());
}

TEST(CanaryBookTest, WhoDiffersFromAConfirmedReferenceIsWrong) {
  CanaryBook book(kTolerance);
  (void)book.Add("a", Result(0));
  (void)book.Add("b", Result(0));
  const CanaryRuling ruling = book.Add("c", Result(1));
  EXPECT_EQ(ruling.record.outcome, CanaryOutcome::kWrong);
  EXPECT_THAT(ruling.wrong, ElementsAre("c"));
  EXPECT_THAT(ruling.reason, HasSubstr("problem 0"));
  EXPECT_THAT(book.Add("a", Result(1)).wrong, ElementsAre("a")) << "also one that was right before";
  EXPECT_TRUE(book.is_confirmed());
  EXPECT_EQ(book.Add("d", Result(0)).record.outcome, CanaryOutcome::kGood);
}

TEST(CanaryBookTest, OfTwoThatDifferTheSecondWaitsAndAThirdDecidesForTheFirst) {
  CanaryBook book(kTolerance);
  (void)book.Add("a", Result(0));
  const CanaryRuling waits = book.Add("b", Result(1));
  EXPECT_EQ(waits.record.outcome, CanaryOutcome::kWaits);
  EXPECT_EQ(waits.differs_from, "a");
  EXPECT_THAT(waits.wrong, IsEmpty());
  EXPECT_THAT(book.waiting(), ElementsAre("b"));
  const CanaryRuling third = book.Add("c", Result(0));
  EXPECT_EQ(third.record.outcome, CanaryOutcome::kGood);
  EXPECT_THAT(third.wrong, ElementsAre("b"));
  EXPECT_THAT(book.waiting(), IsEmpty());
}

TEST(CanaryBookTest, AThirdThatAgreesWithTheSecondMakesItTheReference) {
  CanaryBook book(kTolerance);
  (void)book.Add("a", Result(0));
  (void)book.Add("b", Result(1));
  (void)book.Add("odd", Result(2));
  const CanaryRuling third = book.Add("c", Result(1));
  EXPECT_EQ(third.record.reference, 2);
  EXPECT_TRUE(third.record.confirmed);
  EXPECT_THAT(third.wrong, UnorderedElementsAre("a", "odd"));
  EXPECT_EQ(book.Add("d", Result(1)).record.outcome, CanaryOutcome::kGood);
}

TEST(CanaryBookTest, WhoContradictsItselfIsWrongAndTheOneThatWaitsTakesItsPlace) {
  CanaryBook book(kTolerance);
  (void)book.Add("a", Result(0));
  (void)book.Add("b", Result(1));
  EXPECT_THAT(book.Add("a", Result(2)).wrong, ElementsAre("a"));
  EXPECT_THAT(book.waiting(), IsEmpty());
  EXPECT_EQ(book.Add("c", Result(1)).record.reference, 2);
}

TEST(CanaryBookTest, AnUnconfirmedReferenceGoesWithItsWorkerAConfirmedOneStays) {
  CanaryBook book(kTolerance);
  (void)book.Add("a", Result(0));
  book.Remove("a");
  EXPECT_EQ(book.Add("b", Result(1)).record.reference, 2) << "the next answer is the reference";
  (void)book.Add("c", Result(1));
  book.Remove("b");
  EXPECT_THAT(book.Add("d", Result(0)).wrong, ElementsAre("d"));
}

TEST(CanaryBookTest, AFailureSaysNothing) {
  CanaryBook book(kTolerance);
  const CanaryRuling failed = book.Add("a", {.failure = FailureClass::kCrash, .message = "it died"});
  EXPECT_EQ(failed.record.outcome, CanaryOutcome::kFailed);
  EXPECT_EQ(failed.record.message, "it died");
  EXPECT_EQ(book.Add("b", Result(1)).record.reference, 2);
}

// Any history: a book read from what was stored, without those quarantined, rules as the one that lived through it.
TEST(CanaryBookTest, WhatIsStoredGivesTheSameBook) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    RandomStream dice(RandomKey({HashText("book"), seed}));
    CanaryBook book(kTolerance);
    std::vector<CanaryRecord> records;
    std::set<std::string> quarantined;
    for (int step = 0; step < 12; ++step) {
      const std::string name(1, static_cast<char>('a' + dice.NextBelow(6)));
      if (quarantined.contains(name)) continue;
      if (dice.NextBelow(10) == 0) {  // it lost an audit
        quarantined.insert(name);
        book.Remove(name);
        continue;
      }
      CanaryBook again(kTolerance, records);
      for (const std::string& gone : quarantined) again.Remove(gone);
      ASSERT_EQ(again.waiting(), book.waiting());
      ASSERT_EQ(again.is_confirmed(), book.is_confirmed());
      const CanaryResult result = Result(static_cast<float>(dice.NextBelow(3)));
      const CanaryRuling expected = book.Add(name, result), ruling = again.Add(name, result);
      ASSERT_EQ(ruling.record.canary, expected.record.canary);
      ASSERT_EQ(ruling.record.outcome, expected.record.outcome);
      ASSERT_EQ(ruling.record.reference, expected.record.reference);
      ASSERT_EQ(std::set<std::string>(ruling.wrong.begin(), ruling.wrong.end()),
                std::set<std::string>(expected.wrong.begin(), expected.wrong.end()));
      records.push_back(expected.record);
      for (const std::string& wrong : expected.wrong) {
        quarantined.insert(wrong);
        book.Remove(wrong);
      }
    }
  }
}

}  // namespace
}  // namespace heterosis
