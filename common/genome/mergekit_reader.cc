// SPDX-License-Identifier: Apache-2.0
// Implements the reading half of mergekit_yaml.h: YAML nodes to settings, each error with its line.
#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <set>
#include <span>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "common/base/file.h"
#include "common/base/status.h"
#include "common/genome/mergekit_yaml.h"
#include "common/genome/yaml_document.h"

namespace heterosis {
namespace {

constexpr size_t kFileBytesMax = size_t{4} << 20;
constexpr int kNodesMax = 1'000'000;  // bounds what aliases expand to

constexpr std::array<std::string_view, 7> kFileKeys = {"merge_method", "models",     "base_model",      "dtype",
                                                       "out_dtype",    "parameters", "tokenizer_source"};
constexpr std::array<std::string_view, 3> kTensorParameters = {"weight", "density", "t"};

bool IsDare(MergeMethod method) {
  return method == MergeMethod::kDareLinear || method == MergeMethod::kDareTies;
}

std::string Joined(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) absl::StrAppend(&text, text.empty() ? "" : ", ", std::string(name));
  return text;
}

// The names of models: the last parts of their paths, or the paths where two of those are equal.
void NameModels(std::vector<NamedModel>& models) {
  std::set<std::string> names;
  for (NamedModel& model : models) {
    std::string path = model.path;
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    model.name = path.substr(path.find_last_of('/') + 1);
    if (model.name.empty()) model.name = model.path;
    names.insert(model.name);
  }
  if (names.size() == models.size()) return;
  for (NamedModel& model : models) model.name = model.path;
}

}  // namespace

// Walks the document once. The first error ends it: a file made for mergekit is either ours to run or not.
class MergekitParser {
 public:
  explicit MergekitParser(const std::string& file) { out_.file_ = file; }

  absl::StatusOr<MergekitFile> Parse(const YAML::Node& root) {
    RETURN_IF_ERROR(CheckForm(root));
    RETURN_IF_ERROR(ReadMethod(root));
    RETURN_IF_ERROR(ReadModels(root));
    RETURN_IF_ERROR(ReadBase(root["base_model"]));
    NameModels(out_.models_);
    RETURN_IF_ERROR(FillSources(root));
    RETURN_IF_ERROR(ReadTokenizer(root["tokenizer_source"]));
    RETURN_IF_ERROR(ReadDTypes(root));
    if (const YAML::Node node = root["parameters"]; node.IsDefined()) {
      RETURN_IF_ERROR(ReadParameters(node, /*whole_file=*/true, out_.parameters_));
    }
    return std::move(out_);
  }

