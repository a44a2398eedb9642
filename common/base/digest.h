// SPDX-License-Identifier: Apache-2.0
// SHA-256 of texts and files, as lower-case hexadecimal.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace heterosis {

std::string Sha256(std::string_view text);
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

}  // namespace heterosis
