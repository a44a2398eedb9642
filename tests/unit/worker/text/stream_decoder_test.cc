// SPDX-License-Identifier: Apache-2.0
// Decoding token by token: the text so far, and how much of it is settled.
#include "worker/text/stream_decoder.h"

#include <vector>

#include "gmock/gmock.h"
#include "tests/unit/worker/text/fixture.h"

namespace heterosis {
namespace {

TEST_F(TextTest, StreamedTextIsThatOfAllTokensAndNeverTakesSettledTextBack) {
  CopyFromDemo("tokenizer.model");
  for (const std::string& model : {std::string(kDemoModel), folder_.path()}) {
    const auto tokenizer = Load(model);
    for (const std::string text : {"葵は桃を 66個", "  a 👩‍👩‍👧 é", "</s>x<s>", "\uFFFD\xFFz"}) {
      StreamDecoder stream(*tokenizer, /*skip_special_tokens=*/true);
      std::vector<int32_t> ids;
      std::string settled;
      for (const int32_t id : tokenizer->Encode(text, true)) {
        ids.push_back(id);
        stream.Append(id);
        EXPECT_EQ(stream.text(), tokenizer->Decode(ids, true));
        EXPECT_TRUE(stream.text().starts_with(settled)) << settled;
        ASSERT_LE(stream.settled_bytes(), stream.text().size());
        settled = stream.text().substr(0, stream.settled_bytes());
      }
    }
  }
}

TEST_F(TextTest, HalfACharacterIsAReplacementCharacterUntilTheRestComes) {
  const auto tokenizer = Load(kDemoModel);
  const std::vector<int32_t> bytes = {*tokenizer->IdOf("<0xF0>"), *tokenizer->IdOf("<0x9F>"),
                                      *tokenizer->IdOf("<0x98>"), *tokenizer->IdOf("<0x80>")};
  StreamDecoder stream(*tokenizer, true);
  stream.Append(tokenizer->Encode("3", false).back());
  for (size_t i = 0; i + 1 < bytes.size(); ++i) {
    stream.Append(bytes[i]);
    EXPECT_TRUE(stream.text().starts_with("3\uFFFD")) << stream.text();
    EXPECT_LE(stream.settled_bytes(), 1u);
  }
  stream.Append(bytes.back());
  EXPECT_EQ(stream.text(), "3😀");
}

TEST_F(TextTest, ALongTextDoesNotKeepItsTokensOpen) {
  const auto tokenizer = Load(kDemoModel);
  StreamDecoder stream(*tokenizer, true);
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "りんご" + std::to_string(i) + " ";
  for (const int32_t id : tokenizer->Encode(text, false)) stream.Append(id);
  EXPECT_EQ(stream.text(), text);
  EXPECT_GT(stream.settled_bytes(), text.size() - 20);
}

}  // namespace
}  // namespace heterosis
