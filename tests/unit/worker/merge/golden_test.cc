// SPDX-License-Identifier: Apache-2.0
// Merges of single tensors against vectors that mergekit 0.1.5 made (shared/golden/merge), for every variant of the
// kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "common/base/json.h"
#include "tests/support/shared.h"
#include "tests/unit/worker/merge/tensor_values.h"
#include "worker/checkpoint/safetensors.h"
#include "worker/merge/masks.h"
#include "worker/merge/merger.h"

namespace heterosis {
namespace {

constexpr char kTensor[] = "w";

class Golden : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = SharedPath("golden/merge/golden.safetensors");
    if (path.empty()) GTEST_SKIP() << kNoShared;
    absl::StatusOr<MappedFile> file = MappedFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *std::move(file);
    const auto entries = ParseSafetensors(file_.bytes(), path);
    ASSERT_TRUE(entries.ok()) << entries.status();
    for (const SafetensorsEntry& entry : *entries) {
      const auto tensor = WeightOf(entry);
      if (tensor.ok()) tensors_.emplace(entry.name, *tensor);
      bytes_.emplace(entry.name, entry);
    }
    auto manifest = ReadJsonFile(SharedPath("golden/merge/manifest.json"));
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    manifest_ = *std::move(manifest);
  }

  // The cases of a method; the test fails if there are none.
  std::vector<Json> CasesOf(std::string_view method) {
    std::vector<Json> cases;
    for (const Json& one : manifest_["cases"]) {
      if (one["method"] == method) cases.push_back(one);
    }
    EXPECT_FALSE(cases.empty());
    return cases;
  }

  static double Parameter(const Json& params, const char* key, const std::string& model, double fallback) {
    const Json* value = JsonFind(params, key);
    if (value == nullptr) return fallback;
    if (value->is_object()) return (*value)[model].get<double>();
    return value->get<double>();
  }

  // mergekit's defaults: ties normalizes, dare rescales (generalized_task_arithmetic.py), linear normalizes.
  static Recipe RecipeOf(const Json& one) {
    const Json& params = one["params"];
    Recipe recipe;
    recipe.method = *MergeMethodFromName(one["method"].get<std::string>());
    const bool is_dare = recipe.method == MergeMethod::kDareLinear || recipe.method == MergeMethod::kDareTies;
    const bool has_density = is_dare || recipe.method == MergeMethod::kTies;
    if (recipe.method != MergeMethod::kLinear) recipe.base = one["base"].get<std::string>();
    ParameterRow row;
    row.match = {"*"};
    for (const Json& name : one["models"]) {
      const std::string model = name.get<std::string>();
      if (model == recipe.base) continue;
      recipe.sources.push_back(model);
      if (recipe.method != MergeMethod::kSlerp) row.weight.push_back(Parameter(params, "weight", model, 1));
      if (has_density) row.density.push_back(Parameter(params, "density", model, 1));
    }
    row.t = Parameter(params, "t", "", 0);
    recipe.rows = {row};
    recipe.tokenizer = recipe.sources.front();
    recipe.normalize =
        params.value("normalize", recipe.method == MergeMethod::kTies || recipe.method == MergeMethod::kLinear);
    recipe.lambda = params.value("lambda", 1.0);
    recipe.rescale = params.value("rescale", is_dare) ? Rescale::kL1 : Rescale::kNone;
    recipe.mask = MaskSource::kMergekit;
    recipe.mask_seed = one["seed"].is_null() ? 0 : one["seed"].get<uint64_t>();
    recipe.dtype = *DTypeFromName((one["dtype"].is_null() ? one["in_dtype"] : one["dtype"]).get<std::string>());
    recipe.out_dtype = *DTypeFromName(one["out_dtype_actual"].get<std::string>());
    return recipe;
  }

  ConstTensor Input(const Json& one, const std::string& model) {
    return tensors_.at("in/" + one["set"].get<std::string>() + "/" + model);
  }

  std::vector<float> Merge(const Json& one, const Kernels& kernels) {
    MergerOptions options;
    for (const Json& name : one["models"]) {
      MergeModel model;
      model.name = name.get<std::string>();
      model.tensors = {Input(one, model.name)};
      model.tensors.front().name = kTensor;
      options.models.push_back(model);
    }
    options.output = {{kTensor, options.models.front().tensors.front().shape}};
    options.kernels = &kernels;
    const Recipe recipe = RecipeOf(one);
    auto merger = Merger::Create(options);
    EXPECT_TRUE(merger.ok()) << merger.status();
    const int64_t n = ElementCount(options.output.front().shape);
    std::vector<std::byte> buffer(static_cast<size_t>(n) * SizeBytes(recipe.out_dtype));
    const MutableTensor out{kTensor, options.output.front().shape, recipe.out_dtype, buffer.data()};
    const absl::Status merged = (*merger)->Merge(recipe, {&out, 1});
    EXPECT_TRUE(merged.ok()) << merged;
    return ToFloats({kTensor, out.shape, out.dtype, out.data});
  }

