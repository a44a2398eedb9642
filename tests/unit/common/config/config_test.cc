// SPDX-License-Identifier: Apache-2.0
// Configs: what a sound one becomes, and each class of error with its line and its remedy.
#include "common/config/config.h"

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/config/language_codes.h"
#include "common/config/ps_options.h"
#include "common/scoring/language.h"
#include "gmock/gmock.h"
#include "tests/unit/common/config/fixture.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(ConfigTest, ReadsASoundConfigAndFillsInDependentDefaults) {
  Write("c.yaml", kSoundConfig);
  const v1::Experiment config = ReadConfig(folder_ / "c.yaml").value();
  EXPECT_EQ(config.name(), "demo");
  EXPECT_EQ(config.models(0).path(), folder_ / "models/base");
  EXPECT_EQ(config.data().test().path(), folder_ / "test.tsv");
  EXPECT_EQ(config.tokenizer(), "base");
  EXPECT_EQ(config.data().search().format(), v1::DataSet::JSONL);
  EXPECT_EQ(config.data().test().format(), v1::DataSet::TSV);
  EXPECT_EQ(config.data().test().question(), "0");
  EXPECT_THAT(config.phases(0).merge().sources(), ElementsAre("ja", "math"));
  EXPECT_EQ(config.phases(0).merge().mask_seed(), 7u);
  EXPECT_EQ(config.phases(0).merge().weight().high(), 2);
  EXPECT_EQ(config.evaluation().batch_size(), 64);
  EXPECT_EQ(config.phases(0).optimizer().population(), 0);
}

TEST_F(ConfigTest, BecomesOptionsOfTheSearchSpace) {
  ASSERT_THAT(Errors(With("trials: 100", "generations: 3")), IsEmpty());
  const PsSpaceOptions options = PsOptionsFromConfig(config_, config_.phases(0), 4);
  EXPECT_EQ(options.weight.start, 1);  // the middle
  EXPECT_EQ(options.density.start, 0.8);
  const PsSpace space = *PsSpace::Create(options);
  EXPECT_EQ(space.dimension(), (4 + 2) * 2 * 2);
  EXPECT_EQ(space.genes()[1].name, "embedding/ja.density");
  EXPECT_EQ(space.genes()[1].low, 0.1);
  EXPECT_EQ(space.Decode(StartGenome(space.genes())).mask_seed, 7u);
}

TEST_F(ConfigTest, ARangeMayBeOneFixedNumber) {
  ASSERT_THAT(Errors(With("{low: 0.1, high: 0.9, start: 0.8}", "1")), IsEmpty());
  EXPECT_EQ(config_.phases(0).merge().density().fixed(), 1);
  EXPECT_EQ(PsSpace::Create(PsOptionsFromConfig(config_, config_.phases(0), 4))->dimension(), 12);
}

TEST_F(ConfigTest, LinearNeedsNoBase) {
  std::string text = With("base: base\n", "tokenizer: ja\n");
  text = With("method: dare_ties", "method: linear", text);
  text = With("      density: {low: 0.1, high: 0.9, start: 0.8}\n", "", text);
  ASSERT_THAT(Errors(text), IsEmpty());
  EXPECT_THAT(config_.phases(0).merge().sources(), ElementsAre("base", "ja", "math"));
  EXPECT_EQ(Errors(With("tokenizer: ja\n", "", text)),
            std::vector<std::string>{
                "c.yaml:2: without a base, `tokenizer` must name the model whose tokenizer a merge gets"});
}

TEST_F(ConfigTest, FileErrors) {
  EXPECT_EQ(ReadConfig(folder_ / "none.yaml").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Errors(""), ElementsAre("c.yaml:1: the file is empty"));
  EXPECT_THAT(Errors("a: b\n---\nc: d\n"),
              ElementsAre(HasSubstr("c.yaml:3: a second document, or a stray character, begins here")));
  EXPECT_THAT(Errors(", \n"), ElementsAre(HasSubstr("stray character")));
  EXPECT_THAT(Errors("name: [1, 2\nmodels: x\n"), ElementsAre(HasSubstr("c.yaml:2: not valid YAML")));
  EXPECT_THAT(Errors("a: b\nname: \xff\n"), ElementsAre("c.yaml:2: the text is not UTF-8; save the file as UTF-8"));
  EXPECT_THAT(Errors("- a\n"), ElementsAre("c.yaml:1: the config must be a map: lines of `key: value`"));
}

