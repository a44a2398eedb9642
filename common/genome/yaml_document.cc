// SPDX-License-Identifier: Apache-2.0
// Implements yaml_document.h.
#include "common/genome/yaml_document.h"

#include <algorithm>
#include <exception>
#include <vector>

#include "common/base/status.h"
#include "common/base/utf8.h"

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

}  // namespace

absl::StatusOr<YAML::Node> ParseYamlDocument(std::string_view text, const std::string& file) {
  if (!IsValidUtf8(text)) return At(file, LineOfBrokenUtf8(text), "the text is not UTF-8; save the file as UTF-8");
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.empty() || documents[0].IsNull()) return At(file, 1, "the file is empty");
    if (documents.size() > 1) {
      return At(file, LineOf(documents[1]), "a second document begins; a file holds one (remove the line \"---\")");
    }
    return documents[0];
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
