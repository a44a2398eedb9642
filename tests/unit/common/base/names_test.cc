// SPDX-License-Identifier: Apache-2.0
// Tables of names: both ways, and what is said of an unknown one.
#include "common/base/names.h"

#include "gtest/gtest.h"

namespace heterosis {
namespace {

enum class Fruit { kApple, kPear, kQuince };
constexpr std::array kFruits = {Named<Fruit>{Fruit::kApple, "apple"}, Named<Fruit>{Fruit::kPear, "pear"}};

TEST(Names, GoBothWays) {
  EXPECT_EQ(NameIn(kFruits, Fruit::kPear), "pear");
  EXPECT_EQ(ValueIn(kFruits, "fruit", "apple").value(), Fruit::kApple);
}

TEST(Names, UnknownOnesAreToldWithTheKnown) {
  EXPECT_EQ(NameIn(kFruits, Fruit::kQuince), "?");
  EXPECT_EQ(ValueIn(kFruits, "fruit", "quince").status(),
            absl::InvalidArgumentError("unknown fruit \"quince\" (known: apple, pear)"));
}

}  // namespace
}  // namespace heterosis
