// SPDX-License-Identifier: Apache-2.0
// Implements answering.h.
#include "worker/evaluate/answering.h"

#include "common/base/status.h"
#include "common/scoring/scorer.h"
#include "worker/decode/top_logits.h"
#include "worker/evaluate/generator.h"
#include "worker/evaluate/prompt_writer.h"

namespace heterosis {

absl::StatusOr<std::unique_ptr<LanguageGate>> LoadLanguageGate(const Task& task, const std::string& language_model) {
  if (task.language.empty()) return nullptr;
  ASSIGN_OR_RETURN(std::unique_ptr<LanguageGate> gate, LanguageGate::Load(language_model));
  if (!gate->Knows(task.language)) {
    return absl::InvalidArgumentError(
        absl::StrCat(language_model, ": does not know the language \"", task.language,
                     "\" that the task expects; write its ISO 639-1 code, for example ja"));
  }
  return gate;
}

absl::StatusOr<std::vector<SampleResult>> AnswerProblems(Model& model, const LoadedModel& tokenizer_model,
                                                         const Task& task, const LanguageGate* gate,
                                                         std::span<const Problem> problems,
                                                         std::span<const int> samples,
                                                         const std::atomic<bool>& cancelled,
                                                         std::atomic<uint64_t>* progress) {
  ASSIGN_OR_RETURN(const PromptWriter writer, PromptWriter::Create(task, tokenizer_model.checkpoint->folder()));
  std::vector<std::string> prompts;
  for (const Problem& problem : problems) {
    ASSIGN_OR_RETURN(prompts.emplace_back(), writer.Write(problem.question));
  }
  ASSIGN_OR_RETURN(
      const std::vector<Generated> answers,
      Generate(model, *tokenizer_model.tokenizer, prompts, writer.add_special_tokens(), task, cancelled, progress));
  const Scorer scorer(task, gate);
  std::vector<SampleResult> results;
  for (size_t i = 0; i < answers.size(); ++i) {
    const Score score = scorer.Grade(answers[i].text, problems[i]);
    results.push_back({.sample = samples[i],
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

absl::StatusOr<CanaryResult> AnswerCanary(Model& model, const LoadedModel& tokenizer_model, const Task& task,
                                          const CanaryWork& work, const std::atomic<bool>& cancelled) {
  ASSIGN_OR_RETURN(const PromptWriter writer, PromptWriter::Create(task, tokenizer_model.checkpoint->folder()));
  std::vector<DecodeRequest> requests;
  for (const Problem& problem : work.problems) {
    ASSIGN_OR_RETURN(const std::string prompt, writer.Write(problem.question));
    requests.push_back({tokenizer_model.tokenizer->Encode(prompt, writer.add_special_tokens())});
  }
  CanaryResult result{.number = work.number};
  ASSIGN_OR_RETURN(result.answers, TopLogits(model, requests, work.steps, work.top, cancelled));
  return result;
}

}  // namespace heterosis
