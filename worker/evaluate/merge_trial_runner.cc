// SPDX-License-Identifier: Apache-2.0
// Implements merge_trial_runner.h.
#include "worker/evaluate/merge_trial_runner.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/logging.h"
#include "common/base/status.h"
#include "worker/evaluate/answering.h"
#include "worker/evaluate/model_library.h"
#include "worker/evaluate/parts_merger.h"
#include "worker/model/model.h"

namespace heterosis {
namespace {

constexpr int kFewerRows = 4;  // times fewer at each further try

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class MergeTrialRunner : public TrialRunner {
 public:
  explicit MergeTrialRunner(TrialRunnerOptions options) : options_(std::move(options)), library_(options_.models) {}

  absl::Status Prepare(const Task& task) override {
    gate_.reset();
    model_.reset();
    rows_trial_ = -1;
    digests_.clear();
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
    ASSIGN_OR_RETURN(result.samples, Answer(work, cancelled));
    result.decode_seconds = SecondsSince(decode_start);
    return result;
  }

  absl::StatusOr<CanaryResult> RunCanary(const CanaryWork& work, const std::atomic<bool>& cancelled) override {
    RETURN_IF_ERROR(Materialize(work.recipe));
    return AnswerCanary(*model_, merger_->tokenizer_model(), task_, work, cancelled);
  }

 private:
  // With fewer rows where memory does not suffice: what is planned from the memory that seems free may be too much, for
  // others take of it too and a GPU's is in pieces. The other shards of the trial begin with what was enough.
  absl::StatusOr<std::vector<SampleResult>> Answer(const ShardWork& work, const std::atomic<bool>& cancelled) {
    if (work.key.trial != rows_trial_) rows_max_ = task_.batch_size;
    rows_trial_ = work.key.trial;
    for (;;) {
      Task task = task_;
      task.batch_size = rows_max_;
      absl::StatusOr<std::vector<SampleResult>> samples =
          AnswerProblems(*model_, merger_->tokenizer_model(), task, gate_.get(), work.problems, work.samples, cancelled,
                         options_.progress);
      if (!absl::IsResourceExhausted(samples.status()) || rows_max_ == 1) return samples;
      rows_max_ = std::max(1, std::min(rows_max_, static_cast<int>(work.problems.size())) / kFewerRows);
      LogWarning(absl::StrCat("trial ", work.key.trial, " shard ", work.key.shard, ": ", samples.status().message(),
                              "; trying again with batch size ", rows_max_));
    }
  }

  // Makes the recipe's model the resident one. Shards of one trial usually follow each other: the second finds it
  // there. So does another path through the same parts, which costs no merge.
  absl::Status Materialize(const Recipe& recipe) {
    if (!merger_.has_value() || !merger_->Serves(recipe)) {
      merger_.reset();
      digests_.clear();
      ASSIGN_OR_RETURN(merger_, PartsMerger::Create(recipe, library_, options_.device.threads));
      Step();
    }
    ASSIGN_OR_RETURN(const PathConfig path, merger_->PathOf(recipe));
    RETURN_IF_ERROR(MakeRoom(recipe.out_dtype));
    RETURN_IF_ERROR(MergeParts(recipe));
    return model_->SetPath(path);
  }

  // Recipes over other models may share the buffers, where these differ in nothing that the model is made of: its
  // configuration is that of the tokenizer's model.
  absl::Status MakeRoom(DType out_dtype) {
    const std::string& folder = merger_->tokenizer_model().checkpoint->folder();
    if (model_ == nullptr || model_dtype_ != out_dtype || model_folder_ != folder ||
        model_specs_ != merger_->output()) {
      model_.reset();
      digests_.clear();
      ASSIGN_OR_RETURN(model_, Model::Create(merger_->config(), options_.device,
                                             {.stored = out_dtype, .compute = task_.compute_dtype}));
      model_dtype_ = out_dtype;
      model_folder_ = folder;
      model_specs_ = merger_->output();
    }
    return absl::OkStatus();
  }

  absl::Status MergeParts(const Recipe& recipe) {
    std::vector<std::string> digests;
    for (const Recipe& part : PartsOf(recipe)) digests.push_back(RecipeDigest(part));
    if (digests == digests_) return absl::OkStatus();
    std::vector<std::string> held = std::exchange(digests_, {});
    held.resize(digests.size());
    for (size_t part = 0; part < digests.size(); ++part) {
      if (digests[part] != held[part]) RETURN_IF_ERROR(merger_->Merge(recipe, part, model_->slots()));
      Step();
    }
    RETURN_IF_ERROR(model_->WeightsChanged());
    digests_ = std::move(digests);
    return absl::OkStatus();
  }

  void Step() {
    if (options_.progress != nullptr) ++*options_.progress;
  }

  const TrialRunnerOptions options_;
  ModelLibrary library_;
  Task task_;
  std::unique_ptr<LanguageGate> gate_;
  std::optional<PartsMerger> merger_;
  std::unique_ptr<Model> model_;
  int rows_max_ = 1;                     // decoded together: task_.batch_size, or fewer where memory did not suffice
  int64_t rows_trial_ = -1;              // for which
  DType model_dtype_ = DType::kFloat32;  // of model_'s slots
  std::string model_folder_;             // of the tokenizer's model
  std::vector<TensorSpec> model_specs_;
  std::vector<std::string> digests_;  // of the recipe of each part that the model holds; empty: nothing
};

}  // namespace

std::unique_ptr<TrialRunner> MakeTrialRunner(TrialRunnerOptions options) {
  return std::make_unique<MergeTrialRunner>(std::move(options));
}

}  // namespace heterosis
