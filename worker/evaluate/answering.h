// SPDX-License-Identifier: Apache-2.0
// Problems in, judged answers out: prompts are written, continued by a model and scored.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/problem.h"
#include "common/scoring/language.h"
#include "common/trial/canary.h"
#include "common/trial/task.h"
#include "common/trial/trial.h"
#include "worker/evaluate/model_library.h"
#include "worker/model/model.h"

namespace heterosis {

// The gate of the task's language, nullptr where it asks for none. `language_model` is the path of lid.176.ftz. An
// error where that model does not know the language: no answer could ever be right.
absl::StatusOr<std::unique_ptr<LanguageGate>> LoadLanguageGate(const Task& task, const std::string& language_model);

// One result per problem, in order; `samples`, in step, are the problems' indexes in their split. The tokenizer and the
// chat template are those of `tokenizer_model`; `gate` is that of LoadLanguageGate. Errors, `progress`: see Generate.
absl::StatusOr<std::vector<SampleResult>> AnswerProblems(Model& model, const LoadedModel& tokenizer_model,
                                                         const Task& task, const LanguageGate* gate,
                                                         std::span<const Problem> problems,
                                                         std::span<const int> samples,
                                                         const std::atomic<bool>& cancelled,
                                                         std::atomic<uint64_t>* progress = nullptr);

// The canary's answers by a model that holds its recipe's merge; the rest as above.
absl::StatusOr<CanaryResult> AnswerCanary(Model& model, const LoadedModel& tokenizer_model, const Task& task,
                                          const CanaryWork& work, const std::atomic<bool>& cancelled);

}  // namespace heterosis
