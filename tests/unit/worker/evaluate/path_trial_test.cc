// SPDX-License-Identifier: Apache-2.0
// Trials of path recipes on the demo's models: parts stay resident, hops and scales count, and what is refused.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "tests/unit/worker/checkpoint/fixture.h"
#include "tests/unit/worker/evaluate/fixture.h"
#include "worker/checkpoint/checkpoint_writer.h"
#include "worker/evaluate/answering.h"
#include "worker/evaluate/merge_trial_runner.h"
#include "worker/evaluate/parts_merger.h"
#include "worker/model/weight_buffers.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;

Recipe Only(const std::string& name) {
  return SingleModelRecipe(name, name, DType::kFloat32);
}

Recipe Path(std::vector<Recipe> parts, std::vector<Hop> hops, ScaleTarget target = ScaleTarget::kStream) {
  Recipe recipe;
  recipe.tokenizer = parts[0].tokenizer;
  recipe.out_dtype = parts[0].out_dtype;
  recipe.parts = std::move(parts);
  recipe.path = std::move(hops);
  recipe.scale_applies_to = target;
  return recipe;
}

// Part 0's eight layers, with `between` before the last.
std::vector<Hop> Eight(const std::vector<Hop>& between = {}) {
  std::vector<Hop> hops;
  for (int layer = 0; layer < 7; ++layer) hops.push_back({0, layer, 1});
  hops.insert(hops.end(), between.begin(), between.end());
  hops.push_back({0, 7, 1});
  return hops;
}

void CopyModel(const std::string& from, const std::string& to) {
  std::filesystem::create_directories(std::filesystem::path(to).parent_path());
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

class PathTrialTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(DemoModels()); }

  void Start(const ModelFolders& models) {
    runner_ = MakeTrialRunner({.models = models, .device = TestCpu(), .language_model = LanguageModelPath()});
    ASSERT_TRUE(runner_->Prepare(DemoTask()).ok());
  }

  absl::StatusOr<ShardResult> Run(const Recipe& recipe) {
    ShardWork work;
    work.key = {7, 1, 2};
    work.recipe = recipe;
    work.problems = DemoProblems(16);
    for (int i = 0; i < 16; ++i) work.samples.push_back(i);
    return runner_->Run(work, kNotCancelled);
  }
  std::vector<SampleResult> Samples(const Recipe& recipe) {
    const absl::StatusOr<ShardResult> result = Run(recipe);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->samples : std::vector<SampleResult>();
  }
  std::string Error(const Recipe& recipe) {
    const absl::Status status = Run(recipe).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }

  // The demo's arithmetic expert cut to `layers`, as a folder.
  std::string Shallow(int64_t layers) {
    const std::string to = folder_ / absl::StrCat("math", layers);
    CopyModel(DemoModel("math"), to);
    Json config = ReadJsonFile(to + "/config.json").value();
    config["num_hidden_layers"] = layers;
    WriteText(to + "/config.json", JsonText(config));
    return to;
  }

  TemporaryFolder folder_;
  std::unique_ptr<TrialRunner> runner_;
};

TEST_F(PathTrialTest, TheParentsOwnPathAnswersAsTheParent) {
  const std::vector<SampleResult> ja = Samples(Only("ja")), math = Samples(Only("math"));
  ASSERT_NE(ja, math);
  EXPECT_EQ(Samples(Path({Only("ja"), Only("math")}, Eight())), ja);
  EXPECT_EQ(Samples(Path({Only("ja"), Only("math")}, Eight(), ScaleTarget::kBranch)), ja);
  EXPECT_EQ(Samples(Path({Only("math"), Only("ja"), Only("base")}, Eight())), math);
  EXPECT_EQ(Samples(Path({DemoMerge(0.8, 0.7), Only("math")}, Eight())), Samples(DemoMerge(0.8, 0.7)));
}

// The embedding, the final norm and the head are part 0's; of the others only layers count.
TEST_F(PathTrialTest, AllLayersOfAnotherPartUnderTheEndsOfPartZero) {
  std::vector<Hop> all;
  for (int layer = 0; layer < 8; ++layer) all.push_back({1, layer, 1});
  EXPECT_EQ(Samples(Path({Only("ja"), Only("ja")}, all)), Samples(Only("ja")));
  EXPECT_NE(Samples(Path({Only("ja"), Only("math")}, all)), Samples(Only("ja")));
}

TEST_F(PathTrialTest, HopsAndScalesCount) {
  const std::vector<Recipe> parts{Only("ja"), Only("math")};
  const std::vector<SampleResult> plain = Samples(Path(parts, Eight()));
  const std::vector<SampleResult> longer = Samples(Path(parts, Eight({{1, 3, 1}, {1, 4, 1}})));
  EXPECT_NE(longer, plain);
  EXPECT_NE(Samples(Path(parts, Eight({{1, 4, 1}, {1, 3, 1}}))), longer);
  const std::vector<Hop> scaled = Eight({{1, 3, 0.3}, {1, 4, 2.5}});
  const std::vector<SampleResult> stream = Samples(Path(parts, scaled));
  const std::vector<SampleResult> branch = Samples(Path(parts, scaled, ScaleTarget::kBranch));
  EXPECT_NE(stream, longer);
  EXPECT_NE(branch, longer);
  EXPECT_NE(stream, branch);
}

