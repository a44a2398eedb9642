// SPDX-License-Identifier: Apache-2.0
// Opening model folders, whole and broken, and writing them: what is written is read back byte for byte.
#include "worker/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "common/base/file.h"
#include "tests/support/shared.h"
#include "tests/unit/worker/checkpoint/fixture.h"
#include "worker/checkpoint/checkpoint_writer.h"

namespace heterosis {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class CheckpointTest : public testing::Test {
 protected:
  std::string Folder() const { return folder_ / "model"; }
  std::string OpenError() const {
    const auto checkpoint = Checkpoint::Open(Folder());
    EXPECT_FALSE(checkpoint.ok());
    return std::string(checkpoint.status().message());
  }
  // Rewrites the tiny model after `change` has been applied to its tensors.
  void WriteChanged(const std::function<void(std::vector<ConstTensor>*)>& change, DType dtype = DType::kFloat32) {
    TensorSet set(ExpectedTensors(ConfigOf(Folder(), TinyConfig())), dtype);
    change(&set.tensors());
    ASSERT_TRUE(WriteSafetensors(Folder() + "/model.safetensors", set.tensors()).ok());
  }
  CheckpointOutput Output(const std::string& name) const {
    CheckpointOutput output;
    output.folder = folder_ / name;
    output.tokenizer_folder = Folder();
    output.config = TinyConfig();
    output.base_models = {"org/one", "org/\"two\""};
    return output;
  }

  TemporaryFolder folder_;
};

TEST_F(CheckpointTest, OpensTheTensorsInTheDecodersOrder) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kFloat16}) {
    WriteTinyModel(Folder(), TinyConfig(), dtype);
    const auto checkpoint = Checkpoint::Open(Folder());
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    const std::vector<TensorSpec> specs = ExpectedTensors((*checkpoint)->config());
    TensorSet expected(specs, dtype);
    ASSERT_EQ((*checkpoint)->tensors().size(), specs.size());
    for (size_t i = 0; i < specs.size(); ++i) ExpectSameBytes((*checkpoint)->tensors()[i], expected.tensors()[i]);
    EXPECT_NE((*checkpoint)->Find("model.norm.weight"), nullptr);
    EXPECT_EQ((*checkpoint)->Find("model.norm.bias"), nullptr);
  }
}

TEST_F(CheckpointTest, TensorsThatTheModelDoesNotNeedAreIgnored) {
  TensorSet more({{"model.layers.0.self_attn.rotary_emb.inv_freq", {2}}}, DType::kFloat32);
  WriteChanged([&](std::vector<ConstTensor>* tensors) { tensors->push_back(more.tensors().front()); });
  EXPECT_TRUE(Checkpoint::Open(Folder()).ok());
}

TEST_F(CheckpointTest, MissingTensorIsNamed) {
  WriteChanged([](std::vector<ConstTensor>* tensors) { tensors->erase(tensors->begin() + 3); });
  EXPECT_THAT(OpenError(), AllOf(HasSubstr("model.safetensors"), HasSubstr("model.layers.0.self_attn.k_proj.weight")));
}

TEST_F(CheckpointTest, WrongShapeIsNamed) {
  WriteChanged([](std::vector<ConstTensor>* tensors) { (*tensors)[0].shape = {8, 10}; });
  EXPECT_THAT(OpenError(), AllOf(HasSubstr("model.embed_tokens.weight has shape [8, 10]"), HasSubstr("[10, 8]")));
}

TEST_F(CheckpointTest, WrongDtypeIsNamed) {
  WriteTinyModel(Folder(), TinyConfig(), DType::kFloat32);
  const std::string path = Folder() + "/model.safetensors";
  std::string text = *ReadFile(path);
  const size_t at = text.find("\"F32\"");
  text.replace(at, 5, "\"I32\"");
  WriteText(path, text);
  EXPECT_THAT(OpenError(), AllOf(HasSubstr("dtype I32"), HasSubstr("F32, BF16, F16")));
}

TEST_F(CheckpointTest, PickledWeightsAreRefusedWithTheRemedy) {
  for (const char* name : {"pytorch_model.bin", "consolidated.00.pth", "model.pt"}) {
    fs::remove_all(Folder());
    ConfigOf(Folder(), TinyConfig());
    WriteText(Folder() + "/" + name, "\x80\x02");
    EXPECT_THAT(OpenError(), AllOf(HasSubstr(name), HasSubstr("pickled"), HasSubstr("save_pretrained")));
  }
}