struct ErrorCase {
  const char* from;
  const char* to;
  const char* error;  // the only one
};

// The only error that a change of the sound config causes, complete with line and remedy.
constexpr ErrorCase kErrorCases[] = {
    // Keys.
    {"    optimizer:\n      sigma", "    optimiser:\n      sigma",
     "c.yaml:30: unknown key \"optimiser\"; did you mean \"optimizer\"?"},
    {"      sigma: 0.2", "      sigma: 0.2\n      step_szie: csa",
     "c.yaml:32: unknown key \"step_szie\"; did you mean \"step_size\"?"},
    {"seed: 7", "sigma: 0.2", "c.yaml:3: unknown key \"sigma\"; it belongs under phases[].optimizer"},
    {"    budget:\n      trials: 100", "    budget:\n      xyz: 100",
     "c.yaml:33: unknown key \"xyz\" (known: trials, generations)"},
    {"seed: 7", "seed: 7\nseed: 8", "c.yaml:4: seed is given twice; remove one of the two"},
    {"name: demo\n", "", "c.yaml:2: name is missing; write for example name: my-merge"},
    {"name: demo", "name:", "c.yaml:2: name has no value; write for example name: my-merge"},
    {"name: demo", "name: \"\"", "c.yaml:2: name has no value; write for example name: my-merge"},
    {"    path: models/base\n", "", "c.yaml:5: models[0].path is missing; write for example path: models/math"},
    {"    budget:\n      trials: 100\n", "", "c.yaml:25: phases[0].budget is missing"},
    // Types.
    {"seed: 7", "seed: -7", "c.yaml:3: seed must be a whole number from 0 to 2^64 - 1, but is \"-7\""},
    {"seed: 7", "seed: 18446744073709551616",
     "c.yaml:3: seed must be a whole number from 0 to 2^64 - 1, but is \"18446744073709551616\""},
    {"max_new_tokens: 64", "max_new_tokens: \"64\"",
     "c.yaml:21: task.decoding.max_new_tokens must be a whole number, but is \"64\""},
    {"max_new_tokens: 64", "max_new_tokens: 6.5",
     "c.yaml:21: task.decoding.max_new_tokens must be a whole number, but is \"6.5\""},
    {"max_new_tokens: 64", "max_new_tokens: [64]",
     "c.yaml:21: task.decoding.max_new_tokens must be a whole number, but is a list"},
    {"sigma: 0.2", "sigma: 1/6", "c.yaml:31: phases[0].optimizer.sigma must be a number, but is \"1/6\""},
    {"sigma: 0.2", "sigma: .nan", "c.yaml:31: phases[0].optimizer.sigma must be a number, but is \".nan\""},
    {"sigma: 0.2", "inject_parents: yes",
     "c.yaml:31: phases[0].optimizer.inject_parents must be true or false, but is \"yes\""},
    {"name: demo", "name: {a: b}", "c.yaml:2: name must be a text, but is a map"},
    {"stop: [\"END\"]", "stop: END", "c.yaml:22: task.decoding.stop must be a list, as in [a, b]"},
    {"    optimizer:\n      sigma: 0.2", "    optimizer: 5",
     "c.yaml:30: phases[0].optimizer must be a map: lines of `key: value`"},
    {"weight: [0, 2]", "weight: [0, 1, 2]",
     "c.yaml:28: phases[0].merge.weight must be [low, high], one number, or a map with low, high and start"},
    {"weight: [0, 2]", "weight: [0, two]", "c.yaml:28: phases[0].merge.weight must be a number, but is \"two\""},
    {"method: dare_ties", "method: dare_tie",
     "c.yaml:27: phases[0].merge.method must be one of dare_ties, ties, dare_linear, task_arithmetic, linear, slerp, "
     "but is \"dare_tie\"; did you mean \"dare_ties\"?"},
    {"method: dare_ties", "method: DARE_TIES",
     "c.yaml:27: phases[0].merge.method must be one of dare_ties, ties, dare_linear, task_arithmetic, linear, slerp, "
     "but is \"DARE_TIES\""},
    // Ranges of values.
    {"max_new_tokens: 64", "max_new_tokens: 0",
     "c.yaml:21: task.decoding.max_new_tokens must be from 1 to 131072, but is \"0\""},
    {"max_new_tokens: 64", "max_new_tokens: 99999999999",
     "c.yaml:21: task.decoding.max_new_tokens must be from 1 to 131072, but is \"99999999999\""},
    {"sigma: 0.2", "sigma: 0", "c.yaml:31: phases[0].optimizer.sigma must be above 0 and at most 10, but is \"0\""},
    {"{expect: ja}", "{expect: ja, threshold: 1.5}",
     "c.yaml:23: task.language.threshold must be from 0 to 1, but is \"1.5\""},
    {"weight: [0, 2]", "weight: [2, 0]", "c.yaml:28: phases[0].merge.weight: low (2) must be less than high (0)"},
    {"high: 0.9, start: 0.8", "high: 1.5, start: 0.8",
     "c.yaml:29: phases[0].merge.density must stay within [0, 1], but is [0.1, 1.5]"},
    {"start: 0.8", "start: 0.95", "c.yaml:29: phases[0].merge.density: start (0.95) must be within [0.1, 0.9]"},
    {"start: 0.8", "fixed: 0.8",
     "c.yaml:29: phases[0].merge.density is fixed and has a range at once; remove one of the two"},
    {"{low: 0.1, high: 0.9, start: 0.8}", "2", "c.yaml:29: phases[0].merge.density must be from 0 to 1, but is 2"},
    // Files.
    {"path: models/base", "path: models/bas",
     "c.yaml:6: models[0].path is \"models/bas\", but there is no models/bas; relative paths start at the config's "
     "folder"},
    {"{path: search.jsonl}", "{path: none.jsonl}",
     "c.yaml:11: data.search.path is \"none.jsonl\", but there is no none.jsonl; relative paths start at the config's "
     "folder"},
    {"path: models/base", "path: search.jsonl", "c.yaml:6: search.jsonl: is not a folder"},
    {"path: models/base", "path: models",
     "c.yaml:6: models: has no config.json; it must be a Hugging Face model's folder"},
    {"{path: search.jsonl}", "{path: models}", "c.yaml:11: data.search.path is no file: models"},
    {"{path: search.jsonl}", "{path: models/ja/config.txt}",
     "c.yaml:11: data.search.path ends neither in .jsonl nor in .tsv; say `format: jsonl` or `format: tsv`"},
    // Names.
    {"{name: math,", "{name: ja,", "c.yaml:8: two models have the name \"ja\"; rename one"},
    {"{name: math,", "{name: ma/th,",
     "c.yaml:8: models[2].name \"ma/th\" may have only letters, digits, '.', '_' and '-'"},
    {"{name: math,", "{name: ../x,",
     "c.yaml:8: models[2].name \"../x\" may have only letters, digits, '.', '_' and '-'"},
    {"{name: math,", "{name: /etc/passwd,",
     "c.yaml:8: models[2].name \"/etc/passwd\" may have only letters, digits, '.', '_' and '-'"},
    {"{name: math,", "{name: ..,", "c.yaml:8: models[2].name \"..\" must not begin with a dot"},
    {"name: demo", "name: .demo", "c.yaml:2: name \".demo\" must not begin with a dot"},
    {"base: base\n", "base: ../x\n", "c.yaml:9: base: there is no model \"../x\" (known: base, ja, math)"},
    {"base: base\n", "base: /etc/passwd\n",
     "c.yaml:9: base: there is no model \"/etc/passwd\" (known: base, ja, math)"},
    {"base: base\n", "base: bsae\n", "c.yaml:9: base: there is no model \"bsae\"; did you mean \"base\"?"},
    {"base: base\n", "base: base\ntokenizer: foo\n",
     "c.yaml:10: tokenizer: there is no model \"foo\" (known: base, ja, math)"},
    {"base: base\n", "tokenizer: ja\n",
     "c.yaml:2: method dare_ties needs a base: the model that the others were fine-tuned from"},
    {"method: dare_ties", "sources: [ja, mth]",
     "c.yaml:27: phases[0].merge.sources[1]: there is no model \"mth\"; did you mean \"math\"?"},
    {"method: dare_ties", "sources:\n        - ja\n        - ja", "c.yaml:29: \"ja\" is a source twice; remove one"},
    {"method: dare_ties", "sources: [ja, base]", "c.yaml:27: \"base\" is the base; remove it from the sources"},
    // Methods.
    {"      method: dare_ties\n      weight: [0, 2]\n      density: {low: 0.1, high: 0.9, start: 0.8}\n",
     "      method: slerp\n",
     "c.yaml:26: slerp takes the base and exactly one source, but there are 2; name one as in `sources: [math]`"},
    {"method: dare_ties", "method: task_arithmetic", "c.yaml:29: method task_arithmetic has no density; remove it"},
    {"method: dare_ties", "method: ties\n      rescale: l1", "c.yaml:28: method ties has no rescale; remove it"},
    {"method: dare_ties", "t: 0.5", "c.yaml:27: method dare_ties has no t; remove it"},
    {"method: dare_ties", "group_layers: 2",
     "c.yaml:27: group_layers counts only with `granularity: group`; write that or remove it"},
    // Data and task.
    {"rows: \"-2:\"", "rows: \"-2\"",
     "c.yaml:12: data.validation.rows must be \"first:end\" in row numbers, as in \"0:200\" or \"-200:\", but is "
     "\"-2\""},
    {"question: 0", "question: question",
     "c.yaml:15: data.test.question must be a column number from 0, since the file is a TSV file, but is \"question\""},
    {"template: plain", "template: plane",
     "c.yaml:19: task.prompt.template \"plane\" is not known; did you mean \"plain\"?"},
    {"template: plain", "text: \"Q: \"", "c.yaml:19: task.prompt.text must contain {input}, where the question goes"},
    {"template: plain", "template: plain\n    text: \"{input}\"",
     "c.yaml:18: task.prompt has both `template` and `text`; remove one of the two"},
    {"  prompt:\n    template: plain\n", "",
     "c.yaml:17: task.prompt needs `template: ja-alpaca-cot`, `template: plain` or an own `text` with {input}"},
    {"stop: [\"END\"]", "stop: [\"END\", \"\"]",
     "c.yaml:22: a stop text must not be empty, it would end every answer at once"},
    {"{expect: ja}", "{expect: Japanese}",
     "c.yaml:23: task.language.expect must be a language code such as ja or en that lid.176 knows, but is "
     "\"Japanese\""},
    {"{expect: ja}", "{expect: jp}",
     "c.yaml:23: task.language.expect must be a language code such as ja or en that lid.176 knows, but is \"jp\"; did "
     "you mean \"ja\"?"},
    // Phases.
    {"trials: 100", "trials: 100\n      generations: 4",
     "c.yaml:32: phases[0].budget needs exactly one of `trials` and `generations`"},
    {"    budget:\n      trials: 100", "    budget: {}",
     "c.yaml:32: phases[0].budget needs exactly one of `trials` and `generations`"},
    {"sigma: 0.2", "population: 1", "c.yaml:31: phases[0].optimizer.population must be at least 2"},
    {"sigma: 0.2", "population: 3\n      step_size: tpa", "c.yaml:31: step_size tpa needs a population of at least 4"},
    {"    budget:\n      trials: 100\n",
     "    budget: {trials: 1}\n  - name: ps\n    merge: {}\n    budget: {trials: 1}\n",
     "c.yaml:33: two phases have the name \"ps\"; rename one"},
};

