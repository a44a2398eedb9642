// SPDX-License-Identifier: Apache-2.0
// The two ways to find the last number of a text; ExtractNumber (number.h) chooses. Internal to common/scoring.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace heterosis {

// `text` is DecodeWithAsciiDigits'. The result is what stands there, in ASCII: [-]digits[.digits] or [-].digits, with
// neither commas nor a plus.
std::optional<std::string> FindNumberOfPaper(std::u32string_view text);
std::optional<std::string> FindNumberRobustly(std::u32string_view text);

}  // namespace heterosis