TEST_F(CheckpointTest, FolderWithoutWeightsOrConfigIsRefused) {
  EXPECT_THAT(OpenError(), HasSubstr("no such model folder"));
  ConfigOf(Folder(), TinyConfig());
  EXPECT_THAT(OpenError(), HasSubstr("model.safetensors"));
  fs::remove(Folder() + "/config.json");
  WriteText(Folder() + "/model.safetensors", "");
  EXPECT_THAT(OpenError(), HasSubstr("config.json"));
}

TEST_F(CheckpointTest, IndexThatLeadsOutOfTheFolderIsRefused) {
  const ModelConfig config = ConfigOf(Folder(), TinyConfig());
  for (const Json& file : {Json("../evil.safetensors"), Json("/etc/passwd"), Json("model.bin"), Json(3)}) {
    Json map = Json::object();
    for (const TensorSpec& spec : ExpectedTensors(config)) map[spec.name] = file;
    WriteText(Folder() + "/model.safetensors.index.json", JsonText({{"weight_map", map}}));
    EXPECT_THAT(OpenError(), HasSubstr("must be the name of a .safetensors file in this folder"));
  }
}

TEST_F(CheckpointTest, BrokenIndexesAreRefused) {
  const ModelConfig config = ConfigOf(Folder(), TinyConfig());
  const std::string path = Folder() + "/model.safetensors.index.json";
  for (const char* text : {"{", "[]", R"({"weight_map": []})", "{}"}) {
    WriteText(path, text);
    EXPECT_THAT(OpenError(), HasSubstr("index.json"));
  }
  Json map = Json::object();
  for (const TensorSpec& spec : ExpectedTensors(config)) map[spec.name] = "model-00001-of-00001.safetensors";
  WriteText(path, JsonText({{"weight_map", map}}));
  EXPECT_THAT(OpenError(), AllOf(HasSubstr("model-00001-of-00001.safetensors"), HasSubstr("missing")));
  map.erase("model.norm.weight");
  WriteText(path, JsonText({{"weight_map", map}}));
  EXPECT_THAT(OpenError(), HasSubstr("has no model.norm.weight"));
}

TEST_F(CheckpointTest, WrittenShardsAreReadBackByteForByte) {
  WriteTinyModel(Folder(), TinyConfig(), DType::kBFloat16);
  const auto original = Checkpoint::Open(Folder());
  ASSERT_TRUE(original.ok()) << original.status();
  for (const int64_t shard_bytes : {int64_t{1}, int64_t{300}, int64_t{1} << 30}) {
    CheckpointOutput output = Output("copy" + std::to_string(shard_bytes));
    output.shard_bytes = shard_bytes;
    const absl::Status written = WriteCheckpoint(output, (*original)->tensors());
    ASSERT_TRUE(written.ok()) << written;
    const bool is_single = FileExists(output.folder + "/model.safetensors");
    EXPECT_EQ(is_single, shard_bytes == int64_t{1} << 30);
    const auto copy = Checkpoint::Open(output.folder);
    ASSERT_TRUE(copy.ok()) << copy.status();
    ASSERT_EQ((*copy)->tensors().size(), (*original)->tensors().size());
    for (size_t i = 0; i < (*copy)->tensors().size(); ++i) {
      ExpectSameBytes((*copy)->tensors()[i], (*original)->tensors()[i]);
    }
  }
}

TEST_F(CheckpointTest, ShardsRespectTheirSize) {
  WriteTinyModel(Folder(), TinyConfig(), DType::kFloat32);
  const auto original = Checkpoint::Open(Folder());
  CheckpointOutput output = Output("copy");
  output.shard_bytes = 600;
  ASSERT_TRUE(WriteCheckpoint(output, (*original)->tensors()).ok());
  const auto index = ReadJsonFile(output.folder + "/model.safetensors.index.json");
  ASSERT_TRUE(index.ok()) << index.status();
  std::map<std::string, int64_t> bytes;
  int64_t total = 0;
  for (const ConstTensor& tensor : (*original)->tensors()) {
    const int64_t size = ElementCount(tensor.shape) * 4;
    bytes[index->at("weight_map").at(tensor.name).get<std::string>()] += size;
    total += size;
  }
  EXPECT_EQ(index->at("metadata").at("total_size"), total);
  EXPECT_GT(bytes.size(), 3u);
  for (const auto& [file, size] : bytes) {
    EXPECT_LE(size, 600) << file;
    EXPECT_TRUE(FileExists(output.folder + "/" + file));
  }
}

