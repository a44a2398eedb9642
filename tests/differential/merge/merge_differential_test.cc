// SPDX-License-Identifier: Apache-2.0
// Whole models merged by us from mergekit's YAML files equal what mergekit itself makes of them, live.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/genome/mergekit_yaml.h"
#include "tests/support/shared.h"
#include "tests/unit/worker/merge/tensor_values.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/checkpoint/checkpoint_writer.h"
#include "worker/merge/merger.h"
#include "worker/model/weight_buffers.h"

namespace heterosis {
namespace {

using Opened = std::shared_ptr<const Checkpoint>;

Opened Open(const std::string& folder) {
  auto checkpoint = Checkpoint::Open(folder);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  return checkpoint.ok() ? *checkpoint : nullptr;
}

// The distance from 1 to the next number.
float Unit(DType dtype) {
  return dtype == DType::kFloat32 ? 0x1p-23f : dtype == DType::kFloat16 ? 0x1p-10f : 0x1p-7f;
}

class MergeDifferentialTest : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    const std::string command = "OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 " + DepsPath("venv/bin/python") +
                                " tests/differential/merge/make_merges.py " + folder_->path() + " >&2";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  static void TearDownTestSuite() { folder_.reset(); }

  void SetUp() override {
    const auto file = MergekitFile::Read(*folder_ / (std::string(GetParam()) + ".yml"));
    ASSERT_TRUE(file.ok()) << file.status();
    for (const NamedModel& model : file->models()) {
      names_.push_back(model.name);
      checkpoints_.push_back(Open(model.path));
      ASSERT_NE(checkpoints_.back(), nullptr);
    }
    const Checkpoint& first = *checkpoints_.front();
    MergekitModelFacts facts{.num_layers = static_cast<int>(first.config().num_layers), .tensors = {}};
    for (const ConstTensor& tensor : first.tensors()) facts.tensors.push_back(tensor.name);
    facts.dtype = first.config().dtype;
    auto recipe = file->ToRecipe(facts);
    ASSERT_TRUE(recipe.ok()) << recipe.status();
    recipe_ = *std::move(recipe);
    recipe_.mask = MaskSource::kMergekit;
    recipe_.mask_seed = 42;
    theirs_ = Open(*folder_ / ("out/" + std::string(GetParam())));
    ASSERT_NE(theirs_, nullptr);
  }

  const Checkpoint& Model(const std::string& name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    return *checkpoints_[static_cast<size_t>(found - names_.begin())];
  }

  WeightBuffers Merge(int threads) const {
    std::vector<const ModelConfig*> configs;
    MergerOptions options;
    for (size_t i = 0; i < names_.size(); ++i) {
      configs.push_back(&checkpoints_[i]->config());
      options.models.push_back(ModelOf(names_[i], checkpoints_[i], {}));
    }
    options.output = ExpectedTensors(OutputConfig(*configs.front(), configs, recipe_.out_dtype));
    options.threads = threads;
    auto merger = Merger::Create(options);
    EXPECT_TRUE(merger.ok()) << merger.status();
    auto buffers = WeightBuffers::Allocate(options.output, recipe_.out_dtype);
    EXPECT_TRUE(buffers.ok()) << buffers.status();
    const absl::Status merged = (*merger)->Merge(recipe_, buffers->tensors());
    EXPECT_TRUE(merged.ok()) << merged;
    return *std::move(buffers);
  }

