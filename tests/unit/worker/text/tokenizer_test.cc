// SPDX-License-Identifier: Apache-2.0
// Tokenizers of both kinds: special tokens, broken input, and files that are refused. That the ids are the reference's
// is the matter of tests/differential/text.
#include "worker/text/tokenizer.h"

#include <vector>

#include "gmock/gmock.h"
#include "tests/unit/worker/text/fixture.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Ids = std::vector<int32_t>;

constexpr char kMixedText[] = "葵は桃を66個 3+4=7 😀 é\tx";

TEST_F(TextTest, BothKindsOfFilesOfOneModelGiveTheSameIds) {
  CopyFromDemo("tokenizer.model");
  CopyFromDemo("tokenizer_config.json");
  const auto pieces = Load();  // without tokenizer.json
  const auto json = Load(kDemoModel);
  ASSERT_EQ(pieces->vocabulary(), json->vocabulary());
  for (const std::string text : {"葵は桃を66個持っていました。", "Tom has 12 apples.", kMixedText, "", " ", "a  b"}) {
    const Ids ids = json->Encode(text, true);
    EXPECT_EQ(pieces->Encode(text, true), ids) << text;
    EXPECT_EQ(json->Decode(ids, true), text);
    EXPECT_EQ(pieces->Decode(ids, true), text);
  }
}

TEST_F(TextTest, SpecialTokensAreAddedOnlyWhenAskedFor) {
  const auto tokenizer = Load(kDemoModel);
  const Ids with = tokenizer->Encode("3", true), without = tokenizer->Encode("3", false);
  ASSERT_FALSE(with.empty());
  EXPECT_EQ(with.front(), 1);
  EXPECT_EQ(Ids(with.begin() + 1, with.end()), without);
  EXPECT_EQ(tokenizer->TokenOf(1), "<s>");
  EXPECT_TRUE(tokenizer->IsSpecial(1));
  EXPECT_FALSE(tokenizer->IsSpecial(without.front()));
  EXPECT_EQ(tokenizer->special_ids().bos, 1);
  EXPECT_THAT(tokenizer->special_ids().eos, ElementsAre(2));
}

TEST_F(TextTest, SpecialTokensWrittenInTheTextAreTheirIds) {
  Write("tokenizer.json", SmallTokenizer());
  const auto tokenizer = Load();
  const Ids ids = tokenizer->Encode("ab</s>c", false);
  EXPECT_THAT(ids, ElementsAre(7, 2, 5));
  EXPECT_EQ(tokenizer->Decode(ids, false), "ab </s> c");  // without a decoder tokens are put apart
  EXPECT_EQ(tokenizer->Decode(ids, true), "ab c");
}

TEST_F(TextTest, MergesGoByTheirOrder) {
  Write("tokenizer.json", SmallTokenizer());
  EXPECT_THAT(Load()->Encode("abcab a", false), ElementsAre(8, 7, 6, 3));
}

TEST_F(TextTest, IdsOutOfRangeAreLeftOut) {
  for (const std::string& model : {std::string(kDemoModel), folder_.path()}) {
    if (model == folder_.path()) CopyFromDemo("tokenizer.model");
    const auto tokenizer = Load(model);
    Ids ids = tokenizer->Encode("36", false);
    const std::string text = tokenizer->Decode(ids, true);
    ids.insert(ids.begin() + 1, {-1, tokenizer->vocab_size(), 1 << 30});
    EXPECT_EQ(tokenizer->Decode(ids, true), text);
    EXPECT_EQ(tokenizer->TokenOf(-1), "");
    EXPECT_EQ(tokenizer->TokenOf(tokenizer->vocab_size()), "");
  }
}

TEST_F(TextTest, TokensAreFoundByName) {
  const auto tokenizer = Load(kDemoModel);
  for (int32_t id = 0; id < tokenizer->vocab_size(); ++id) {
    EXPECT_EQ(tokenizer->IdOf(tokenizer->TokenOf(id)), id);
  }
  EXPECT_EQ(tokenizer->IdOf("no such token"), std::nullopt);
}

TEST_F(TextTest, BrokenUtf8IsReadAsReplacementCharacters) {
  const auto tokenizer = Load(kDemoModel);
  // A cut-off character is one U+FFFD, a stray byte another.
  EXPECT_EQ(tokenizer->Encode("a\xE3\x81 b\xFF", false), tokenizer->Encode("a\uFFFD b\uFFFD", false));
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("a\xE3\x81", false), true), "a\uFFFD");
}