TEST_F(CheckpointTest, TokenizerAndExtraFilesAndCardAreWritten) {
  WriteTinyModel(Folder(), TinyConfig(), DType::kFloat32);
  WriteText(Folder() + "/tokenizer.json", "{}");
  WriteText(Folder() + "/secret.txt", "x");
  CheckpointOutput output = Output("copy");
  output.extra_files["recipe.json"] = "{\"a\": 1}\n";
  output.description = "Made by recipe 7.\n";
  ASSERT_TRUE(WriteCheckpoint(output, (*Checkpoint::Open(Folder()))->tensors()).ok());
  EXPECT_TRUE(FileExists(output.folder + "/tokenizer.json"));
  EXPECT_FALSE(FileExists(output.folder + "/secret.txt"));
  EXPECT_EQ(*ReadFile(output.folder + "/recipe.json"), "{\"a\": 1}\n");
  EXPECT_EQ(*ParseJson(*ReadFile(output.folder + "/config.json")), TinyConfig());
  EXPECT_THAT(*ReadFile(output.folder + "/README.md"),
              AllOf(HasSubstr("- \"org/one\"\n- \"org/\\\"two\\\"\"\n"), HasSubstr("Made by recipe 7.")));
}

TEST_F(CheckpointTest, NothingIsOverwritten) {
  WriteTinyModel(Folder(), TinyConfig(), DType::kFloat32);
  CheckpointOutput output = Output("model");
  const absl::Status status = WriteCheckpoint(output, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(Checkpoint::Open(Folder()).ok());
  WriteText(folder_ / "file", "x");
  EXPECT_FALSE(WriteCheckpoint(Output("file"), {}).ok());
  EXPECT_EQ(*ReadFile(folder_ / "file"), "x");
}

TEST_F(CheckpointTest, FailedWriteLeavesNothingBehind) {
  WriteTinyModel(Folder(), TinyConfig(), DType::kFloat32);
  CheckpointOutput output = Output("new/copy/");
  output.extra_files["no/such/folder"] = "x";
  EXPECT_FALSE(WriteCheckpoint(output, (*Checkpoint::Open(Folder()))->tensors()).ok());
  EXPECT_TRUE(fs::is_empty(folder_ / "new"));
}

TEST_F(CheckpointTest, EmptyFolderIsFilled) {
  WriteTinyModel(Folder(), TinyConfig(), DType::kFloat32);
  fs::create_directories(folder_ / "empty");
  ASSERT_TRUE(WriteCheckpoint(Output("empty/"), (*Checkpoint::Open(Folder()))->tensors()).ok());
  EXPECT_TRUE(Checkpoint::Open(folder_ / "empty").ok());
}

class OutputConfigTest : public CheckpointTest {
 protected:
  ModelConfig Config(const std::function<void(Json*)>& change) {
    Json json = TinyConfig();
    change(&json);
    return ConfigOf(Folder(), json);
  }
};

TEST_F(OutputConfigTest, DtypeIsWrittenInTheFilesSpelling) {
  const ModelConfig newer = Config([](Json*) {});
  const ModelConfig* one = &newer;
  EXPECT_EQ(OutputConfig(newer, {&one, 1}, DType::kBFloat16).raw["dtype"], "bfloat16");
  EXPECT_FALSE(OutputConfig(newer, {&one, 1}, DType::kBFloat16).raw.contains("torch_dtype"));
  const ModelConfig older = Config([](Json* json) {
    json->erase("dtype");
    (*json)["torch_dtype"] = "float32";
  });
  const Json raw = OutputConfig(older, {&one, 1}, DType::kFloat16).raw;
  EXPECT_EQ(raw["torch_dtype"], "float16");
  EXPECT_FALSE(raw.contains("dtype"));
}

TEST_F(OutputConfigTest, HeadIsTiedOnlyWhereAllSourcesTieIt) {
  const ModelConfig tied = Config([](Json* json) { (*json)["tie_word_embeddings"] = true; });
  const ModelConfig untied = Config([](Json*) {});
  const std::vector<const ModelConfig*> both{&tied, &untied}, ties{&tied, &tied};
  EXPECT_FALSE(OutputConfig(tied, both, DType::kFloat32).tie_word_embeddings);
  EXPECT_EQ(OutputConfig(tied, both, DType::kFloat32).raw["tie_word_embeddings"], false);
  EXPECT_TRUE(OutputConfig(tied, ties, DType::kFloat32).tie_word_embeddings);
}

}  // namespace
}  // namespace heterosis