  // Elements at a TIES threshold where mergekit keeps those of the equal ones that its unstable sort puts first.
  std::set<size_t> TiedElements(const std::string& tensor) const {
    std::set<size_t> tied;
    if (recipe_.method != MergeMethod::kTies) return tied;
    const std::vector<float> base = ToFloats(*Model(recipe_.base).Find(tensor));
    for (size_t m = 0; m < recipe_.sources.size(); ++m) {
      const double density = RowFor(recipe_, tensor)->density[m];
      if (density <= 0 || density >= 1) continue;
      std::vector<float> magnitudes = ToFloats(*Model(recipe_.sources[m]).Find(tensor));
      for (size_t i = 0; i < base.size(); ++i) {
        const float delta = RoundTo(recipe_.dtype, magnitudes[i]) - RoundTo(recipe_.dtype, base[i]);
        magnitudes[i] = std::fabs(RoundTo(recipe_.dtype, delta));
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

  // torch takes sums over a whole tensor (L1 norms, products) in another order: a factor that comes of one may differ
  // in its last place, and all that it is applied to.
  bool HasWholeTensorSums() const {
    const bool is_dare = recipe_.method == MergeMethod::kDareLinear || recipe_.method == MergeMethod::kDareTies;
    return recipe_.method == MergeMethod::kSlerp || (is_dare && recipe_.rescale == Rescale::kL1);
  }

  // The largest magnitude that the models have at each place of a tensor.
  std::vector<float> Magnitudes(const std::string& tensor) const {
    std::vector<float> largest;
    for (const Opened& checkpoint : checkpoints_) {
      const std::vector<float> values = ToFloats(*checkpoint->Find(tensor));
      largest.resize(values.size());
      for (size_t i = 0; i < values.size(); ++i) largest[i] = std::max(largest[i], std::fabs(values[i]));
    }
    return largest;
  }

  static inline std::unique_ptr<TemporaryFolder> folder_;
  std::vector<std::string> names_;
  std::vector<Opened> checkpoints_;
  Recipe recipe_;
  Opened theirs_;
};

TEST_P(MergeDifferentialTest, WholeModelEqualsMergekits) {
  const WeightBuffers ours = Merge(2);
  ASSERT_EQ(ours.tensors().size(), theirs_->tensors().size());
  size_t elements = 0, exact = 0, skipped = 0, changed = 0;
  for (size_t t = 0; t < ours.tensors().size(); ++t) {
    const MutableTensor& mine = ours.tensors()[t];
    const ConstTensor& other = theirs_->tensors()[t];
    ASSERT_EQ(mine.name, other.name);
    ASSERT_EQ(mine.dtype, other.dtype);
    const std::vector<float> a = ToFloats({mine.name, mine.shape, mine.dtype, mine.data});
    const std::vector<float> b = ToFloats(other);
    const std::vector<float> base = ToFloats(*checkpoints_.back()->Find(mine.name));
    const std::vector<float> largest = Magnitudes(mine.name);
    const std::set<size_t> tied = TiedElements(mine.name);
    for (size_t i = 0; i < a.size(); ++i) {
      elements += 1;
      skipped += tied.contains(i) ? 1 : 0;
      if (tied.contains(i)) continue;
      exact += UlpsApart(a[i], b[i]) == 0 ? 1 : 0;
      changed += a[i] != base[i] ? 1 : 0;
      const float room =
          HasWholeTensorSums() ? 16 * Unit(recipe_.dtype) * largest[i] + Unit(mine.dtype) * std::fabs(b[i]) : 0;
      ASSERT_LE(std::fabs(a[i] - b[i]), room) << mine.name << " [" << i << "]: " << a[i] << ", mergekit: " << b[i];
    }
  }
  EXPECT_LT(skipped, elements / 10);
  const bool all_differ = HasWholeTensorSums() && recipe_.out_dtype == DType::kFloat32;
  if (!all_differ) {
    EXPECT_GE(exact, (elements - skipped) / 100 * 99);
  }
  EXPECT_GT(changed, elements / 4);
}

TEST_P(MergeDifferentialTest, BytesDoNotDependOnThreads) {
  const WeightBuffers one = Merge(1), three = Merge(3);
  for (size_t t = 0; t < one.tensors().size(); ++t) {
    const MutableTensor& a = one.tensors()[t];
    const size_t bytes = static_cast<size_t>(ElementCount(a.shape)) * SizeBytes(a.dtype);
    ASSERT_EQ(std::memcmp(a.data, three.tensors()[t].data, bytes), 0) << a.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Merges, MergeDifferentialTest,
                         testing::Values("linear_f32", "linear_bf16", "linear_f16", "linear_sum_f32",
                                         "linear_bf16_in_f32", "slerp_f32", "slerp_bf16", "slerp_f16", "slerp_far_f32",
                                         "slerp_far_bf16", "slerp_far_f16", "task_arithmetic_f32",
                                         "task_arithmetic_bf16", "task_arithmetic_f16", "task_arithmetic_lambda_bf16",
                                         "task_arithmetic_normalized_f32", "ties_f32", "ties_bf16", "ties_f16",
                                         "ties_by_part_f32", "ties_by_part_bf16_in_f32", "ties_sum_f32", "ties_tied",
                                         "dare_linear_f32", "dare_linear_bf16", "dare_linear_f16",
                                         "dare_linear_unscaled_bf16", "dare_ties_f32", "dare_ties_bf16",
                                         "dare_ties_f16", "dare_ties_by_part_f32", "dare_ties_f32_in_bf16",
                                         "dare_ties_normalized_bf16_in_f32", "dare_ties_tied"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace heterosis