TEST_F(TextTest, EveryEndTokenOfTheFilesCounts) {
  Write("tokenizer.json", SmallTokenizer());
  Write("tokenizer_config.json", R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": "c"})");
  Write("generation_config.json", R"({"eos_token_id": [5, 2, 99]})");
  const auto tokenizer = Load();
  EXPECT_EQ(tokenizer->special_ids().bos, 1);
  EXPECT_EQ(tokenizer->special_ids().pad, 5);
  EXPECT_THAT(tokenizer->special_ids().eos, ElementsAre(2, 5));  // the tokenizer's own first; there is no 99
}

TEST_F(TextTest, FlagsOfTheConfigPutBosAndEosRoundTheText) {
  Write("tokenizer.json", SmallTokenizer());
  Write("tokenizer_config.json",
        R"({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": true, "add_eos_token": true})");
  EXPECT_THAT(Load()->Encode("ab", true), ElementsAre(1, 7, 2));
  EXPECT_THAT(Load()->Encode("", true), ElementsAre(1, 2));
  EXPECT_THAT(Load()->Encode("", false), IsEmpty());
}

TEST_F(TextTest, AFolderWithoutATokenizerIsAnError) {
  EXPECT_EQ(LoadTokenizer(folder_.path()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Error(), HasSubstr("has neither tokenizer.json nor tokenizer.model"));
}

TEST_F(TextTest, WhatIsNotKnownOfATokenizerIsAnErrorThatNamesThePlace) {
  struct Case {
    const char* parts;
    const char* error;
  };
  for (const Case& entry : {
           Case{R"("normalizer": {"type": "Mystery"},)", "the normalizer \"Mystery\" is not supported"},
           Case{R"("normalizer": {"type": "NFC", "more": 1},)", "normalizer"},
           Case{R"("pre_tokenizer": {"type": "Mystery"},)", "pre_tokenizer"},
           Case{R"("pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "No"}]},)",
                "pre_tokenizer.pretokenizers[1]"},
           Case{R"("decoder": {"type": "Mystery"},)", "decoder"},
           Case{R"("post_processor": {"type": "Mystery"},)", "post_processor"},
           Case{R"("surprise": 1,)", "surprise"},
           Case{R"("normalizer": {"type": "Replace", "pattern": {"Regex": "(("}, "content": ""},)", "normalizer"},
       }) {
    Write("tokenizer.json", SmallTokenizer(entry.parts));
    EXPECT_THAT(Error(), AllOf(HasSubstr("tokenizer.json"), HasSubstr(entry.error))) << entry.parts;
  }
}

TEST_F(TextTest, BrokenFilesAreErrorsThatNameTheFile) {
  Write("tokenizer.json", "{");
  EXPECT_THAT(Error(), HasSubstr("tokenizer.json: byte 2"));
  Write("tokenizer.json", R"({"model": {"type": "WordPiece", "vocab": {}}})");
  EXPECT_THAT(Error(), AllOf(HasSubstr("tokenizer.json: model"), HasSubstr("WordPiece")));
  Write("tokenizer.json", SmallTokenizer());
  Write("tokenizer_config.json", R"({"add_bos_token": "yes"})");
  EXPECT_THAT(Error(), HasSubstr("tokenizer_config.json: add_bos_token"));
  Write("tokenizer_config.json", "[]");
  EXPECT_THAT(Error(), HasSubstr("tokenizer_config.json: must be a JSON object"));
}

TEST_F(TextTest, ACutOffSentencePieceModelIsRefusedWhereverItEnds) {
  const std::string whole = *ReadFile(std::string(kDemoModel) + "/tokenizer.model");
  Write("tokenizer.model", whole);
  ASSERT_NE(Load(), nullptr);
  int refused = 0, tried = 0;
  for (size_t length = 0; length < whole.size(); length += 97, ++tried) {
    Write("tokenizer.model", whole.substr(0, length));
    const absl::Status status = LoadTokenizer(folder_.path()).status();  // must not crash
    if (status.ok()) continue;
    ++refused;
    EXPECT_THAT(std::string(status.message()), HasSubstr("tokenizer.model"));
  }
  // A cut between two fields leaves a smaller model that cannot be told from a whole one; most cuts are inside one.
  EXPECT_GT(refused, tried / 2);
}

}  // namespace
}  // namespace heterosis
