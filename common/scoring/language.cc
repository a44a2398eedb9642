// SPDX-License-Identifier: Apache-2.0
// Implements language.h: the only file that includes fastText, and the door where its exceptions end.
#include "common/scoring/language.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include "common/base/file.h"
#include "common/base/status.h"
#include "fasttext/fasttext.h"

namespace heterosis {
namespace {

constexpr std::string_view kLabelPrefix = "__label__";

std::string LabelOf(std::string_view language) {
  return std::string(kLabelPrefix).append(language);
}

}  // namespace

// fastText's classifier, loaded from a stream that reports a short file: its own loader never looks, and reads the
// words of a cut dictionary without end.
class LanguageGate::Model : public fasttext::FastText {
 public:
  // Throws what fastText and the stream throw.
  void LoadFrom(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    file.exceptions(std::ios::failbit | std::ios::badbit | std::ios::eofbit);
    if (!checkModel(file)) throw std::runtime_error("not a fastText model of a version that is known");
    loadModel(file);
    if (getArgs().model != fasttext::model_name::sup) throw std::runtime_error("not a classifier");
  }

  bool HasLabel(const std::string& label) const {
    const int32_t id = getLabelId(label);
    return id >= 0 && id < getDictionary()->nlabels();
  }

  int32_t label_count() const { return getDictionary()->nlabels(); }
};

LanguageGate::LanguageGate(std::unique_ptr<Model> model) : model_(std::move(model)) {}
LanguageGate::~LanguageGate() = default;

absl::StatusOr<std::unique_ptr<LanguageGate>> LanguageGate::Load(const std::string& path) {
  if (!FileExists(path)) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file, deploy/deps/install fetches lid.176.ftz"));
  }
  auto model = std::make_unique<Model>();
  try {
    model->LoadFrom(path);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no language model of fastText (", error.what(),
                                                   "), let deploy/deps/install fetch lid.176.ftz again"));
  }
  return std::unique_ptr<LanguageGate>(new LanguageGate(std::move(model)));
}

bool LanguageGate::Knows(std::string_view language) const {
  return model_->HasLabel(LabelOf(language));
}

double LanguageGate::Probability(std::string_view text, std::string_view language) const {
  std::string line(text);
  std::erase(line, '\n');
  line += '\n';  // fastText reads a line; its end is a token of the model
  const std::string label = LabelOf(language);
  std::vector<std::pair<fasttext::real, std::string>> predictions;
  try {
    std::istringstream stream(line);
    model_->predictLine(stream, predictions, model_->label_count(), 0);
  } catch (const std::exception&) {
    return 0;  // fastText throws here only for a model with NaN in it, which then knows nothing
  }
  for (const auto& [probability, name] : predictions) {
    if (name == label) return std::clamp(static_cast<double>(probability), 0.0, 1.0);
  }
  return 0;
}

}  // namespace heterosis
