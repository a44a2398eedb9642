// SPDX-License-Identifier: Apache-2.0
// A set of byte strings in which the longest that begins at a place of a text is found.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace heterosis {

// Thread-compatible.
class ByteTrie {
 public:
  struct Match {
    int32_t value = -1;
    size_t length_bytes = 0;  // 0: no string of the set begins here
  };

  // False, and no change, where the string is there already. `pattern` must not be empty.
  bool Add(std::string_view pattern, int32_t value);
  Match LongestAt(std::string_view text, size_t at) const;

 private:
  std::unordered_map<uint64_t, uint32_t> children_;  // (node, byte) -> node; the root is 0
  std::vector<int32_t> value_of_node_{-1};
  std::array<bool, 256> first_bytes_{};
};

}  // namespace heterosis
