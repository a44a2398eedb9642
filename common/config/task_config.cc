// SPDX-License-Identifier: Apache-2.0
// Implements task_config.h: schema enums and messages to those of common/trial and common/dataset.
#include "common/config/task_config.h"

#include "common/dataset/prompt.h"

namespace heterosis {
namespace {

// Empty where just the question is the prompt.
std::string PromptTemplateOf(const v1::Prompt& prompt) {
  if (prompt.has_text()) return prompt.text();
  if (prompt.has_template_()) return BuiltInPrompt(prompt.template_()).value();
  return "";
}

NumberMode NumberModeOf(v1::Scorer::Mode mode) {
  switch (mode) {
    case v1::Scorer::ROBUST:
      return NumberMode::kRobust;
    case v1::Scorer::PAPER:
      return NumberMode::kPaper;
  }
  return NumberMode::kRobust;
}

DType DTypeOf(v1::Evaluation::DType dtype) {
  switch (dtype) {
    case v1::Evaluation::FLOAT32:
      return DType::kFloat32;
    case v1::Evaluation::BFLOAT16:
      return DType::kBFloat16;
  }
  return DType::kBFloat16;
}

DataFormat FormatOf(v1::DataSet::Format format) {
  switch (format) {
    case v1::DataSet::AUTO:
      return DataFormat::kAuto;
    case v1::DataSet::JSONL:
      return DataFormat::kJsonl;
    case v1::DataSet::TSV:
      return DataFormat::kTsv;
  }
  return DataFormat::kAuto;
}

}  // namespace

Task TaskFromConfig(const v1::Experiment& config) {
  const v1::Task& from = config.task();
  Task task;
  task.prompt_template = PromptTemplateOf(from.prompt());
  task.chat = from.prompt().chat();
  task.max_new_tokens = from.decoding().max_new_tokens();
  task.stop.assign(from.decoding().stop().begin(), from.decoding().stop().end());
  task.repetition_window = from.decoding().repetition_window();
  task.number_mode = NumberModeOf(from.scorer().mode());
  if (from.has_language()) task.language = from.language().expect();
  task.language_threshold = from.language().threshold();
  task.compute_dtype = DTypeOf(config.evaluation().dtype());
  task.batch_size = config.evaluation().batch_size();
  return task;
}

DataSetOptions DataSetFromConfig(const v1::DataSet& data) {
  DataSetOptions options;
  options.path = data.path();
  options.format = FormatOf(data.format());
  options.question = data.question();
  options.answer = data.answer();
  options.rows = data.rows();
  return options;
}

}  // namespace heterosis