TEST_F(ConfigTest, EachMistakeIsToldOnceWithItsLineAndRemedy) {
  Write("models/ja/config.txt", "");
  for (const ErrorCase& wrong : kErrorCases) {
    EXPECT_THAT(Errors(With(wrong.from, wrong.to)), ElementsAre(wrong.error)) << wrong.to;
  }
}

TEST_F(ConfigTest, ModelsOfUnequalShapeOrWithoutWeightsAreRefused) {
  WriteModel("math", R"({"num_hidden_layers": 5})");
  EXPECT_THAT(Errors(std::string(kSoundConfig)),
              ElementsAre("c.yaml:8: num_hidden_layers of models/math is 5, but that of models/base is 4; only models "
                          "of one shape can be merged"));
  WriteModel("ja", R"({"num_hidden_layers": 4, "hidden_size": 96, "vocab_size": 100})");
  WriteModel("math", R"({"num_hidden_layers": 4, "hidden_size": 128})");
  WriteModel("base", R"({"num_hidden_layers": 4, "hidden_size": 96, "vocab_size": 90})");
  EXPECT_THAT(Errors(std::string(kSoundConfig)),
              ElementsAre("c.yaml:8: hidden_size of models/math is 128, but that of models/base is 96; only models of "
                          "one shape can be merged"));
  WriteModel("math", "{}");
  EXPECT_THAT(
      Errors(std::string(kSoundConfig)),
      ElementsAre("c.yaml:8: models/math/config.json: \"num_hidden_layers\" must be a whole number, but is missing"));
  WriteModel("math", R"({"num_hidden_layers": 4})");
  std::filesystem::remove(folder_ / "models/math/model.safetensors");
  Write("models/math/pytorch_model.bin", "");
  EXPECT_THAT(
      Errors(std::string(kSoundConfig)),
      ElementsAre("c.yaml:8: models/math: has no *.safetensors file; convert its pickle checkpoint to safetensors "
                  "(save_pretrained)"));
}

