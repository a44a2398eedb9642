// SPDX-License-Identifier: Apache-2.0
// Implements evaluate.h.
#include "worker/cli/evaluate.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "common/base/json.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "common/config/config.h"
#include "common/config/task_config.h"
#include "common/dataset/dataset.h"
#include "common/scoring/fitness.h"
#include "common/trial/result_json.h"
#include "worker/evaluate/answering.h"
#include "worker/evaluate/model_library.h"
#include "worker/model/model.h"

namespace heterosis {
namespace {

absl::StatusOr<std::vector<Problem>> ProblemsOf(const v1::Experiment& config, const EvaluateCommand& command) {
  switch (command.split) {
    case Split::kSearch:
      return ReadProblems(DataSetFromConfig(config.data().search()));
    case Split::kTest:
      return ReadProblems(DataSetFromConfig(config.data().test()));
    case Split::kValidation:
      break;
  }
  if (!config.data().has_validation()) {
    return absl::InvalidArgumentError(absl::StrCat(
        command.config, ": has no validation data; add `data.validation`, or choose --split search or test"));
  }
  return ReadProblems(DataSetFromConfig(config.data().validation()));
}

// How many of the samples have a property.
int Count(const std::vector<SampleResult>& results, bool SampleResult::*property) {
  return static_cast<int>(
      std::count_if(results.begin(), results.end(), [&](const SampleResult& result) { return result.*property; }));
}

struct Outcome {
  std::vector<Problem> problems;
  std::vector<SampleResult> results;  // in step with problems
  int correct = 0, number_ok = 0, language_ok = 0;
  Interval interval;

  int total() const { return static_cast<int>(results.size()); }
  double Share(int count) const { return static_cast<double>(count) / static_cast<double>(results.size()); }
};

Outcome OutcomeOf(std::vector<Problem> problems, std::vector<SampleResult> results) {
  Outcome outcome;
  outcome.correct = Count(results, &SampleResult::correct);
  outcome.number_ok = Count(results, &SampleResult::number_ok);
  outcome.language_ok = Count(results, &SampleResult::language_ok);
  outcome.problems = std::move(problems);
  outcome.results = std::move(results);
  outcome.interval = WilsonInterval(outcome.correct, outcome.total());
  return outcome;
}

std::string JsonOf(const EvaluateCommand& command, const v1::Experiment& config, const Outcome& outcome) {
  Json document = {{"model", command.model},
                   {"experiment", config.name()},
                   {"split", std::string(Name(command.split))},
                   {"problems", outcome.total()},
                   {"correct", outcome.correct},
                   {"accuracy", outcome.Share(outcome.correct)},
                   {"interval", {outcome.interval.low, outcome.interval.high}},
                   {"number_ok", outcome.Share(outcome.number_ok)},
                   {"language_ok", outcome.Share(outcome.language_ok)},
                   {"samples", Json::array()}};
  for (size_t i = 0; i < outcome.results.size(); ++i) {
    document["samples"].push_back(ResultToJson(outcome.results[i], outcome.problems[i]));
  }
  return JsonText(document) + "\n";
}

std::string TableOf(const EvaluateCommand& command, const Outcome& outcome) {
  const auto row = [&](const char* name, int count) {
    return absl::StrFormat("%-12s %6.4f  %d of %d", name, outcome.Share(count), count, outcome.total());
  };
  return absl::StrCat(command.model, " on ", std::string(Name(command.split)), "\n", row("accuracy", outcome.correct),
                      absl::StrFormat(", 95%% interval %.4f to %.4f\n", outcome.interval.low, outcome.interval.high),
                      row("number_ok", outcome.number_ok), "\n", row("language_ok", outcome.language_ok), "\n");
}

}  // namespace

absl::StatusOr<std::string> EvaluateModel(const EvaluateCommand& command) {
  ASSIGN_OR_RETURN(const v1::Experiment config, ReadConfig(command.config));
  const Task task = TaskFromConfig(config);
  ASSIGN_OR_RETURN(std::vector<Problem> problems, ProblemsOf(config, command));
  ASSIGN_OR_RETURN(const std::unique_ptr<LanguageGate> gate, LoadLanguageGate(task, command.language_model));
  ASSIGN_OR_RETURN(const LoadedModel loaded, OpenModel(command.model));
  ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, LoadForDecoding(loaded, command.device, task.compute_dtype));
  LogInfo(absl::StrFormat("%d problems on %s", problems.size(), Name(command.device)));

  std::vector<int> samples(problems.size());
  std::iota(samples.begin(), samples.end(), 0);
  const std::atomic<bool> never_cancelled = false;
  ASSIGN_OR_RETURN(std::vector<SampleResult> results,
                   AnswerProblems(*model, loaded, task, gate.get(), problems, samples, never_cancelled));
  const Outcome outcome = OutcomeOf(std::move(problems), std::move(results));
  return command.json ? JsonOf(command, config, outcome) : TableOf(command, outcome);
}

}  // namespace heterosis
