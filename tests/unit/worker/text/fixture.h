// SPDX-License-Identifier: Apache-2.0
// Model folders with tokenizers for tests: the demo's, and small ones written on the spot.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/file.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"
#include "worker/text/tokenizer.h"

namespace heterosis {

inline constexpr char kDemoModel[] = "deploy/demo/models/base";

class TextTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / name, text).ok());
  }
  void CopyFromDemo(const std::string& name) {
    std::filesystem::copy_file(std::string(kDemoModel) + "/" + name, folder_ / name);
  }

  // A byte-pair tokenizer over a, b, c and blanks: "ab" and "abc" are tokens; 0 is <unk>, 1 <s>, 2 </s>.
  static std::string SmallTokenizer(const std::string& parts = "") {
    return R"({"version": "1.0", "added_tokens": [
        {"id": 1, "content": "<s>", "special": true, "normalized": false},
        {"id": 2, "content": "</s>", "special": true, "normalized": false}],)" +
           parts + R"("model": {"type": "BPE", "unk_token": "<unk>",
        "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2, "a": 3, "b": 4, "c": 5, " ": 6, "ab": 7, "abc": 8},
        "merges": [["a", "b"], ["ab", "c"]]}})";
  }

  static std::unique_ptr<Tokenizer> Load(const std::string& folder) {
    absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(folder);
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    return tokenizer.ok() ? std::move(*tokenizer) : nullptr;
  }
  std::unique_ptr<Tokenizer> Load() { return Load(folder_.path()); }

  // What loading the folder says.
  std::string Error() {
    const absl::Status status = LoadTokenizer(folder_.path()).status();
    std::string message(status.message());
    for (size_t at = message.find(folder_.path()); at != std::string::npos; at = message.find(folder_.path())) {
      message.erase(at, folder_.path().size() + 1);
    }
    return message;
  }

  TemporaryFolder folder_;
};

}  // namespace heterosis
