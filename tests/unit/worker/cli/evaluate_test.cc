// SPDX-License-Identifier: Apache-2.0
// `worker evaluate` on the demo's experiment: the figures agree with the samples, and the errors.
#include "worker/cli/evaluate.h"

#include "absl/strings/str_format.h"
#include "common/scoring/fitness.h"
#include "gmock/gmock.h"
#include "tests/unit/worker/cli/fixture.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;

class EvaluateCommandTest : public CommandTest {
 protected:
  EvaluateCommandTest() {
    command_.model = DemoModel("ja");
    command_.config = "deploy/demo/ps.yaml";
    command_.split = Split::kValidation;
    command_.device = OpenCpu(2);
    command_.language_model = DepsPath("lid.176.ftz");
  }
  // The demo's config with `from` replaced, in the scratch folder with absolute paths.
  void ChangeConfig(const std::string& from, const std::string& to) {
    std::string text = *ReadFile("deploy/demo/ps.yaml");
    const auto replace = [&](const std::string& old, const std::string& replacement) {
      ASSERT_NE(text.find(old), std::string::npos) << old;
      for (size_t at = text.find(old); at != std::string::npos; at = text.find(old, at + replacement.size())) {
        text.replace(at, old.size(), replacement);
      }
    };
    replace(from, to);
    const std::string demo = std::filesystem::absolute("deploy/demo").string();
    replace("path: models/", "path: " + demo + "/models/");
    replace("path: data/", "path: " + demo + "/data/");
    Write("changed.yaml", text);
    command_.config = folder_ / "changed.yaml";
  }
  std::string Error() { return std::string(EvaluateModel(command_).status().message()); }

  EvaluateCommand command_;
};

TEST_F(EvaluateCommandTest, TheFiguresAreThoseOfTheSamples) {
  command_.json = true;
  const Json document = *ParseJson(*EvaluateModel(command_));
  const Json& samples = document["samples"];
  ASSERT_EQ(document["problems"], 200);
  ASSERT_EQ(samples.size(), 200u);
  int correct = 0, number_ok = 0, language_ok = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const Json& sample = samples[i];
    EXPECT_EQ(sample["sample"], i);
    EXPECT_EQ(sample["number_ok"], sample["answer"] == sample["expected"]) << sample;
    EXPECT_EQ(sample["correct"], sample["number_ok"] == true && sample["language_ok"] == true);
    correct += sample["correct"] == true;
    number_ok += sample["number_ok"] == true;
    language_ok += sample["language_ok"] == true;
  }
  EXPECT_GT(correct, 0);
  EXPECT_LT(correct, 200);
  EXPECT_EQ(document["correct"], correct);
  EXPECT_EQ(document["accuracy"], correct / 200.0);
  EXPECT_EQ(document["number_ok"], number_ok / 200.0);
  EXPECT_EQ(document["language_ok"], language_ok / 200.0);
  const Interval interval = WilsonInterval(correct, 200);
  EXPECT_EQ(document["interval"], Json::array({interval.low, interval.high}));
  EXPECT_EQ(document["split"], "validation");
  EXPECT_EQ(document["experiment"], "demo-ps");

  command_.json = false;
  const std::string text = *EvaluateModel(command_);
  EXPECT_THAT(text, HasSubstr(absl::StrFormat("accuracy     %6.4f  %d of 200, 95%% interval %.4f to %.4f\n",
                                              correct / 200.0, correct, interval.low, interval.high)));
  EXPECT_THAT(text, HasSubstr(absl::StrFormat("number_ok    %6.4f  %d of 200\n", number_ok / 200.0, number_ok)));
}

TEST_F(EvaluateCommandTest, TheConfigsTaskIsFollowed) {
  ChangeConfig("language: {expect: ja}", "scorer: {mode: paper}");
  command_.model = DemoModel("math");
  command_.json = true;
  const Json document = *ParseJson(*EvaluateModel(command_));
  EXPECT_EQ(document["language_ok"], 1.0);  // any language counts
  EXPECT_EQ(document["accuracy"], document["number_ok"]);
  EXPECT_GT(document["accuracy"].get<double>(), 0.8);
}

TEST_F(EvaluateCommandTest, ErrorsOfTheConfigAreTold) {
  command_.config = "no/config.yaml";
  EXPECT_THAT(Error(), HasSubstr("no/config.yaml"));
  ChangeConfig("  validation: {path: data/validation.jsonl}\n", "");
  EXPECT_THAT(Error(), HasSubstr("changed.yaml: has no validation data"));
  ChangeConfig("language: {expect: ja}", "language: {expect: xx}");
  EXPECT_THAT(Error(), HasSubstr("must be a language code such as ja or en that lid.176 knows, but is \"xx\""));
  ChangeConfig("max_new_tokens: 20", "max_new_tokens: -1");
  EXPECT_THAT(Error(), HasSubstr("changed.yaml:"));
}

TEST_F(EvaluateCommandTest, WithoutTheLanguageModelItSaysWhatFetchesIt) {
  command_.language_model = "no/lid.ftz";
  EXPECT_THAT(Error(), HasSubstr("no/lid.ftz"));
  EXPECT_THAT(Error(), HasSubstr("deploy/deps/install"));
}

}  // namespace
}  // namespace heterosis
