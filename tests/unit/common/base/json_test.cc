// SPDX-License-Identifier: Apache-2.0
// JSON parsing on good and hostile texts, and typed access.
#include "common/base/json.h"

#include <cmath>

#include "common/base/file.h"
#include "common/base/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string ErrorOf(std::string_view text, const JsonLimits& limits = {}) {
  const absl::StatusOr<Json> value = ParseJson(text, limits);
  if (value.ok()) return "accepted: " + JsonText(*value);
  EXPECT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(value.status().message());
}

TEST(Json, KeepsValuesAndTheOrderOfKeys) {
  constexpr std::string_view kText =
      R"({"z":[1,-2,2.5,1e3,true,false,null,{}],"a":{"n":18446744073709551615,"m":-9223372036854775808},"":"\u3042\n"})";
  const absl::StatusOr<Json> value = ParseJson(kText);
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(
      JsonText(*value),
      R"({"z":[1,-2,2.5,1000.0,true,false,null,{}],"a":{"n":18446744073709551615,"m":-9223372036854775808},"":"あ\n"})");
  EXPECT_EQ(*value, Json::parse(kText));
}

TEST(Json, ScalarsAreWholeTexts) {
  EXPECT_EQ(JsonText(*ParseJson(" 5 ")), "5");
  EXPECT_EQ(JsonText(*ParseJson("\"x\"")), "\"x\"");
  EXPECT_EQ(JsonText(*ParseJson("null")), "null");
}

TEST(Json, NestedContainersStayWhereTheyWereOpened) {
  std::string text = "[";
  for (int i = 0; i < 200; ++i) text += "[{\"k\":[" + std::to_string(i) + "]},[]],";
  text += "0]";
  EXPECT_EQ(JsonText(*ParseJson(text)), text);
}

TEST(Json, SyntaxErrorsSayTheByte) {
  EXPECT_THAT(ErrorOf("[1,]"), StartsWith("byte 4: "));
  EXPECT_THAT(ErrorOf(""), StartsWith("byte 1: "));
  for (const std::string_view text :
       {"{",   "[1 2]", "{\"a\" 1}", "{a:1}", "'x'",      "\"x",     "01",       "+1",      "1.",          ".5",
        "nul", "[1]]",  "{} {}",     "NaN",   "Infinity", "// x\n1", "\"\x01\"", "\"\\x\"", "\"\\ud800\"", "1e999"}) {
    EXPECT_THAT(ErrorOf(text), StartsWith("byte ")) << text;
  }
}

TEST(Json, InvalidUtf8IsRefused) {
  for (const std::string_view text : {"\"\xFF\"", "\"\xC0\xAF\"", "\"\xED\xA0\x80\"", "\"\xE3\x81\"", "{\"\xFF\":1}"}) {
    const std::string error = ErrorOf(text);
    EXPECT_THAT(error, StartsWith("byte "));
    EXPECT_TRUE(IsValidUtf8(error)) << error;  // it goes to logs and JSON
  }
}

TEST(Json, DuplicateKeysAreRefusedInOneObjectOnly) {
  EXPECT_THAT(ErrorOf(R"({"a":1,"b":{"a":2},"a":3})"), HasSubstr("the key \"a\" occurs twice"));
  EXPECT_THAT(ErrorOf(R"({"a":1,"\u0061":3})"), HasSubstr("the key \"a\" occurs twice"));
  EXPECT_TRUE(ParseJson(R"([{"a":1},{"a":{"a":1}}])").ok());
}

TEST(Json, DepthIsLimited) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(ParseJson(nested(64)).ok());
  EXPECT_THAT(ErrorOf(nested(65)), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(ErrorOf(std::string(1'000'000, '[')), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(ErrorOf("{\"a\":{\"a\":{}}}", {.depth_max = 2}), HasSubstr("nested deeper than 2"));
}

TEST(Json, NumberOfValuesIsLimited) {
  const JsonLimits limits{.values_max = 4};
  EXPECT_TRUE(ParseJson("[1,2,3]", limits).ok());
  EXPECT_THAT(ErrorOf("[1,2,3,4]", limits), HasSubstr("more than 4 values"));
  EXPECT_THAT(ErrorOf("[[],[],[],[]]", limits), HasSubstr("more than 4 values"));
}

TEST(Json, TypedMembersAreReadOrNamed) {
  const Json value = *ParseJson(R"({"s":"x","d":2.5,"i":7,"n":-7,"b":true,"big":9223372036854775808,"null":null})");
  EXPECT_EQ(*JsonString(value, "s"), "x");
  EXPECT_EQ(*JsonNumber(value, "d"), 2.5);
  EXPECT_EQ(*JsonNumber(value, "i"), 7);
  EXPECT_EQ(*JsonInt(value, "i"), 7);
  EXPECT_EQ(*JsonInt(value, "n"), -7);
  EXPECT_TRUE(*JsonBool(value, "b"));
  EXPECT_THAT(std::string(JsonString(value, "i").status().message()),
              HasSubstr("\"i\" must be a string, but is number"));
  EXPECT_THAT(std::string(JsonNumber(value, "s").status().message()), HasSubstr("\"s\" must be a number"));
  EXPECT_THAT(std::string(JsonInt(value, "d").status().message()), HasSubstr("\"d\" must be a whole number"));
  EXPECT_THAT(std::string(JsonBool(value, "null").status().message()), HasSubstr("true or false, but is null"));
  EXPECT_THAT(std::string(JsonBool(value, "gone").status().message()),
              HasSubstr("\"gone\" must be true or false, but is missing"));
  EXPECT_EQ(JsonInt(value, "big").status().code(), absl::StatusCode::kOutOfRange);
}

TEST(Json, FindNeverInsertsNorMindsTheType) {
  const Json value = *ParseJson(R"({"a":null})");
  ASSERT_NE(JsonFind(value, "a"), nullptr);
  EXPECT_TRUE(JsonFind(value, "a")->is_null());
  EXPECT_EQ(JsonFind(value, "b"), nullptr);
  EXPECT_EQ(value.size(), 1u);
  for (const std::string_view other : {"null", "[1]", "5", "\"a\""})
    EXPECT_EQ(JsonFind(*ParseJson(other), "a"), nullptr);
}

TEST(Json, TextIsValidJsonWhateverTheStringsHold) {
  const Json value = {{"broken", "a\xFF"}, {"nan", std::nan("")}, {"line", "1\n2\""}};
  EXPECT_EQ(JsonText(value), "{\"broken\":\"a\uFFFD\",\"nan\":null,\"line\":\"1\\n2\\\"\"}");
  EXPECT_EQ(JsonText(Json{{"a", 1}}, 2), "{\n  \"a\": 1\n}");
}

TEST(Json, DoublesRoundTrip) {
  for (const double value : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 1e22}) {
    const Json back = *ParseJson(JsonText(Json(value)));
    EXPECT_EQ(back.get<double>(), value);
    EXPECT_EQ(std::signbit(back.get<double>()), std::signbit(value));
  }
}

TEST(Json, FilesAreNamedInErrors) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "good.json", "[1]\n").ok());
  ASSERT_TRUE(WriteFileAtomic(folder / "bad.json", "[1").ok());
  EXPECT_EQ(JsonText(*ReadJsonFile(folder / "good.json")), "[1]");
  EXPECT_THAT(std::string(ReadJsonFile(folder / "bad.json").status().message()),
              StartsWith(folder / "bad.json: byte 3"));
  EXPECT_EQ(ReadJsonFile(folder / "none.json").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace heterosis
