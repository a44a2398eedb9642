// SPDX-License-Identifier: Apache-2.0
// Implements model_digest.h: the digest of a list of "name digest" lines, sorted by name.
#include "common/genome/model_digest.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr std::array<std::string_view, 9> kNames = {"added_tokens.json",
                                                    "chat_template.jinja",
                                                    "config.json",
                                                    "generation_config.json",
                                                    "model.safetensors.index.json",
                                                    "special_tokens_map.json",
                                                    "tokenizer.json",
                                                    "tokenizer.model",
                                                    "tokenizer_config.json"};

bool Counts(std::string_view name) {
  return name.ends_with(".safetensors") || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace

absl::StatusOr<std::string> ModelDigest(const std::string& folder) {
  if (!IsDirectory(folder)) return absl::NotFoundError(absl::StrCat(folder, ": no such folder"));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(folder));
  std::string lines;
  for (const std::string& name : names) {
    if (!Counts(name)) continue;
    ASSIGN_OR_RETURN(const std::string digest, Sha256OfFile(folder + "/" + name));
    absl::StrAppend(&lines, name, " ", digest, "\n");
  }
  return Sha256(lines);
}

}  // namespace heterosis
