// SPDX-License-Identifier: Apache-2.0
// Implements pattern.h.
#include "worker/text/pattern.h"

#include <utility>

#include "common/base/status.h"

namespace heterosis {

absl::StatusOr<Pattern> Pattern::Read(const JsonFields& owner) {
  ASSIGN_OR_RETURN(const JsonFields fields, owner.Object("pattern"));
  RETURN_IF_ERROR(fields.AllowOnly({"String", "Regex"}));
  if (fields.json().size() != 1) return fields.Error("must have either \"String\" or \"Regex\"");
  if (fields.Find("String") != nullptr) {
    ASSIGN_OR_RETURN(std::string literal, fields.String("String"));
    if (literal.empty()) return fields.ErrorAt("String", "must not be empty");
    return Literal(std::move(literal));
  }
  ASSIGN_OR_RETURN(const std::string expression, fields.String("Regex"));
  absl::StatusOr<std::unique_ptr<Regex>> regex = Regex::Compile(expression);
  if (!regex.ok()) return Annotate(regex.status(), fields.Place("Regex"));
  return Pattern("", std::shared_ptr<const Regex>(std::move(regex).value()));
}

Pattern Pattern::Literal(std::string literal) {
  return Pattern(std::move(literal), nullptr);
}

std::vector<Regex::Match> Pattern::FindAll(std::string_view text) const {
  if (regex_ != nullptr) return regex_->FindAll(text);
  std::vector<Regex::Match> matches;
  for (size_t at = text.find(literal_); at != std::string_view::npos; at = text.find(literal_, at + literal_.size())) {
    matches.push_back({at, at + literal_.size()});
  }
  return matches;
}

std::string Pattern::Replace(std::string_view text, std::string_view replacement) const {
  std::string out;
  out.reserve(text.size());
  size_t copied = 0;
  for (const Regex::Match& match : FindAll(text)) {
    out.append(text.substr(copied, match.begin - copied)).append(replacement);
    copied = match.end;
  }
  out.append(text.substr(copied));
  return out;
}

}  // namespace heterosis
