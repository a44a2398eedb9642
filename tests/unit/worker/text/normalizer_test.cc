// SPDX-License-Identifier: Apache-2.0
// The normalizers of tokenizer.json, each by what it does to a text.
#include "worker/text/normalizer.h"

#include "common/base/status.h"
#include "gmock/gmock.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;

struct Case {
  const char* json;
  const char* text;
  const char* normalized;
};

std::string Normalized(const char* json, const char* text) {
  const absl::StatusOr<std::unique_ptr<Normalizer>> normalizer = MakeNormalizer(*ParseJson(json), "normalizer");
  return normalizer.ok() ? (*normalizer)->Apply(text) : std::string(normalizer.status().message());
}

TEST(Normalizer, DoesWhatItsTypeSays) {
  for (const Case& entry : {
           Case{"null", " Ａé ", " Ａé "},
           Case{R"({"type": "NFC"})", "e\u0301か\u3099", "é\u304C"},
           Case{R"({"type": "NFD"})", "é", "e\u0301"},
           Case{R"({"type": "NFKC"})", "Ａ１㌔", "A1キロ"},
           Case{R"({"type": "NFKD"})", "ﬁ", "fi"},
           Case{R"({"type": "Lowercase"})", "ÄBC Σ", "äbc σ"},
           Case{R"({"type": "Strip", "strip_left": true, "strip_right": false})", "\u3000 a ", "a "},
           Case{R"({"type": "Strip", "strip_left": false, "strip_right": true})", " a \n", " a"},
           Case{R"({"type": "Strip", "strip_left": true, "strip_right": true})", "  ", ""},
           Case{R"({"type": "Prepend", "prepend": "▁"})", "a", "▁a"},
           Case{R"({"type": "Prepend", "prepend": "▁"})", "", ""},
           Case{R"({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})", "a b  c", "a▁b▁▁c"},
           Case{R"({"type": "Replace", "pattern": {"String": "."}, "content": "-"})", "a.b", "a-b"},
           Case{R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})", "a    b c", "a b c"},
           Case{R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]})",
                "a b", "▁a▁b"},
       }) {
    EXPECT_EQ(Normalized(entry.json, entry.text), entry.normalized) << entry.json;
  }
}

TEST(Normalizer, IsRefusedWithItsPlaceWhereItIsNotKnown) {
  EXPECT_THAT(Normalized(R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Precompiled"}]})", ""),
              HasSubstr("normalizer.normalizers[1].type: the normalizer \"Precompiled\" is not supported"));
  EXPECT_THAT(Normalized(R"({"type": "Prepend"})", ""), HasSubstr("prepend"));
  EXPECT_THAT(Normalized(R"({"type": "Strip", "strip_left": 1, "strip_right": true})", ""), HasSubstr("strip_left"));
  EXPECT_THAT(Normalized("[]", ""), HasSubstr("normalizer"));
}

}  // namespace
}  // namespace heterosis