TEST_F(ConfigTest, ChatNeedsATemplateInEachModelThatIsAsked) {
  const std::string chat = With("template: plain", "chat: true");
  EXPECT_THAT(Errors(chat),
              ElementsAre("c.yaml:19: task.prompt.chat: there is no chat template (neither chat_template.jinja nor "
                          "\"chat_template\" in tokenizer_config.json) in models/base, models/ja, models/math; leave "
                          "`chat` out, or take models that have one"));
  Write("models/base/chat_template.jinja", "{{ messages[0].content }}");
  Write("models/ja/tokenizer_config.json", R"({"chat_template": "{{ messages[0].content }}"})");
  Write("models/math/tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": ""}]})");
  EXPECT_THAT(Errors(chat), ElementsAre(HasSubstr("tokenizer_config.json) in models/math;")));
  Write("models/math/tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": ""}]})");
  EXPECT_THAT(Errors(chat), IsEmpty());
  // The base is asked only where it lends the tokenizer or is a parent.
  std::filesystem::remove(folder_ / "models/base/chat_template.jinja");
  EXPECT_THAT(Errors(chat), ElementsAre(HasSubstr("tokenizer_config.json) in models/base;")));
  EXPECT_THAT(Errors(With("base: base\n", "base: base\ntokenizer: ja\n", chat)), IsEmpty());
  Write("models/ja/tokenizer_config.json", "{");
  EXPECT_THAT(Errors(With("base: base\n", "base: base\ntokenizer: ja\n", chat)),
              ElementsAre(HasSubstr("models/ja/tokenizer_config.json: ")));
}

