// SPDX-License-Identifier: Apache-2.0
// Implements inputs.h.
#include "worker/merge/inputs.h"

#include <algorithm>
#include <utility>

#include "common/base/logging.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr std::string_view kEmbedding = "model.embed_tokens.weight";
constexpr std::string_view kHead = "lm_head.weight";

const ConstTensor* FindTensor(const MergeModel& model, std::string_view name) {
  const auto found = std::find_if(model.tensors.begin(), model.tensors.end(),
                                  [name](const ConstTensor& tensor) { return tensor.name == name; });
  return found == model.tensors.end() ? nullptr : &*found;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) absl::StrAppend(&text, i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

absl::Status WrongShape(const MergeModel& model, const ConstTensor& tensor, const TensorSpec& spec) {
  return absl::InvalidArgumentError(absl::StrCat(
      "model \"", model.name, "\": ", tensor.name, " has shape ", ShapeText(tensor.shape), ", the merged model's is ",
      ShapeText(spec.shape), "; only models of one architecture and size can be merged"));
}

}  // namespace

MergeModel ModelOf(std::string name, std::shared_ptr<const Checkpoint> checkpoint,
                   std::vector<std::string> vocabulary) {
  return {std::move(name), checkpoint->tensors(), checkpoint, std::move(vocabulary)};
}

absl::StatusOr<Inputs> Inputs::Create(std::vector<TensorSpec> output, std::vector<std::string> output_vocabulary,
                                      std::vector<MergeModel> models) {
  Inputs inputs;
  inputs.output_ = std::move(output);
  inputs.by_row_.resize(inputs.output_.size(), false);
  for (const MergeModel& model : models) RETURN_IF_ERROR(inputs.AddModel(model, output_vocabulary));
  inputs.models_ = std::move(models);
  return inputs;
}

absl::Status Inputs::AddModel(const MergeModel& model, std::span<const std::string> output_vocabulary) {
  const auto is_output = [this](std::string_view name) {
    return std::any_of(output_.begin(), output_.end(), [name](const TensorSpec& spec) { return spec.name == name; });
  };
  if (FindTensor(model, kHead) != nullptr && is_output(kEmbedding) && !is_output(kHead)) {
    return absl::InvalidArgumentError(
        absl::StrCat("model \"", model.name, "\" has an ", std::string(kHead),
                     " of its own, but the merged model's is tied to its embedding; untie it (OutputConfig does)"));
  }
  std::unique_ptr<RowMap> map;
  std::vector<View> views;
  for (size_t i = 0; i < output_.size(); ++i) {
    ASSIGN_OR_RETURN(const View view, ViewOf(model, output_[i], output_vocabulary, &map));
    if (view.rows != nullptr) by_row_[i] = true;
    views.push_back(view);
  }
  if (map != nullptr) {  // once, though mergers are made again whenever the sources change
    LogInfoOnce(absl::StrCat("vocabulary of model \"", model.name, "\": ", map->matched, " of ",
                             map->matched + map->padding + map->missing, " rows found by token (", map->moved,
                             " at another id), ", map->padding, " padding rows by place, ", map->missing, " lacking"));
  }
  views_.push_back(std::move(views));
  row_maps_.push_back(std::move(map));
  return absl::OkStatus();
}

absl::StatusOr<Inputs::View> Inputs::ViewOf(const MergeModel& model, const TensorSpec& spec,
                                            std::span<const std::string> output_vocabulary,
                                            std::unique_ptr<RowMap>* map) const {
  const ConstTensor* tensor = FindTensor(model, spec.name);
  if (tensor == nullptr && spec.name == kHead) tensor = FindTensor(model, kEmbedding);  // a tied source
  if (tensor == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("model \"", model.name, "\" has no ", spec.name,
                     ", which the merged model needs; only models of one architecture can be merged"));
  }
  View view{.data = tensor->data, .dtype = tensor->dtype, .rows = nullptr};
  if (spec.name != kEmbedding && spec.name != kHead) {
    if (tensor->shape != spec.shape) return WrongShape(model, *tensor, spec);
    return view;
  }
  if (tensor->shape.size() != 2 || spec.shape.size() != 2 || tensor->shape[1] != spec.shape[1]) {
    return WrongShape(model, *tensor, spec);
  }
  if (model.vocabulary.empty() || output_vocabulary.empty()) {
    if (tensor->shape == spec.shape) return view;
    return absl::InvalidArgumentError(absl::StrCat("model \"", model.name, "\": ", tensor->name, " has ",
                                                   tensor->shape[0], " rows, the merged model's ", spec.shape[0],
                                                   ", and without both tokenizers rows cannot be matched by token"));
  }
  if (*map == nullptr) {
    *map = std::make_unique<RowMap>(MatchRows(output_vocabulary, spec.shape[0], model.vocabulary, tensor->shape[0]));
  }
  if (!(*map)->rows.empty()) view.rows = map->get();
  return view;
}

int Inputs::Find(std::string_view name) const {
  for (size_t i = 0; i < models_.size(); ++i) {
    if (models_[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

size_t Inputs::TileLength(size_t tensor, int64_t begin, int64_t end) const {
  if (by_row_[tensor]) {
    const int64_t columns = output_[tensor].shape[1];
    end = std::min(end, (begin / columns + 1) * columns);
  }
  return static_cast<size_t>(std::min<int64_t>(end - begin, kTileElements));
}

TileInput Inputs::Own(int model, size_t tensor, int64_t begin) const {
  const View& view = views_[static_cast<size_t>(model)][tensor];
  if (view.rows != nullptr) {
    const int64_t columns = output_[tensor].shape[1];
    const int32_t row = view.rows->rows[static_cast<size_t>(begin / columns)];
    if (row < 0) return {};
    begin = row * columns + begin % columns;
  }
  return {view.data + static_cast<size_t>(begin) * SizeBytes(view.dtype), view.dtype};
}

TileInput Inputs::Read(const Participants& participants, int model, size_t tensor, int64_t begin, size_t n, DType work,
                       const Kernels& kernels, float* scratch, float* buffer) const {
  const TileInput own = Own(model, tensor, begin);
  if (own.data != nullptr) return own;
  if (participants.base >= 0) {
    const TileInput base = Own(participants.base, tensor, begin);
    if (base.data != nullptr) return base;
  }
  int have = 0;
  std::fill(scratch, scratch + kTileElements, 0.0f);
  for (const int source : participants.sources) {
    const TileInput input = Own(source, tensor, begin);
    if (input.data == nullptr) continue;
    kernels.load(work, input, n, buffer);
    kernels.blend(1.0f, 1.0f, buffer, n, scratch);
    ++have;
  }
  if (have > 1) kernels.divide(work, static_cast<float>(have), n, scratch);
  return {reinterpret_cast<const std::byte*>(scratch), DType::kFloat32};
}

}  // namespace heterosis
