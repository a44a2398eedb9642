// SPDX-License-Identifier: Apache-2.0
// Implements merge_trial_runner.h.
#include "worker/evaluate/merge_trial_runner.h"

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/scoring/scorer.h"
#include "worker/evaluate/generator.h"
#include "worker/evaluate/model_library.h"
#include "worker/evaluate/prompt_writer.h"
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
    if (!task.language.empty()) {
      ASSIGN_OR_RETURN(gate_, LanguageGate::Load(options_.language_model));
    }
    task_ = task;
    return absl::OkStatus();
  }

  absl::StatusOr<ShardResult> Run(const ShardWork& work, const std::atomic<bool>& cancelled) override {
    ShardResult result;
    result.key = work.key;
    const auto merge_start = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(Materialize(work.recipe));
    result.merge_seconds = SecondsSince(merge_start);
    const auto decode_start = std::chrono::steady_clock::now();
    ASSIGN_OR_RETURN(result.samples, Answer(work, cancelled));
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
    if (model_ == nullptr || model_dtype_ != shape.out_dtype || model_specs_ != merger_->merger->output()) {
      model_.reset();
      ASSIGN_OR_RETURN(model_, Model::Create(merger_->config, options_.device,
                                             {.stored = shape.out_dtype, .compute = task_.compute_dtype}));
      model_dtype_ = shape.out_dtype;
      model_specs_ = merger_->merger->output();
    }
    RETURN_IF_ERROR(merger_->merger->Merge(recipe, model_->slots()));
    RETURN_IF_ERROR(model_->WeightsChanged());
    merged_digest_ = digest;
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<SampleResult>> Answer(const ShardWork& work, const std::atomic<bool>& cancelled) {
    const Tokenizer& tokenizer = *merger_->tokenizer_model.tokenizer;
    ASSIGN_OR_RETURN(const PromptWriter writer,
                     PromptWriter::Create(task_, merger_->tokenizer_model.checkpoint->folder()));
    std::vector<std::string> prompts;
    for (const Problem& problem : work.problems) {
      ASSIGN_OR_RETURN(prompts.emplace_back(), writer.Write(problem.question));
    }
    ASSIGN_OR_RETURN(const std::vector<Generated> answers,
                     Generate(*model_, tokenizer, prompts, writer.add_special_tokens(), task_, cancelled));
    const Scorer scorer(task_, gate_.get());
    std::vector<SampleResult> results;
    for (size_t i = 0; i < answers.size(); ++i) {
      const Score score = scorer.Grade(answers[i].text, work.problems[i]);
      results.push_back({.sample = work.samples[i],
                         .correct = score.correct,
                         .number_ok = score.number_ok,
                         .language_ok = score.language_ok,
                         .text = answers[i].text,
                         .answer = score.answer,
                         .prompt_tokens = answers[i].prompt_tokens,
                         .new_tokens = static_cast<int>(answers[i].tokens.size()),
                         .finish = answers[i].finish});
    }
    return results;
  }

  const TrialRunnerOptions options_;
  ModelLibrary library_;
  Task task_;
  std::unique_ptr<LanguageGate> gate_;
  std::optional<RecipeMerger> merger_;
  std::unique_ptr<Model> model_;
  DType model_dtype_ = DType::kFloat32;
  std::vector<TensorSpec> model_specs_;
  std::string merged_digest_;  // of the recipe whose tensors the model holds; empty: none
};

}  // namespace

std::unique_ptr<TrialRunner> MakeTrialRunner(TrialRunnerOptions options) {
  return std::make_unique<MergeTrialRunner>(std::move(options));
}

}  // namespace heterosis
