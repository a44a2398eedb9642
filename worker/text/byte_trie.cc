// SPDX-License-Identifier: Apache-2.0
// Implements byte_trie.h.
#include "worker/text/byte_trie.h"

namespace heterosis {
namespace {

uint64_t Edge(uint32_t node, char byte) {
  return (uint64_t{node} << 8) | static_cast<unsigned char>(byte);
}

}  // namespace

bool ByteTrie::Add(std::string_view pattern, int32_t value) {
  uint32_t node = 0;
  first_bytes_[static_cast<unsigned char>(pattern.front())] = true;
  for (const char byte : pattern) {
    const auto [child, added] = children_.emplace(Edge(node, byte), static_cast<uint32_t>(value_of_node_.size()));
    if (added) value_of_node_.push_back(-1);
    node = child->second;
  }
  if (value_of_node_[node] != -1) return false;
  value_of_node_[node] = value;
  return true;
}

ByteTrie::Match ByteTrie::LongestAt(std::string_view text, size_t at) const {
  Match match;
  if (!first_bytes_[static_cast<unsigned char>(text[at])]) return match;
  uint32_t node = 0;
  for (size_t i = at; i < text.size(); ++i) {
    const auto child = children_.find(Edge(node, text[i]));
    if (child == children_.end()) break;
    node = child->second;
    if (value_of_node_[node] >= 0) match = {value_of_node_[node], i + 1 - at};
  }
  return match;
}

}  // namespace heterosis
