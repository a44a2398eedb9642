// SPDX-License-Identifier: Apache-2.0
// Our tokenizers against huggingface/tokenizers and sentencepiece: the same ids and the same text, line by line.
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "gtest/gtest.h"
#include "tests/support/repetitions.h"
#include "tests/support/shared.h"
#include "worker/text/stream_decoder.h"
#include "worker/text/tokenizer.h"

namespace heterosis {
namespace {

const int kLineCount = Repetitions(10'000, 1'000);
constexpr int kMismatchesShown = 5;

// The records that make_tokenizer_cases.py writes.
class Records {
 public:
  explicit Records(const std::string& path) {
    absl::StatusOr<std::string> data = ReadFile(path);
    EXPECT_TRUE(data.ok()) << data.status();
    if (data.ok()) data_ = std::move(data).value();
  }
  bool AtEnd() const { return at_ >= data_.size(); }
  std::string Bytes() {
    const uint32_t length = Number();
    at_ += length;
    return data_.substr(at_ - length, length);
  }
  std::vector<int32_t> Ids() {
    std::vector<int32_t> ids(Number());
    if (!ids.empty()) std::memcpy(ids.data(), data_.data() + at_, ids.size() * sizeof(int32_t));
    at_ += ids.size() * sizeof(int32_t);
    return ids;
  }

 private:
  uint32_t Number() {
    uint32_t number = 0;
    std::memcpy(&number, data_.data() + at_, sizeof(number));
    at_ += sizeof(number);
    return number;
  }
  std::string data_;
  size_t at_ = 0;
};

std::string Printable(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    char text[8];
    std::snprintf(text, sizeof(text), c >= 0x20 && c < 0x7F && c != '\\' ? "%c" : "\\x%02X",
                  static_cast<unsigned char>(c));
    out += text;
  }
  return out.substr(0, 600);
}

class TokenizerDifferential : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    const std::string python = DepsPath("venv/bin/python");
    if (SharedPath("demo/base").empty() || !FileExists(python)) return;
    folder_ = new TemporaryFolder();
    const std::string command = "OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1 " + python +
                                " tests/differential/text/make_tokenizer_cases.py " + SharedPath("") + " " +
                                folder_->path() + " " + std::to_string(kLineCount);
    const int status = std::system(command.c_str());
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command;
    Records records(*folder_ / "lines.bin");
    while (!records.AtEnd()) lines_.push_back(records.Bytes());
    ASSERT_EQ(lines_.size(), static_cast<size_t>(kLineCount));
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
    lines_.clear();
  }

  void SetUp() override {
    if (folder_ == nullptr) GTEST_SKIP() << kNoShared << ", and deploy/deps/install for the Python reference";
    absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(Path());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_ = std::move(tokenizer).value();
  }

  std::string Path() const { return *folder_ / GetParam(); }
  bool IsSentencePiece() const { return !FileExists(Path() + "/tokenizer.json"); }

  // Decodes at once and id by id; `expected` without and with special tokens.
  void CheckDecoding(const std::vector<int32_t>& ids, const std::string& without, const std::string& with,
                     int& mismatches) const {
    for (const bool skip : {true, false}) {
      if (!skip && IsSentencePiece()) continue;  // the library never writes them
      const std::string& expected = skip ? without : with;
      const std::string text = tokenizer_->Decode(ids, skip);
      StreamDecoder stream(*tokenizer_, skip);
      std::string settled;
      bool kept = true;
      for (const int32_t id : ids) {
        stream.Append(id);
        kept = kept && stream.text().starts_with(settled);
        settled = stream.text().substr(0, stream.settled_bytes());
      }
      if (text == expected && stream.text() == expected && kept) continue;
      if (++mismatches > kMismatchesShown) return;
      ADD_FAILURE() << "ids " << testing::PrintToString(ids) << "\nskip_special_tokens " << skip
                    << ", settled text kept " << kept << "\nexpected " << Printable(expected) << "\nat once  "
                    << Printable(text) << "\nstreamed " << Printable(stream.text());
    }
  }

  static TemporaryFolder* folder_;
  static std::vector<std::string> lines_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TemporaryFolder* TokenizerDifferential::folder_ = nullptr;
std::vector<std::string> TokenizerDifferential::lines_;

TEST_P(TokenizerDifferential, EncodesAndDecodesLinesAsTheReference) {
  Records records(Path() + "/expected.bin");
  int encoding_mismatches = 0, decoding_mismatches = 0;
  std::chrono::nanoseconds encoding_time{0};
  size_t bytes = 0;
  for (const std::string& line : lines_) {
    const std::vector<int32_t> expected = records.Ids();
    const std::string without = records.Bytes(), with = records.Bytes();
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<int32_t> ids = tokenizer_->Encode(line, true);
    encoding_time += std::chrono::steady_clock::now() - begin;
    bytes += line.size();
    if (ids != expected && ++encoding_mismatches <= kMismatchesShown) {
      ADD_FAILURE() << "line     " << Printable(line) << "\nexpected " << testing::PrintToString(expected)
                    << "\nours     " << testing::PrintToString(ids);
    }
    CheckDecoding(expected, without, with, decoding_mismatches);
  }
  EXPECT_TRUE(records.AtEnd());
  EXPECT_EQ(encoding_mismatches, 0);
  EXPECT_EQ(decoding_mismatches, 0);
  const double seconds = std::chrono::duration<double>(encoding_time).count();
  std::printf("%s: %.1f MB/s encoded\n", GetParam(), static_cast<double>(bytes) / 1e6 / seconds);
}

TEST_P(TokenizerDifferential, DecodesRandomIdsAsTheReference) {
  Records records(Path() + "/decode.bin");
  int mismatches = 0;
  ASSERT_FALSE(records.AtEnd());
  while (!records.AtEnd()) {
    const std::vector<int32_t> ids = records.Ids();
    const std::string without = records.Bytes(), with = records.Bytes();
    CheckDecoding(ids, without, with, mismatches);
  }
  EXPECT_EQ(mismatches, 0);
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerDifferential,
                         testing::Values("demo_json", "demo_spm", "spm_nfkc", "spm_identity", "spm_unknown", "llama2",
                                         "mistral_v3", "llama3", "qwen2", "deepseek", "gpt2", "metaspace_always",
                                         "metaspace_first", "metaspace_never", "words", "literal", "split_removed",
                                         "split_merged_with_previous", "split_merged_with_next", "split_contiguous"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace heterosis
