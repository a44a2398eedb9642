// SPDX-License-Identifier: Apache-2.0
// Implements suggest.h with the optimal string alignment distance.
#include "common/config/suggest.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace heterosis {
namespace {

constexpr size_t kLengthMax = 64;  // longer names are no typing errors

size_t Edits(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string Closest(std::string_view wrong, const std::vector<std::string>& known) {
  if (wrong.size() > kLengthMax) return "";
  std::string best;
  size_t best_edits = std::max<size_t>(1, (wrong.size() + 1) / 3) + 1;
  for (const std::string& name : known) {
    const size_t edits = Edits(wrong, name);
    if (edits >= best_edits) continue;
    best_edits = edits;
    best = name;
  }
  return best;
}

std::string Suggestion(std::string_view wrong, const std::vector<std::string>& known) {
  const std::string closest = Closest(wrong, known);
  if (!closest.empty()) return absl::StrCat("; did you mean \"", closest, "\"?");
  return absl::StrCat(" (known: ", absl::StrJoin(known, ", "), ")");
}

}  // namespace heterosis