TEST(LanguageCodes, AreThoseOfTheModel) {
  EXPECT_THAT(LanguageCodes(), SizeIs(176));
  EXPECT_TRUE(std::is_sorted(LanguageCodes().begin(), LanguageCodes().end()));
  const auto gate = LanguageGate::Load(DepsPath("lid.176.ftz"));
  ASSERT_TRUE(gate.ok()) << gate.status();
  for (const std::string& code : LanguageCodes()) EXPECT_TRUE((*gate)->Knows(code)) << code;
}

TEST_F(ConfigTest, AllMistakesAreToldAtOnceInTheOrderOfTheirLines) {
  std::string text = With("trials: 100", "trials: 0");
  text = With("seed: 7", "sead: 7", text);
  text = With("template: plain", "template: foo", text);
  text = With("method: dare_ties", "method: 3", text);
  EXPECT_THAT(Errors(text), ElementsAre(HasSubstr("c.yaml:3: "), HasSubstr("c.yaml:19: "), HasSubstr("c.yaml:27: "),
                                        HasSubstr("c.yaml:33: ")));
  Write("c.yaml", text);
  const absl::Status status = ReadConfig(folder_ / "c.yaml").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::count(status.message().begin(), status.message().end(), '\n'), 3);
}

TEST_F(ConfigTest, AFloodOfMistakesIsCutOff) {
  std::string text(kSoundConfig);
  for (int i = 0; i < 500; ++i) absl::StrAppend(&text, "key", i, ": 1\n");
  const std::vector<std::string> errors = Errors(text);
  ASSERT_THAT(errors, SizeIs(101));
  EXPECT_EQ(errors.back(), "c.yaml: ... and 400 errors more");
}

