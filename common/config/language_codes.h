// SPDX-License-Identifier: Apache-2.0
// The languages that the language gate can tell.
#pragma once

#include <string>
#include <vector>

namespace heterosis {

// The 176 codes of fastText's lid.176 model, sorted: ISO 639-1 where there is one ("ja"), else ISO 639-3 or what
// Wikipedia uses.
const std::vector<std::string>& LanguageCodes();

}  // namespace heterosis