TEST_F(PathTrialTest, ResultsDoNotDependOnWhatRanBefore) {
  const Recipe path = Path({DemoMerge(0.8, 0.7), Only("math")}, Eight({{1, 5, 0.8}}));
  const std::vector<SampleResult> first = Samples(path);
  Samples(Path({DemoMerge(0.3, 0.1), Only("math")}, Eight()));  // another part 0 in the same buffers
  EXPECT_EQ(Samples(path), first);
  Samples(Only("math"));
  EXPECT_EQ(Samples(path), first);
  SetUp();  // another worker
  EXPECT_EQ(Samples(path), first);
}

// Once the parts are merged, their files are read no more: here they are overwritten.
TEST_F(PathTrialTest, AnotherPathThroughTheSamePartsCostsNoMerge) {
  const Recipe path = Path({DemoMerge(0.8, 0.7), Only("math")}, Eight({{1, 3, 1}, {0, 2, 0.9}}));
  const std::vector<SampleResult> expected = Samples(path);
  ModelFolders copies;
  for (const auto& [name, folder] : DemoModels()) {
    copies[name] = folder_ / name;
    CopyModel(folder, copies[name]);
  }
  Start(copies);
  Samples(Path({DemoMerge(0.8, 0.7), Only("math")}, Eight()));
  for (const auto& [name, folder] : copies) {
    std::fstream file(folder + "/model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-static_cast<std::streamoff>(size_t{1} << 20), std::ios::end);  // the last MiB: layers and final norm
    const std::string ones(size_t{1} << 20, '\xff');                           // NaN as float32
    file.write(ones.data(), static_cast<std::streamsize>(ones.size()));
  }
  EXPECT_EQ(Samples(path), expected);
  // A new merge does read them.
  EXPECT_EQ(Run(Path({DemoMerge(0.8, 0.6), Only("math")}, Eight())).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(PathTrialTest, PartsMayDifferInDepth) {
  ModelFolders models = DemoModels();
  models["math5"] = Shallow(5);
  Start(models);
  const std::vector<Hop> between{{1, 3, 1.1}, {1, 4, 0.9}};
  const std::vector<SampleResult> expected = Samples(Path({Only("ja"), Only("math")}, Eight(between)));
  EXPECT_EQ(Samples(Path({Only("ja"), Only("math5")}, Eight(between))), expected);
  EXPECT_EQ(Samples(Path({Only("ja"), Only("math5"), Only("math")}, Eight({{2, 3, 1.1}, {1, 4, 0.9}}))), expected);
  EXPECT_THAT(Error(Path({Only("ja"), Only("math5")}, Eight({{1, 5, 1}}))),
              HasSubstr("hop 7 of the path names layer 5 of part 1 (math5), which has 5 layers"));
  // Part 0 the shallow one.
  std::vector<Hop> five;
  for (int layer = 0; layer < 5; ++layer) five.push_back({0, layer, 1});
  EXPECT_EQ(Samples(Path({Only("math5"), Only("ja")}, five)), Samples(Only("math5")));
  Recipe uneven = DemoMerge(0.5, 0.5);
  uneven.sources = {"ja", "math5"};
  EXPECT_THAT(Error(uneven), HasSubstr("model \"math5\" has 5 layers, the merged model has 8"));
}

TEST_F(PathTrialTest, LayersOfAnotherSizeAreRefused) {
  ModelFolders models = DemoModels();
  models["tiny"] = folder_ / "tiny";
  Json config = TinyConfig();
  config["vocab_size"] = 768;
  WriteTinyModel(models["tiny"], config, DType::kFloat32);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) {
    std::filesystem::copy(DemoModel("base") + "/" + file, models["tiny"] + "/" + file);
  }
  Start(models);
  const std::string error = Error(Path({Only("ja"), Only("tiny")}, Eight({{1, 0, 1}})));
  EXPECT_THAT(error, HasSubstr("part 1 of the path (tiny) has hidden size 8, intermediate size 12, 2 heads"));
  EXPECT_THAT(error, HasSubstr("but part 0 (ja) has hidden size 96"));
  EXPECT_THAT(error, HasSubstr("a path needs layers of one size"));
}

TEST_F(PathTrialTest, WhatIsNoPathThroughThesePartsIsRefused) {
  const std::vector<Recipe> parts{Only("ja"), Only("math")};
  EXPECT_THAT(Error(Path(parts, Eight({{2, 0, 1}}))), HasSubstr("hop 7"));
  EXPECT_THAT(Error(Path(parts, Eight({{0, 8, 1}}))),
              HasSubstr("hop 7 of the path names layer 8 of part 0 (ja), which has 8 layers"));
  Recipe other_tokenizer = Path(parts, Eight());
  other_tokenizer.tokenizer = "math";
  EXPECT_THAT(Error(other_tokenizer), HasSubstr("a path has the tokenizer of its part 0 (\"ja\")"));
  EXPECT_EQ(Run(Path({Only("ja"), Only("nobody")}, Eight())).status().code(), absl::StatusCode::kNotFound);
  // Too large for f32: a failure of the genome, not of the worker.
  const std::vector<Hop> huge = Eight({{1, 0, 1e30}, {1, 1, 1e30}, {1, 2, 1e30}});
  EXPECT_EQ(Run(Path(parts, huge)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Run(Path(parts, Eight())).ok());  // and none of them does harm
}

TEST_F(PathTrialTest, ADataFlowModelCannotBeAParent) {
  ModelFolders models = DemoModels();
  models["flow"] = Shallow(8);
  Json config = ReadJsonFile(models["flow"] + "/config.json").value();
  PathConfig path;
  for (const int layer : {0, 1, 2, 3, 4, 5, 6, 7, 6}) path.hops.push_back({layer, 0.9f});
  WritePathConfig(path, "MistralForCausalLM", config);
  WriteText(models["flow"] + "/config.json", JsonText(config));
  Start(models);
  EXPECT_THAT(Error(Path({Only("ja"), Only("flow")}, Eight())), HasSubstr("can be run, not merged"));
  EXPECT_THAT(Error(Only("flow")), HasSubstr("\"flow\" is a data-flow model"));
}

class PartsMergerTest : public ::testing::Test {
 protected:
  // All bytes of the tensors whose names in the whole model `name` gives.
  static void ExpectPart(const Recipe& part, int64_t first_layer, std::span<const MutableTensor> slots) {
    ModelLibrary library(DemoModels());
    RecipeMerger whole = MakeRecipeMerger(ShapeOf(part), library, 2).value();
    const WeightBuffers buffers = WeightBuffers::Allocate(whole.merger->output(), part.out_dtype).value();
    ASSERT_TRUE(whole.merger->Merge(part, buffers.tensors()).ok());
    for (const MutableTensor& tensor : buffers.tensors()) {
      const int64_t layer = LayerOf(tensor.name);
      if (layer < 0 && first_layer > 0) continue;
      const std::string name = layer < 0 ? tensor.name : NameInLayer(tensor.name, first_layer + layer);
      const auto slot = std::find_if(slots.begin(), slots.end(), [&](const auto& s) { return s.name == name; });
      ASSERT_NE(slot, slots.end()) << name;
      ExpectSameBytes({name, tensor.shape, tensor.dtype, tensor.data},
                      {slot->name, slot->shape, slot->dtype, slot->data});
    }
  }
};

// Masks are keyed by the tensor's own name and mergekit's run over a whole model: a part's bytes are those of its
// merge.
TEST_F(PartsMergerTest, EachPartHasTheBytesOfItsMerge) {
  for (const MaskSource mask : {MaskSource::kCounter, MaskSource::kMergekit}) {
    Recipe second = DemoMerge(0.4, 0.9);
    second.mask = mask;
    const Recipe path = Path({DemoMerge(0.8, 0.7), second, Only("math")}, Eight());
    ModelLibrary library(DemoModels());
    PartsMerger merger = PartsMerger::Create(path, library, 2).value();
    EXPECT_EQ(merger.config().num_layers, 24);
    const WeightBuffers buffers = WeightBuffers::Allocate(merger.output(), DType::kFloat32).value();
    for (size_t part = 0; part < 3; ++part) ASSERT_TRUE(merger.Merge(path, part, buffers.tensors()).ok());
    for (size_t part = 0; part < 3; ++part) {
      ExpectPart(path.parts[part], static_cast<int64_t>(part) * 8, buffers.tensors());
    }
  }
}

TEST_F(PartsMergerTest, ServesWhatDiffersInWeightsAndHopsOnly) {
  ModelLibrary library(DemoModels());
  const PartsMerger merger =
      PartsMerger::Create(Path({DemoMerge(0.8, 0.7), Only("math")}, Eight()), library, 1).value();
  EXPECT_TRUE(merger.Serves(Path({DemoMerge(0.1, 0.2), Only("math")}, Eight({{1, 2, 0.5}}))));
  EXPECT_FALSE(merger.Serves(Path({DemoMerge(0.8, 0.7), Only("ja")}, Eight())));
  EXPECT_FALSE(merger.Serves(Path({DemoMerge(0.8, 0.7)}, Eight())));
  EXPECT_FALSE(merger.Serves(DemoMerge(0.8, 0.7)));
  EXPECT_FALSE(merger.Serves(Path({Only("math"), DemoMerge(0.8, 0.7)}, Eight())));
}

}  // namespace
}  // namespace heterosis
