// SPDX-License-Identifier: Apache-2.0
// Implements show.h.
#include "coordinator/cli/show.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "common/genome/dfs_space.h"
#include "common/trial/result_json.h"
#include "coordinator/store/reader.h"

namespace heterosis {
namespace {

constexpr size_t kAnswersShown = 10;

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json(nullptr);
}

std::string ShowJson(const TrialDetails& details) {
  Json document = {{"trial", details.trial.trial},
                   {"state", std::string(Name(details.trial.state))},
                   {"purpose", std::string(Name(details.trial.purpose))},
                   {"split", std::string(Name(details.trial.samples.split))},
                   {"samples", details.trial.samples.samples.size()},
                   {"score", OrNull(details.trial.score)},
                   {"same_as", OrNull(details.trial.same_as)},
                   {"failure", details.trial.failure},
                   {"phase", details.phase},
                   {"generation", OrNull(details.genome.generation)},
                   {"candidate", details.genome.candidate},
                   {"origin", std::string(Name(details.genome.origin))},
                   {"label", details.genome.label},
                   {"genome", details.genome.genes},
                   {"recipe", RecipeToJson(details.genome.recipe)}};
  document["shards"] = Json::array();
  for (const ShardRow& shard : details.shards) {
    document["shards"].push_back({{"shard", shard.shard},
                                  {"state", shard.state},
                                  {"worker", shard.worker},
                                  {"attempt", OrNull(shard.attempt)},
                                  {"merge_seconds", OrNull(shard.merge_seconds)},
                                  {"decode_seconds", OrNull(shard.decode_seconds)}});
  }
  document["failures"] = Json::array();
  for (const FailureRow& failure : details.failures) {
    document["failures"].push_back({{"shard", failure.shard},
                                    {"attempt", failure.attempt},
                                    {"worker", failure.worker},
                                    {"failure", failure.failure},
                                    {"message", failure.message}});
  }
  document["results"] = Json::array();
  for (size_t i = 0; i < details.results.size(); ++i) {
    document["results"].push_back(ResultToJson(details.results[i], details.problems[i]));
  }
  return JsonText(document, 2) + "\n";
}

std::string Numbers(const std::vector<double>& values) {
  return absl::StrJoin(values, "  ", [](std::string* out, double value) { absl::StrAppendFormat(out, "%.3f", value); });
}

std::string MergeTable(const Recipe& recipe) {
  std::string text = absl::StrFormat("merge: %s", Name(recipe.method));
  if (!recipe.base.empty()) absl::StrAppend(&text, ", base ", recipe.base);
  absl::StrAppendFormat(&text, ", tokenizer %s, %s arithmetic, %s result\n\n", recipe.tokenizer, Name(recipe.dtype),
                        Name(recipe.out_dtype));
  const bool slerp = recipe.method == MergeMethod::kSlerp;
  std::vector<std::vector<std::string>> rows = {
      {"tensors", slerp ? "t" : absl::StrCat("weight of ", absl::StrJoin(recipe.sources, "  "))}};
  const bool has_density = !recipe.rows.empty() && !recipe.rows[0].density.empty();
  if (has_density) rows[0].push_back("density");
  for (const ParameterRow& row : recipe.rows) {
    rows.push_back({absl::StrJoin(row.match, " "), slerp ? absl::StrFormat("%.3f", row.t) : Numbers(row.weight)});
    if (has_density) rows.back().push_back(Numbers(row.density));
  }
  return text + Columns(rows, 3);
}

// What a part of a path is, in a few words.
std::string PartText(const Recipe& part) {
  if (part == SingleModelRecipe(part.sources[0], part.tokenizer, part.out_dtype)) return part.sources[0];
  return absl::StrFormat("%s of %s", Name(part.method), absl::StrJoin(part.sources, ", "));
}

std::string PathTable(const Recipe& recipe) {
  std::string text =
      absl::StrFormat("path of %d hops, scales apply to the %s\n", recipe.path.size(), Name(recipe.scale_applies_to));
  for (size_t i = 0; i < recipe.parts.size(); ++i) {
    absl::StrAppendFormat(&text, "  %c: %s\n", static_cast<char>('A' + i % 26), PartText(recipe.parts[i]));
  }
  return absl::StrCat(text, "\n", PathText(recipe), "\n");
}

std::string RecipeTable(const Recipe& recipe) {
  return recipe.is_path() ? PathTable(recipe) : MergeTable(recipe);
}

std::string AnswersTable(const TrialDetails& details) {
  std::string text;
  for (size_t i = 0; i < details.results.size() && i < kAnswersShown; ++i) {
    const SampleResult& result = details.results[i];
    absl::StrAppendFormat(
        &text, "%s %4d  %s\n          -> %s   (read: %s, right: %s, %s)\n", result.correct ? "+" : "-", result.sample,
        absl::StrReplaceAll(details.problems[i].question, {{"\n", " "}}),
        absl::StrReplaceAll(result.text, {{"\n", " "}}), result.answer.empty() ? "none" : result.answer,
        details.problems[i].answer, Name(result.finish));
  }
  if (details.results.size() > kAnswersShown) {
    absl::StrAppendFormat(&text, "... %d answers in all: --format json\n", details.results.size());
  }
  return text;
}

std::string ShowTable(const TrialDetails& details) {
  const TrialRecord& trial = details.trial;
  std::string text = absl::StrFormat("trial %d: %s, %s on %d %s problems, score %s\n", trial.trial, Name(trial.state),
                                     Name(trial.purpose), trial.samples.samples.size(), Name(trial.samples.split),
                                     Percent(trial.score));
  if (trial.same_as.has_value())
    absl::StrAppendFormat(&text, "the same model on the same problems as trial %d: not evaluated again\n",
                          *trial.same_as);
  if (!trial.failure.empty()) absl::StrAppendFormat(&text, "%s: %s\n", Name(trial.state), trial.failure);
  absl::StrAppendFormat(&text, "genome: %s%s%s\n", Name(details.genome.origin),
                        details.genome.label.empty() ? "" : absl::StrCat(" (", details.genome.label, ")"),
                        details.genome.generation.has_value()
                            ? absl::StrFormat(", phase %s, generation %d, candidate %d", details.phase,
                                              *details.genome.generation, details.genome.candidate)
                            : "");
  absl::StrAppend(&text, RecipeTable(details.genome.recipe), "\n");
  for (const FailureRow& failure : details.failures) {
    absl::StrAppendFormat(&text, "shard %d attempt %d on %s: %s: %s\n", failure.shard, failure.attempt, failure.worker,
                          failure.failure, failure.message);
  }
  return text + AnswersTable(details);
}

}  // namespace

absl::StatusOr<std::string> Show(const ShowOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<StoreReader> reader, StoreReader::Open(options.database));
  ASSIGN_OR_RETURN(const TrialDetails details, reader->Trial(options.trial));
  return options.format == Format::kJson ? ShowJson(details) : ShowTable(details);
}

}  // namespace heterosis