 private:
  absl::Status Error(const YAML::Node& node, const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(out_.file_, ":", LineOf(node), ": ", what));
  }

  absl::Status CheckForm(const YAML::Node& root) {
    if (!root.IsMap()) return Error(root, "a mergekit file is a map that begins with merge_method: and models:");
    std::set<std::string> seen;
    for (const auto& entry : root) {
      const std::string key = entry.first.Scalar();
      if (!seen.insert(key).second) return Error(entry.first, absl::StrCat("the key ", key, " occurs twice"));
      if (key == "slices" || key == "modules") {
        return Error(entry.first, absl::StrCat("the form `", key, ":` is not supported; write the merge as `models:`"));
      }
      if (key == "tokenizer") {
        return Error(entry.first, "`tokenizer:` is not supported; write `tokenizer_source: base` or a model's path");
      }
      if (key == "chat_template") {
        return Error(entry.first, "`chat_template:` is not supported; remove it and set it in the merged model");
      }
      if (std::find(kFileKeys.begin(), kFileKeys.end(), key) == kFileKeys.end()) {
        return Error(entry.first, absl::StrCat("unknown key ", key, " (known: ", Joined(kFileKeys), ")"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadMethod(const YAML::Node& root) {
    const YAML::Node node = root["merge_method"];
    if (!node.IsDefined() || !node.IsScalar())
      return Error(root, "merge_method: is missing; write for example dare_ties");
    const absl::StatusOr<MergeMethod> method = MergeMethodFromName(node.Scalar());
    if (!method.ok()) return Error(node, std::string(method.status().message()));
    out_.recipe_.method = *method;
    // mergekit's defaults; what the file says comes later and overrides them.
    out_.recipe_.normalize = *method == MergeMethod::kTies || *method == MergeMethod::kLinear;
    if (IsDare(*method)) out_.recipe_.rescale = Rescale::kL1;
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ModelReference(const YAML::Node& node) const {
    if (!node.IsScalar() || node.Scalar().empty()) return Error(node, "a model must be the path of a folder");
    const std::string path = node.Scalar();
    if (path.find_first_of("@+") != std::string::npos) {
      return Error(node, absl::StrCat("the model ", path,
                                      " has a revision (@) or an adapter (+), which is not supported; download or "
                                      "merge it first and write the folder"));
    }
    return path;
  }

  absl::Status ReadModels(const YAML::Node& root) {
    const YAML::Node models = root["models"];
    if (!models.IsDefined() || !models.IsSequence() || models.size() == 0) {
      return Error(models.IsDefined() ? models : root, "models: must be a list of {model: FOLDER, parameters: ...}");
    }
    std::set<std::string> seen;
    for (const YAML::Node& entry : models) {
      if (!entry.IsMap()) return Error(entry, "an entry of models: must be a map with the key model:");
      MergekitFile::Parameters parameters;
      std::string path;
      for (const auto& member : entry) {
        const std::string key = member.first.Scalar();
        if (key == "model") {
          ASSIGN_OR_RETURN(path, ModelReference(member.second));
        } else if (key == "parameters") {
          RETURN_IF_ERROR(ReadParameters(member.second, /*whole_file=*/false, parameters));
        } else {
          return Error(member.first, absl::StrCat("unknown key ", key, " (known: model, parameters)"));
        }
      }
      if (path.empty()) return Error(entry, "an entry of models: lacks the key model:");
      if (!seen.insert(path).second) return Error(entry, absl::StrCat("the model ", path, " is listed twice"));
      AddModel(path, std::move(parameters), LineOf(entry));
    }
    return absl::OkStatus();
  }

  void AddModel(const std::string& path, MergekitFile::Parameters parameters, int line) {
    out_.models_.push_back({path, path});
    out_.model_parameters_.push_back(std::move(parameters));
    out_.model_lines_.push_back(line);
  }

  size_t IndexOf(const std::string& path) const {
    const auto same = [&](const NamedModel& model) { return model.path == path; };
    return static_cast<size_t>(std::find_if(out_.models_.begin(), out_.models_.end(), same) - out_.models_.begin());
  }

  absl::Status ReadBase(const YAML::Node& node) {
    base_ = std::string::npos;
    if (!node.IsDefined() || node.IsNull()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::string path, ModelReference(node));
    base_ = IndexOf(path);
    if (base_ == out_.models_.size()) AddModel(path, {}, LineOf(node));
    return absl::OkStatus();
  }

  // In a linear merge mergekit's base model is an input like the others.
  absl::Status FillSources(const YAML::Node& root) {
    const bool linear = out_.recipe_.method == MergeMethod::kLinear;
    const bool has_base = base_ != std::string::npos;
    if (!linear && !has_base)
      return Error(root["merge_method"], "this method needs base_model: with the base's folder");
    for (size_t i = 0; i < out_.models_.size(); ++i) {
      if (!linear && i == base_) continue;
      out_.sources_.push_back(i);
      out_.recipe_.sources.push_back(out_.models_[i].name);
    }
    if (!linear) out_.recipe_.base = out_.models_[base_].name;
    out_.recipe_.tokenizer = out_.models_[has_base ? base_ : 0].name;
    if (out_.sources_.empty()) return Error(root["models"], "models: lists only the base; add a model to merge");
    if (out_.recipe_.method == MergeMethod::kSlerp && out_.sources_.size() != 1) {
      return Error(root["models"], "slerp takes two models, one of which is the base_model");
    }
    return absl::OkStatus();
  }

  absl::Status ReadTokenizer(const YAML::Node& node) {
    if (!node.IsDefined() || node.IsNull()) return absl::OkStatus();
    if (node.IsScalar() && node.Scalar() == "union") {
      return Error(node, "tokenizer_source: union is not supported; write base or the path of one of the models");
    }
    if (node.IsScalar() && node.Scalar() == "base") {
      if (base_ != std::string::npos) return absl::OkStatus();
      return Error(node, "tokenizer_source: base needs base_model:");
    }
    ASSIGN_OR_RETURN(const std::string path, ModelReference(node));
    const size_t index = IndexOf(path);
    if (index == out_.models_.size()) return Error(node, absl::StrCat(path, " is not one of this file's models"));
    out_.recipe_.tokenizer = out_.models_[index].name;
    return absl::OkStatus();
  }

  absl::Status ReadDTypes(const YAML::Node& root) {
    for (const char* key : {"dtype", "out_dtype"}) {
      const YAML::Node node = root[key];
      if (!node.IsDefined() || node.IsNull()) continue;
      const absl::StatusOr<DType> dtype = DTypeFromName(node.Scalar());
      if (!dtype.ok()) return Error(node, std::string(dtype.status().message()));
      const bool is_out = std::string_view(key) == "out_dtype";
      (is_out ? out_.recipe_.out_dtype : out_.recipe_.dtype) = *dtype;
      (is_out ? out_.has_out_dtype_ : out_.has_dtype_) = true;
    }
    return absl::OkStatus();
  }

  absl::Status ReadParameters(const YAML::Node& node, bool whole_file, MergekitFile::Parameters& out) {
    if (node.IsNull()) return absl::OkStatus();
    if (!node.IsMap()) return Error(node, "parameters: must be a map");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.Scalar();
      if (!seen.insert(key).second) return Error(entry.first, absl::StrCat("the parameter ", key, " occurs twice"));
      if (std::find(kTensorParameters.begin(), kTensorParameters.end(), key) != kTensorParameters.end()) {
        ASSIGN_OR_RETURN(out[key], ReadSetting(entry.second, key));
      } else if (whole_file) {
        RETURN_IF_ERROR(ReadSharedParameter(entry.first, entry.second));
      } else {
        return Error(entry.first,
                     absl::StrCat("unknown parameter ", key, " of a model (known: ", Joined(kTensorParameters), ")"));
      }
    }
    return absl::OkStatus();
  }

  // A parameter of the whole merge. Those that begin with heterosis_ are ours (MergekitText).
  absl::Status ReadSharedParameter(const YAML::Node& key, const YAML::Node& value) {
    const std::string name = key.Scalar();
    if (!value.IsScalar()) return Error(value, absl::StrCat(name, " must be one value for the whole merge"));
    if (name == "int8_mask") return absl::OkStatus();  // saves mergekit memory, changes no number
    if (name == "normalize") {
      ASSIGN_OR_RETURN(out_.recipe_.normalize, Bool(value));
    } else if (name == "lambda") {
      ASSIGN_OR_RETURN(out_.recipe_.lambda, Number(value));
    } else if (name == "rescale") {
      ASSIGN_OR_RETURN(const bool rescale, Bool(value));
      if (out_.recipe_.method == MergeMethod::kTies && rescale) {
        return Error(value, "rescale: true is not supported with ties; remove it");
      }
      if (!rescale) out_.recipe_.rescale = Rescale::kNone;
    } else if (name == "heterosis_rescale") {
      ASSIGN_OR_RETURN(out_.recipe_.rescale, Known(value, RescaleFromName(value.Scalar())));
    } else if (name == "heterosis_mask") {
      ASSIGN_OR_RETURN(out_.recipe_.mask, Known(value, MaskSourceFromName(value.Scalar())));
    } else if (name == "heterosis_mask_seed") {
      if (!absl::SimpleAtoi(value.Scalar(), &out_.recipe_.mask_seed))
        return Error(value, "a seed is a whole number from 0");
    } else {
      return Error(key, absl::StrCat("unknown parameter ", name,
                                     " (known: weight, density, t, normalize, lambda, rescale, int8_mask)"));
    }
    return absl::OkStatus();
  }

  template <typename T>
  absl::StatusOr<T> Known(const YAML::Node& node, absl::StatusOr<T> value) const {
    if (!value.ok()) return Error(node, std::string(value.status().message()));
    return value;
  }

  absl::StatusOr<double> Number(const YAML::Node& node) const {
    double value = 0;
    if (!node.IsScalar() || !absl::SimpleAtod(node.Scalar(), &value) || !std::isfinite(value)) {
      return Error(node, "a finite number is expected here");
    }
    return value;
  }

  absl::StatusOr<bool> Bool(const YAML::Node& node) const {
    const std::string text = absl::AsciiStrToLower(node.Scalar());
    if (text == "true" || text == "1" || text == "1.0") return true;
    if (text == "false" || text == "0" || text == "0.0") return false;
    return Error(node, "true or false is expected here");
  }

  absl::StatusOr<std::vector<double>> Gradient(const YAML::Node& node) {
    std::vector<double> values;
    if (!node.IsSequence()) {
      ASSIGN_OR_RETURN(const double value, Number(node));
      values.push_back(value);
      return values;
    }
    for (const YAML::Node& item : node) {
      RETURN_IF_ERROR(CountNode(item));
      ASSIGN_OR_RETURN(const double value, Number(item));
      values.push_back(value);
    }
    if (values.empty()) return Error(node, "a gradient needs at least one number");
    return values;
  }

  absl::StatusOr<MergekitFile::Case> ReadCase(const YAML::Node& node, const std::string& name) {
    MergekitFile::Case out;
    for (const auto& entry : node) {
      RETURN_IF_ERROR(CountNode(node));
      const std::string key = entry.first.Scalar();
      if (key == "value") {
        ASSIGN_OR_RETURN(out.gradient, Gradient(entry.second));
      } else if (key == "filter") {
        if (!entry.second.IsScalar() && !entry.second.IsNull())
          return Error(entry.second, "a filter is a part of a tensor's name");
        out.filter = entry.second.IsNull() ? "" : entry.second.Scalar();
      } else {
        return Error(entry.first, absl::StrCat("unknown key ", key, " in a case of ", name, " (known: value, filter)"));
      }
    }
    if (out.gradient.empty()) return Error(node, absl::StrCat("a case of ", name, " lacks its value:"));
    return out;
  }

  absl::StatusOr<MergekitFile::Setting> ReadSetting(const YAML::Node& node, const std::string& name) {
    MergekitFile::Setting setting;
    const bool cases = node.IsSequence() && node.size() > 0 && node[0].IsMap();
    if (!node.IsMap() && !cases) {
      ASSIGN_OR_RETURN(std::vector<double> gradient, Gradient(node));
      setting.push_back({"", std::move(gradient)});
      return setting;
    }
    if (node.IsMap()) {
      ASSIGN_OR_RETURN(MergekitFile::Case only, ReadCase(node, name));
      setting.push_back(std::move(only));
      return setting;
    }
    for (const YAML::Node& item : node) {
      if (!item.IsMap()) return Error(item, absl::StrCat("each case of ", name, " must be {value: ..., filter: ...}"));
      ASSIGN_OR_RETURN(MergekitFile::Case next, ReadCase(item, name));
      setting.push_back(std::move(next));
    }
    return setting;
  }

  absl::Status CountNode(const YAML::Node& node) {
    if (++nodes_ <= kNodesMax) return absl::OkStatus();
    return Error(node, absl::StrCat("the file expands to more than ", kNodesMax, " values"));
  }

  MergekitFile out_;
  size_t base_ = std::string::npos;  // index of the base model
  int nodes_ = 0;
};

absl::StatusOr<MergekitFile> MergekitFile::Parse(std::string_view text, const std::string& file) {
  ASSIGN_OR_RETURN(const YAML::Node root, ParseYamlDocument(text, file));
  try {
    return MergekitParser(file).Parse(root);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": cannot be read as a mergekit file: ", error.what()));
  }
}

absl::StatusOr<MergekitFile> MergekitFile::Read(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kFileBytesMax));
  return Parse(text, path);
}

}  // namespace heterosis
