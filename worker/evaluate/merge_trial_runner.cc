// SPDX-License-Identifier: Apache-2.0
// Implements merge_trial_runner.h.
#include "worker/evaluate/merge_trial_runner.h"

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "worker/evaluate/answering.h"
#include "worker/evaluate/model_library.h"
#include "worker/evaluate/recipe_merger.h"
#include "worker/model/model.h"

namespace heterosis {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class MergeTrialRunner : public TrialRunner {
 public:
  explicit MergeTrialRunner(TrialRunnerOptions options) : options_(std::move(options)), library_(options_.models) {}

  absl::Status Prepare(const Task& task) override {
    gate_.reset();
    model_.reset();
    merged_digest_.clear();
    ASSIGN_OR_RETURN(gate_, LoadLanguageGate(task, options_.language_model));
    task_ = task;
    return absl::OkStatus();
  }

  absl::StatusOr<ShardResult> Run(const ShardWork& work, const std::atomic<bool>& cancelled) override {
    ShardResult result;
    result.key = work.key;
    if (cancelled.load(std::memory_order_relaxed)) return absl::CancelledError("cancelled before the merge");
    const auto merge_start = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(Materialize(work.recipe));
    result.merge_seconds = SecondsSince(merge_start);
    const auto decode_start = std::chrono::steady_clock::now();
    ASSIGN_OR_RETURN(result.samples, AnswerProblems(*model_, merger_->tokenizer_model, task_, gate_.get(),
                                                    work.problems, work.samples, cancelled));
    result.decode_seconds = SecondsSince(decode_start);
    return result;
  }

 private:
  // Makes the recipe's model the resident one. Shards of one trial usually follow each other: the second finds it
  // there.
  absl::Status Materialize(const Recipe& recipe) {
    const std::string digest = RecipeDigest(recipe);
    if (digest == merged_digest_) return absl::OkStatus();
    merged_digest_.clear();
    const MergeShape shape = ShapeOf(recipe);
    if (!merger_.has_value() || merger_->shape != shape) {
      merger_.reset();
      ASSIGN_OR_RETURN(merger_, MakeRecipeMerger(shape, library_, options_.device.threads));
    }
    // Recipes over other models may share the buffers, where these differ in nothing that the model is made of: its
    // configuration is that of the tokenizer's model.
    if (model_ == nullptr || model_shape_.out_dtype != shape.out_dtype || model_shape_.tokenizer != shape.tokenizer ||
        model_specs_ != merger_->merger->output()) {
      model_.reset();
      ASSIGN_OR_RETURN(model_, Model::Create(merger_->config, options_.device,
                                             {.stored = shape.out_dtype, .compute = task_.compute_dtype}));
      model_specs_ = merger_->merger->output();
    }
    model_shape_ = shape;
    RETURN_IF_ERROR(merger_->merger->Merge(recipe, model_->slots()));
    RETURN_IF_ERROR(model_->WeightsChanged());
    merged_digest_ = digest;
    return absl::OkStatus();
  }

  const TrialRunnerOptions options_;
  ModelLibrary library_;
  Task task_;
  std::unique_ptr<LanguageGate> gate_;
  std::optional<RecipeMerger> merger_;
  std::unique_ptr<Model> model_;
  MergeShape model_shape_;  // that model_ was last merged by
  std::vector<TensorSpec> model_specs_;
  std::string merged_digest_;  // of the recipe whose tensors the model holds; empty: none
};

}  // namespace

std::unique_ptr<TrialRunner> MakeTrialRunner(TrialRunnerOptions options) {
  return std::make_unique<MergeTrialRunner>(std::move(options));
}

}  // namespace heterosis
