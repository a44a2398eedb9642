// SPDX-License-Identifier: Apache-2.0
// Implements yaml_document.h.
#include "common/genome/yaml_document.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <sstream>

#include "common/base/status.h"
#include "common/base/utf8.h"
#include "yaml-cpp/eventhandler.h"

namespace heterosis {
namespace {

absl::Status At(const std::string& file, int line, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(file, ":", line, ": ", std::string(what)));
}

int LineOfBrokenUtf8(std::string_view text) {
  size_t offset = 0;
  while (offset < text.size()) {
    const CodePoint point = DecodeUtf8(text, offset);
    if (!point.valid) break;
    offset += point.length_bytes;
  }
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

// Takes note of where a document's content begins.
class BeginFinder : public YAML::EventHandler {
 public:
  std::optional<YAML::Mark> begin;

  void OnDocumentStart(const YAML::Mark&) override { begin.reset(); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { Note(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { Note(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override { Note(mark); }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    Note(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    Note(mark);
  }
  void OnMapEnd() override {}

 private:
  void Note(const YAML::Mark& mark) {
    if (!begin.has_value()) begin = mark;
  }
};

// Where a second document begins, if there is one. Not by YAML::LoadAll: at a stray "," or "]" between documents its
// parser (0.7) goes no further, and it collects empty documents until memory is used up.
std::optional<YAML::Mark> SecondDocument(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  BeginFinder finder;
  if (!parser.HandleNextDocument(finder) || !parser.HandleNextDocument(finder)) return std::nullopt;
  return finder.begin.value_or(YAML::Mark());
}

}  // namespace

absl::StatusOr<YAML::Node> ParseYamlDocument(std::string_view text, const std::string& file) {
  if (!IsValidUtf8(text)) return At(file, LineOfBrokenUtf8(text), "the text is not UTF-8; save the file as UTF-8");
  try {
    const std::string owned(text);
    const YAML::Node document = YAML::Load(owned);
    if (const std::optional<YAML::Mark> second = SecondDocument(owned); second.has_value()) {
      return At(file, std::max(second->line, 0) + 1,
                "a second document, or a stray character, begins here; a file holds one document (remove the line "
                "\"---\", or the character)");
    }
    if (!document.IsDefined() || document.IsNull()) return At(file, 1, "the file is empty");
    return document;
  } catch (const YAML::Exception& error) {
    return At(file, std::max(error.mark.line, 0) + 1, absl::StrCat("not valid YAML: ", error.msg));
  } catch (const std::exception& error) {
    return At(file, 1, absl::StrCat("not valid YAML: ", error.what()));
  }
}

int LineOf(const YAML::Node& node) {
  return std::max(node.Mark().line, 0) + 1;
}

// yaml-cpp tags quoted and block scalars "!".
bool IsPlainScalar(const YAML::Node& node) {
  return node.IsScalar() && node.Tag() != "!";
}

}  // namespace heterosis
