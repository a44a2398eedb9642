// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/scheduler/agreement: which answers agree, and who is wrong where they do not.
#include "coordinator/scheduler/agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/random.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// An answer of `samples` right ones, the first `flipped` of them wrong.
Answer Given(const std::string& name, const std::string& device_class, int samples, int flipped = 0,
             const std::string& text = "so") {
  Answer answer{name, device_class, {}};
  for (int i = 0; i < samples; ++i) {
    answer.result.samples.push_back({.sample = i, .correct = i >= flipped, .text = text});
  }
  return answer;
}

TEST(AgreementTest, ADeviceClassIsTheDeviceWithoutItsNumber) {
  EXPECT_EQ(DeviceClass("cpu"), "cpu");
  EXPECT_EQ(DeviceClass("cuda:11"), "cuda");
  EXPECT_EQ(DeviceClass("cpu (AMD EPYC 9R14)"), "cpu (AMD EPYC 9R14)");
  EXPECT_EQ(DeviceClass("cuda:3 (NVIDIA H100)"), "cuda (NVIDIA H100)");
  EXPECT_EQ(DeviceClass("cuda:H100"), "cuda:H100");
  EXPECT_EQ(DeviceClass(""), "");
}

TEST(AgreementTest, OnOneDeviceClassAnswersAgreeTextForText) {
  EXPECT_EQ(Compare(Given("a", "cpu", 8), Given("b", "cpu", 8)), Agreement::kEqual);
  EXPECT_EQ(Compare(Given("a", "cpu", 8), Given("b", "cpu", 8, 1)), Agreement::kNone);
  EXPECT_EQ(Compare(Given("a", "cpu", 8), Given("b", "cpu", 8, 0, "else")), Agreement::kNone);
}

TEST(AgreementTest, TimesDoNotMatter) {
  Answer slow = Given("b", "cpu", 8);
  slow.result.decode_seconds = 100;
  slow.result.key = {1, 2, 3};
  EXPECT_EQ(Compare(Given("a", "cpu", 8), slow), Agreement::kEqual);
}

TEST(AgreementTest, AcrossDeviceClassesAFewJudgementsMayDiffer) {
  EXPECT_EQ(Compare(Given("a", "cpu", 64), Given("b", "cuda", 64, 0, "other words")), Agreement::kTolerated);
  EXPECT_EQ(Compare(Given("a", "cpu", 64), Given("b", "cuda", 64, 14)), Agreement::kTolerated);
  EXPECT_EQ(Compare(Given("a", "cpu", 64), Given("b", "cuda", 64, 15)), Agreement::kNone);
  EXPECT_EQ(Compare(Given("a", "cpu", 64), Given("b", "cuda", 63)), Agreement::kNone);
  EXPECT_EQ(Compare(Given("a", "cpu", 2), Given("b", "cuda", 2, 2)), Agreement::kTolerated) << "two say nothing";
}

TEST(AgreementTest, HonestMixturesGiveNoFalseAlarm) {
  RandomStream random(RandomKey({5}));
  for (int shard = 0; shard < 20'000; ++shard) {
    Answer cpu = Given("a", "cpu", 32), cuda = Given("b", "cuda", 32, 0, "other words");
    for (SampleResult& sample : cuda.result.samples) sample.correct = random.NextUniform() >= 0.01;
    ASSERT_EQ(Compare(cpu, cuda), Agreement::kTolerated);
  }
}

TEST(AgreementTest, TwoThatDifferDecideNothing) {
  EXPECT_FALSE(Rule({Given("a", "cpu", 8), Given("b", "cpu", 8, 1)}).decided);
  EXPECT_FALSE(Rule({Given("a", "cpu", 8), Given("b", "cpu", 8, 1), Given("c", "cpu", 8, 2)}).decided);
  EXPECT_FALSE(Rule({Given("a", "cpu", 8)}).decided);
}

TEST(AgreementTest, AThirdDecides) {
  const Ruling first_wrong = Rule({Given("a", "cpu", 8, 1), Given("b", "cpu", 8), Given("c", "cpu", 8)});
  EXPECT_TRUE(first_wrong.decided);
  EXPECT_THAT(first_wrong.wrong, ElementsAre("a"));
  EXPECT_FALSE(first_wrong.all_equal);
  EXPECT_THAT(Rule({Given("a", "cpu", 8), Given("b", "cpu", 8, 1), Given("c", "cpu", 8)}).wrong, ElementsAre("b"));
}

TEST(AgreementTest, EqualAnswersLeaveNoDoubtToleratedOnesDo) {
  const Ruling equal = Rule({Given("a", "cpu", 8), Given("b", "cpu", 8)});
  EXPECT_TRUE(equal.decided && equal.all_equal);
  EXPECT_THAT(equal.wrong, IsEmpty());
  const Ruling tolerated = Rule({Given("a", "cpu", 8, 1), Given("b", "cuda", 8)});
  EXPECT_TRUE(tolerated.decided && !tolerated.all_equal);
  EXPECT_THAT(tolerated.wrong, IsEmpty());
}

TEST(AgreementTest, AThirdOfAnotherClassMayClearBoth) {
  // The first two differ by more than rounding between their classes does; the third is near to both.
  const Ruling ruling = Rule({Given("a", "cpu", 64), Given("b", "cuda", 64, 20), Given("c", "rocm", 64, 10)});
  EXPECT_TRUE(ruling.decided);
  EXPECT_THAT(ruling.wrong, IsEmpty());
}

}  // namespace
}  // namespace heterosis
