// SPDX-License-Identifier: Apache-2.0
// A folder in memory for the readers that take a path: a fuzz target writes its input there and reads it back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace heterosis {

// What libFuzzer hands in, as text.
inline std::string_view AsText(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A folder of this process, removed when it ends.
const std::string& ScratchFolder();

// Writes NAME in the folder, over what is there; returns its path. Aborts where it cannot be written: nothing would be
// tested then.
std::string WriteScratch(std::string_view name, std::string_view content);

// libFuzzer's -artifact_prefix, before the names of inputs that fail; "" where there is none, and in other builds.
const std::string& ArtifactPrefix();

}  // namespace heterosis
