// SPDX-License-Identifier: Apache-2.0
// Implements wire.h, message by message.
#include "proto/wire.h"

#include <string>

#include "common/base/status.h"

namespace heterosis {
namespace {

// A text of a message that is not UTF-8 cannot be serialized by protobuf; ours come repaired from the decoder.
std::string Text(std::string_view view) {
  return std::string(view);
}

absl::StatusOr<NumberMode> NumberModeFromName(const std::string& name) {
  if (name == "robust") return NumberMode::kRobust;
  if (name == "paper") return NumberMode::kPaper;
  return absl::InvalidArgumentError(absl::StrCat("unknown number mode \"", name, "\""));
}

v1::Problem ToWire(const Problem& problem) {
  v1::Problem message;
  message.set_question(problem.question);
  message.set_answer(problem.answer);
  return message;
}

Problem FromWire(const v1::Problem& message) {
  return {message.question(), message.answer()};
}

v1::SampleResult ToWire(const SampleResult& result) {
  v1::SampleResult message;
  message.set_sample(result.sample);
  message.set_correct(result.correct);
  message.set_number_ok(result.number_ok);
  message.set_language_ok(result.language_ok);
  message.set_text(result.text);
  message.set_answer(result.answer);
  message.set_prompt_tokens(result.prompt_tokens);
  message.set_new_tokens(result.new_tokens);
  message.set_finish(Text(Name(result.finish)));
  return message;
}

absl::StatusOr<SampleResult> FromWire(const v1::SampleResult& message) {
  ASSIGN_OR_RETURN(const FinishReason finish, FinishReasonFromName(message.finish()));
  return SampleResult{.sample = message.sample(),
                      .correct = message.correct(),
                      .number_ok = message.number_ok(),
                      .language_ok = message.language_ok(),
                      .text = message.text(),
                      .answer = message.answer(),
                      .prompt_tokens = message.prompt_tokens(),
                      .new_tokens = message.new_tokens(),
                      .finish = finish};
}

}  // namespace

v1::Recipe ToWire(const Recipe& recipe) {
  v1::Recipe message;
  message.set_version(Recipe::kVersion);
  message.set_method(Text(Name(recipe.method)));
  message.set_base(recipe.base);
  message.mutable_sources()->Add(recipe.sources.begin(), recipe.sources.end());
  message.set_tokenizer(recipe.tokenizer);
  message.set_normalize(recipe.normalize);
  message.set_lambda(recipe.lambda);
  message.set_rescale(Text(Name(recipe.rescale)));
  message.set_mask(Text(Name(recipe.mask)));
  message.set_mask_seed(recipe.mask_seed);
  message.set_dtype(Text(Name(recipe.dtype)));
  message.set_out_dtype(Text(Name(recipe.out_dtype)));
  for (const ParameterRow& row : recipe.rows) {
    v1::ParameterRow& wire_row = *message.add_rows();
    wire_row.mutable_match()->Add(row.match.begin(), row.match.end());
    wire_row.mutable_weight()->Add(row.weight.begin(), row.weight.end());
    wire_row.mutable_density()->Add(row.density.begin(), row.density.end());
    wire_row.set_t(row.t);
  }
  if (!recipe.is_path()) return message;
  for (const Recipe& part : recipe.parts) *message.add_parts() = ToWire(part);
  for (const Hop& hop : recipe.path) {
    v1::Hop& wire_hop = *message.add_path();
    wire_hop.set_part(hop.part);
    wire_hop.set_layer(hop.layer);
    wire_hop.set_scale(hop.scale);
  }
  message.set_scale_applies_to(Text(Name(recipe.scale_applies_to)));
  return message;
}

absl::StatusOr<Recipe> FromWire(const v1::Recipe& message) {
  if (message.version() != Recipe::kVersion) {
    return absl::FailedPreconditionError(absl::StrCat("a recipe of version ", message.version(),
                                                      ", but this program knows version ", Recipe::kVersion,
                                                      ": use one release everywhere"));
  }
  Recipe recipe;
  ASSIGN_OR_RETURN(recipe.method, MergeMethodFromName(message.method()));
  ASSIGN_OR_RETURN(recipe.rescale, RescaleFromName(message.rescale()));
  ASSIGN_OR_RETURN(recipe.mask, MaskSourceFromName(message.mask()));
  ASSIGN_OR_RETURN(recipe.dtype, DTypeFromName(message.dtype()));
  ASSIGN_OR_RETURN(recipe.out_dtype, DTypeFromName(message.out_dtype()));
  recipe.base = message.base();
  recipe.sources.assign(message.sources().begin(), message.sources().end());
  recipe.tokenizer = message.tokenizer();
  recipe.normalize = message.normalize();
  recipe.lambda = message.lambda();
  recipe.mask_seed = message.mask_seed();
  for (const v1::ParameterRow& row : message.rows()) {
    recipe.rows.push_back({.match = {row.match().begin(), row.match().end()},
                           .weight = {row.weight().begin(), row.weight().end()},
                           .density = {row.density().begin(), row.density().end()},
                           .t = row.t()});
  }
  for (const v1::Recipe& part : message.parts()) {
    ASSIGN_OR_RETURN(recipe.parts.emplace_back(), FromWire(part));
  }
  for (const v1::Hop& hop : message.path()) recipe.path.push_back({hop.part(), hop.layer(), hop.scale()});
  if (recipe.is_path()) {
    ASSIGN_OR_RETURN(recipe.scale_applies_to, ScaleTargetFromName(message.scale_applies_to()));
  }
  RETURN_IF_ERROR(ValidateRecipe(recipe));
  return recipe;
}

v1::ShardKey ToWire(const ShardKey& key) {
  v1::ShardKey message;
  message.set_trial(key.trial);
  message.set_shard(key.shard);
  message.set_attempt(key.attempt);
  return message;
}

ShardKey FromWire(const v1::ShardKey& message) {
  return {message.trial(), message.shard(), message.attempt()};
}

v1::ShardWork ToWire(const ShardWork& work) {
  v1::ShardWork message;
  *message.mutable_key() = ToWire(work.key);
  *message.mutable_recipe() = ToWire(work.recipe);
  message.set_split(Text(Name(work.split)));
  message.mutable_samples()->Add(work.samples.begin(), work.samples.end());
  for (const Problem& problem : work.problems) *message.add_problems() = ToWire(problem);
  return message;
}

absl::StatusOr<ShardWork> FromWire(const v1::ShardWork& message) {
  if (message.samples_size() != message.problems_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a shard with ", message.samples_size(), " samples and ", message.problems_size(), " problems"));
  }
  ShardWork work;
  work.key = FromWire(message.key());
  ASSIGN_OR_RETURN(work.recipe, FromWire(message.recipe()));
  ASSIGN_OR_RETURN(work.split, SplitFromName(message.split()));
  work.samples.assign(message.samples().begin(), message.samples().end());
  for (const v1::Problem& problem : message.problems()) work.problems.push_back(FromWire(problem));
  return work;
}

v1::ShardResult ToWire(const ShardResult& result) {
  v1::ShardResult message;
  *message.mutable_key() = ToWire(result.key);
  for (const SampleResult& sample : result.samples) *message.add_samples() = ToWire(sample);
  message.set_merge_seconds(result.merge_seconds);
  message.set_decode_seconds(result.decode_seconds);
  return message;
}

absl::StatusOr<ShardResult> FromWire(const v1::ShardResult& message) {
  ShardResult result;
  result.key = FromWire(message.key());
  for (const v1::SampleResult& sample : message.samples()) {
    ASSIGN_OR_RETURN(result.samples.emplace_back(), FromWire(sample));
  }
  result.merge_seconds = message.merge_seconds();
  result.decode_seconds = message.decode_seconds();
  return result;
}

v1::ShardFailure ToWire(const ShardFailure& failure) {
  v1::ShardFailure message;
  *message.mutable_key() = ToWire(failure.key);
  message.set_failure(Text(Name(failure.failure)));
  message.set_message(failure.message);
  return message;
}

absl::StatusOr<ShardFailure> FromWire(const v1::ShardFailure& message) {
  ASSIGN_OR_RETURN(const FailureClass failure, FailureClassFromName(message.failure()));
  return ShardFailure{FromWire(message.key()), failure, message.message()};
}

v1::TaskSpec ToWire(const Task& task) {
  v1::TaskSpec message;
  message.set_prompt_template(task.prompt_template);
  message.set_chat(task.chat);
  message.set_max_new_tokens(task.max_new_tokens);
  message.mutable_stop()->Add(task.stop.begin(), task.stop.end());
  message.set_repetition_window(task.repetition_window);
  message.set_number_mode(task.number_mode == NumberMode::kPaper ? "paper" : "robust");
  message.set_language(task.language);
  message.set_language_threshold(task.language_threshold);
  message.set_compute_dtype(Text(Name(task.compute_dtype)));
  message.set_batch_size(task.batch_size);
  return message;
}

absl::StatusOr<Task> FromWire(const v1::TaskSpec& message) {
  Task task;
  task.prompt_template = message.prompt_template();
  task.chat = message.chat();
  task.max_new_tokens = message.max_new_tokens();
  task.stop.assign(message.stop().begin(), message.stop().end());
  task.repetition_window = message.repetition_window();
  ASSIGN_OR_RETURN(task.number_mode, NumberModeFromName(message.number_mode()));
  task.language = message.language();
  task.language_threshold = message.language_threshold();
  ASSIGN_OR_RETURN(task.compute_dtype, DTypeFromName(message.compute_dtype()));
  task.batch_size = message.batch_size();
  if (task.max_new_tokens < 1 || task.batch_size < 1)
    return absl::InvalidArgumentError("a task without tokens or rows");
  return task;
}

v1::CanaryWork ToWire(const CanaryWork& work) {
  v1::CanaryWork message;
  message.set_number(work.number);
  *message.mutable_recipe() = ToWire(work.recipe);
  for (const Problem& problem : work.problems) *message.add_problems() = ToWire(problem);
  message.set_steps(work.steps);
  message.set_top(work.top);
  return message;
}

absl::StatusOr<CanaryWork> FromWire(const v1::CanaryWork& message) {
  CanaryWork work;
  work.number = message.number();
  ASSIGN_OR_RETURN(work.recipe, FromWire(message.recipe()));
  for (const v1::Problem& problem : message.problems()) work.problems.push_back(FromWire(problem));
  work.steps = message.steps();
  work.top = message.top();
  RETURN_IF_ERROR(ValidateCanary(work));
  return work;
}

v1::CanaryResult ToWire(const CanaryResult& result) {
  v1::CanaryResult message;
  message.set_number(result.number);
  for (const CanaryAnswer& answer : result.answers) {
    v1::CanaryAnswer& wire_answer = *message.add_answers();
    for (const CanaryStep& step : answer) {
      v1::CanaryStep& wire_step = *wire_answer.add_steps();
      for (const TokenLogit& entry : step) {
        v1::TokenLogit& wire_entry = *wire_step.add_top();
        wire_entry.set_token(entry.token);
        wire_entry.set_logit(entry.logit);
      }
    }
  }
  if (result.failure.has_value()) message.set_failure(Text(Name(*result.failure)));
  message.set_message(result.message);
  return message;
}

absl::StatusOr<CanaryResult> FromWire(const v1::CanaryResult& message) {
  CanaryResult result;
  result.number = message.number();
  for (const v1::CanaryAnswer& wire_answer : message.answers()) {
    CanaryAnswer& answer = result.answers.emplace_back();
    for (const v1::CanaryStep& wire_step : wire_answer.steps()) {
      CanaryStep& step = answer.emplace_back();
      for (const v1::TokenLogit& entry : wire_step.top()) step.push_back({entry.token(), entry.logit()});
    }
  }
  if (!message.failure().empty()) {
    ASSIGN_OR_RETURN(result.failure, FailureClassFromName(message.failure()));
  }
  result.message = message.message();
  return result;
}

}  // namespace heterosis