  // Elements that lie at a TIES threshold where mergekit keeps only some of the equal ones, by sorting.
  std::set<size_t> TiedElements(const Json& one) {
    const Recipe recipe = RecipeOf(one);
    std::set<size_t> tied;
    if (recipe.method != MergeMethod::kTies) return tied;
    const std::vector<float> base = ToFloats(Input(one, recipe.base));
    for (size_t m = 0; m < recipe.sources.size(); ++m) {
      const double density = recipe.rows.front().density[m];
      if (density <= 0 || density >= 1) continue;
      std::vector<float> magnitudes = ToFloats(Input(one, recipe.sources[m]));
      for (size_t i = 0; i < base.size(); ++i) {
        magnitudes[i] = std::fabs(RoundTo(recipe.dtype, magnitudes[i] - base[i]));
      }
      std::vector<float> sorted = magnitudes;
      std::sort(sorted.begin(), sorted.end(), std::greater<>());
      const auto k = std::max<size_t>(1, static_cast<size_t>(density * static_cast<double>(sorted.size())));
      if (k == sorted.size() || sorted[k] < sorted[k - 1]) continue;
      for (size_t i = 0; i < magnitudes.size(); ++i) {
        if (magnitudes[i] == sorted[k - 1]) tied.insert(i);
      }
    }
    return tied;
  }

  void CheckMethod(std::string_view method) {
    for (const Json& one : CasesOf(method)) {
      const std::string name = one["name"].get<std::string>();
      const std::vector<float> expected = ToFloats(tensors_.at("out/" + name));
      const std::set<size_t> tied = TiedElements(one);
      // torch sums the L1 norms of float32 tensors in another order.
      const bool is_rescaled = RecipeOf(one).rescale == Rescale::kL1 && one["in_dtype"] == "float32";
      for (const Kernels* kernels : RunnableKernels()) {
        const std::vector<float> merged = Merge(one, *kernels);
        ASSERT_EQ(merged.size(), expected.size()) << name;
        int64_t worst = 0;
        for (size_t i = 0; i < merged.size(); ++i) {
          if (!tied.contains(i)) worst = std::max(worst, UlpsApart(merged[i], expected[i]));
        }
        EXPECT_LE(worst, is_rescaled ? 8 : 0) << name << ", " << kernels->name;
      }
      EXPECT_LT(tied.size(), expected.size()) << name;
    }
  }

  MappedFile file_;
  std::map<std::string, ConstTensor> tensors_;
  std::map<std::string, SafetensorsEntry> bytes_;
  Json manifest_;
};

TEST_F(Golden, LinearIsBitExact) {
  CheckMethod("linear");
}
TEST_F(Golden, SlerpIsBitExact) {
  CheckMethod("slerp");
}
TEST_F(Golden, TaskArithmeticIsBitExact) {
  CheckMethod("task_arithmetic");
}
TEST_F(Golden, TiesIsBitExactButForTiesAtTheThreshold) {
  CheckMethod("ties");
}
TEST_F(Golden, DareLinearReplaysMergekitsMasks) {
  CheckMethod("dare_linear");
}
TEST_F(Golden, DareTiesReplaysMergekitsMasks) {
  CheckMethod("dare_ties");
}

// The masks themselves, not only what they lead to: one per source, row-major, in the order of the sources.
TEST_F(Golden, DrawnMasksAreMergekitsBitForBit) {
  size_t checked = 0;
  for (const char* method : {"dare_linear", "dare_ties"}) {
    for (const Json& one : CasesOf(method)) {
      const auto mask = bytes_.find("out/" + one["name"].get<std::string>() + "/mask");
      const Recipe recipe = RecipeOf(one);
      const std::vector<double>& density = recipe.rows.front().density;
      if (mask == bytes_.end() || std::any_of(density.begin(), density.end(), [](double d) { return d >= 1; }))
        continue;
      ++checked;
      MergekitMaskStream stream(recipe.mask_seed);
      const std::span<const std::byte> all = mask->second.bytes;
      const size_t n = all.size() / density.size();
      std::vector<uint64_t> bits;
      for (size_t m = 0; m < density.size(); ++m) {
        stream.Draw(density[m], recipe.dtype, static_cast<int64_t>(n), &bits);
        for (size_t i = 0; i < n; ++i) {
          ASSERT_EQ((bits[i / 64] >> (i % 64)) & 1, static_cast<uint64_t>(all[m * n + i])) << one["name"] << " " << i;
        }
      }
    }
  }
  EXPECT_GE(checked, 6u);
}

}  // namespace
}  // namespace heterosis