TEST_F(ConfigTest, AliasBombsAndDeepNestingEndQuickly) {
  std::string bomb = "x: &a [\"END\", \"END\", \"END\", \"END\", \"END\", \"END\", \"END\", \"END\"]\nmodels: &b [";
  for (int i = 0; i < 2000; ++i) absl::StrAppend(&bomb, i == 0 ? "" : ", ", "{name: m, path: p}");
  bomb += "]\nphases:\n";
  for (int i = 0; i < 2000; ++i) bomb += "  - {merge: {sources: *b}}\n";
  EXPECT_THAT(Errors(bomb), SizeIs(101));
  EXPECT_THAT(Errors("name: " + std::string(100'000, '[')), SizeIs(1));
  EXPECT_THAT(Errors("name: " + std::string(100'000, '{')), SizeIs(1));
  EXPECT_FALSE(Errors("phases: &a [*a, *a]\nmodels: &b {name: *b}\n").empty());
}

// Mutations of a sound config: no crash, and every error has the form "c.yaml:LINE: ...".
TEST_F(ConfigTest, RandomTextNeverCrashes) {
  const std::string_view pieces[] = {"\n", "  ", ": ", "- ",     "[",    "]", "{", "}",  "&a ",   "*a",
                                     "\"", "'",  "~",  "!!int ", "<<: ", "|", "#", "\t", "1e999", "\xe3\x81\x82"};
  RandomStream random(11);
  for (int round = 0; round < 1000; ++round) {
    std::string text(kSoundConfig);
    for (uint64_t change = 1 + random.NextBelow(6); change > 0; --change) {
      const size_t at = random.NextBelow(text.size());
      const size_t cut = random.NextBelow(3) == 0 ? random.NextBelow(20) : 0;
      text.replace(at, std::min(cut, text.size() - at), pieces[random.NextBelow(std::size(pieces))]);
    }
    for (const std::string& error : Errors(text)) {
      EXPECT_TRUE(error.starts_with("c.yaml:") && error.find(": ") != std::string::npos) << error << "\n" << text;
    }
  }
}

// The configs that ship: sound, or lacking only the files that their comments say how to get.
TEST(ShippedConfigs, AreSoundExceptForMissingFiles) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("deploy")) {
    const std::string path = entry.path().string();
    const bool config = path.starts_with("deploy/experiments/") || path.starts_with("deploy/demo/");
    if (!config || entry.path().extension() != ".yaml") continue;
    ++count;
    const absl::StatusOr<std::string> text = ReadFile(path);
    v1::Experiment parsed;
    for (const std::string& error : ParseConfig(*text, path, parsed))
      EXPECT_THAT(error, HasSubstr("but there is no /"));
    EXPECT_FALSE(parsed.name().empty()) << path;
  }
  EXPECT_GE(count, 2);
}

TEST(ShippedConfigs, ThePapersSearchHasThePublishedNumbers) {
  const absl::StatusOr<std::string> text = ReadFile("deploy/experiments/evollm-jp-ps.yaml");
  v1::Experiment config;
  ParseConfig(*text, "deploy/experiments/evollm-jp-ps.yaml", config);
  const v1::Phase& phase = config.phases(0);
  EXPECT_EQ(phase.budget().trials(), 1000);
  EXPECT_EQ(phase.optimizer().bounds(), v1::Optimizer::RESAMPLE);
  EXPECT_EQ(phase.optimizer().sigma(), 1.0 / 6);
  EXPECT_EQ(config.task().decoding().max_new_tokens(), 1024);
  EXPECT_EQ(config.task().scorer().mode(), v1::Scorer::PAPER);
  EXPECT_EQ(PsSpace::Create(PsOptionsFromConfig(config, phase, 32))->dimension(), 204);
}

}  // namespace
}  // namespace heterosis
