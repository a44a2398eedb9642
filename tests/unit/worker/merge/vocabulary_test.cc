// SPDX-License-Identifier: Apache-2.0
// Rows of embeddings are matched by token: moved, added, missing and padding rows.
#include "worker/merge/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heterosis {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Words = std::vector<std::string>;

TEST(Vocabulary, EqualVocabulariesNeedNoMap) {
  const Words words{"a", "b", "c"};
  const RowMap map = MatchRows(words, 3, words, 3);
  EXPECT_THAT(map.rows, IsEmpty());
  EXPECT_EQ(map.matched, 3);
  EXPECT_EQ(map.missing, 0);
}

TEST(Vocabulary, MovedTokensAreFound) {
  const RowMap map = MatchRows(Words{"a", "b", "c"}, 3, Words{"c", "a", "b"}, 3);
  EXPECT_THAT(map.rows, ElementsAre(1, 2, 0));
  EXPECT_EQ(map.moved, 3);
}

TEST(Vocabulary, AddedTokensAreMissingInTheOthers) {
  const RowMap map = MatchRows(Words{"a", "b", "<new>"}, 3, Words{"a", "b"}, 2);
  EXPECT_THAT(map.rows, ElementsAre(0, 1, -1));
  EXPECT_EQ(map.missing, 1);
  EXPECT_THAT(MatchRows(Words{"a", "b"}, 2, Words{"a", "<new>", "b"}, 3).rows, ElementsAre(0, 2));
}

TEST(Vocabulary, PaddingIsMatchedByPlaceWithPaddingOnly) {
  // Rows 2 and 3 of the output have no token; the source has a token in row 2 and padding in row 3.
  const RowMap map = MatchRows(Words{"a", "b"}, 4, Words{"a", "b", "x"}, 4);
  EXPECT_THAT(map.rows, ElementsAre(0, 1, -1, 3));
  EXPECT_EQ(map.padding, 1);
  EXPECT_EQ(map.missing, 1);
}

TEST(Vocabulary, OfATokenThatOccursTwiceTheFirstCounts) {
  EXPECT_THAT(MatchRows(Words{"b", "a"}, 2, Words{"a", "b", "a"}, 3).rows, ElementsAre(1, 0));
}

TEST(Vocabulary, TokensBeyondTheSourcesRowsDoNotExist) {
  EXPECT_THAT(MatchRows(Words{"a", "b"}, 2, Words{"a", "b"}, 1).rows, ElementsAre(0, -1));
}

}  // namespace
}  // namespace heterosis
