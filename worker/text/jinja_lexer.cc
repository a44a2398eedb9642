// SPDX-License-Identifier: Apache-2.0
// Implements jinja_lexer.h (the rules are in Jinja's manual, "Whitespace Control").
#include "worker/text/jinja_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/base/status.h"
#include "common/base/utf8.h"

namespace heterosis {
namespace {

using Kind = JinjaToken::Kind;
constexpr std::string_view kSpaces = " \t\n\r\v\f";
constexpr std::array<std::string_view, 6> kLongOperators = {"//", "**", "==", "!=", "<=", ">="};
constexpr std::string_view kShortOperators = "+-*/%~<>=()[]{},:.|";

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

std::string NormalizeNewlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(NormalizeNewlines(source)) {}

  absl::StatusOr<std::vector<JinjaToken>> Run() {
    while (at_ < source_.size()) {
      const size_t tag = NextTag();
      AddText(tag);
      if (tag == std::string::npos) break;
      at_ = tag + 2;
      if (at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+')) ++at_;
      switch (source_[tag + 1]) {
        case '#':
          RETURN_IF_ERROR(SkipComment());
          break;
        case '%':
          RETURN_IF_ERROR(LexTag(Kind::kBlockBegin, Kind::kBlockEnd, "%}"));
          break;
        default:
          RETURN_IF_ERROR(LexTag(Kind::kOutputBegin, Kind::kOutputEnd, "}}"));
      }
    }
    Add(Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  absl::Status Error(std::string_view message) {
    return absl::InvalidArgumentError(absl::StrCat("line ", Line(), ": ", std::string(message)));
  }
  int Line() {
    for (; counted_ < at_ && counted_ < source_.size(); ++counted_) line_ += source_[counted_] == '\n';
    return line_;
  }
  void Add(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), Line()}); }
  std::string_view Rest() const { return std::string_view(source_).substr(at_); }

  size_t NextTag() const {
    for (size_t i = source_.find('{', at_); i != std::string::npos; i = source_.find('{', i + 1)) {
      if (i + 1 < source_.size() && std::string_view("{%#").find(source_[i + 1]) != std::string_view::npos) return i;
    }
    return std::string::npos;
  }

  // The text before the tag at `tag`, without what the tag takes from its end.
  void AddText(size_t tag) {
    std::string_view text = Rest();
    if (tag != std::string::npos) {
      text = text.substr(0, tag - at_);
      const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
      if (sign == '-') {
        text = text.substr(0, text.find_last_not_of(kSpaces) + 1);
      } else if (sign != '+' && source_[tag + 1] != '{') {
        const size_t line = text.rfind('\n') + 1;  // 0 where there is none
        if ((line > 0 || at_line_begin_) && text.find_first_not_of(kSpaces, line) == std::string_view::npos) {
          text = text.substr(0, line);
        }
      }
    }
    if (!text.empty()) Add(Kind::kText, std::string(text));
  }

  // Moves behind a closing `end`, and what it takes of the text behind it. `with_newline`: one line end.
  void CloseTag(std::string_view end, bool with_newline) {
    const char sign = source_[at_];
    at_ += end.size() + (sign == '-' || sign == '+');
    const size_t begin = at_;
    if (sign == '-') {
      at_ = std::min(source_.find_first_not_of(kSpaces, at_), source_.size());
    } else if (sign != '+' && with_newline && Rest().starts_with('\n')) {
      ++at_;
    }
    at_line_begin_ = at_ > begin && source_[at_ - 1] == '\n';
  }

  bool AtClosing(std::string_view end) const {
    const std::string_view rest = Rest();
    if (rest.starts_with(end)) return true;
    return (rest.starts_with('-') || (rest.starts_with('+') && end != "}}")) && rest.substr(1).starts_with(end);
  }

  absl::Status SkipComment() {
    const size_t end = source_.find("#}", at_);
    if (end == std::string::npos) return Error("a comment is not closed");
    const bool sign = end > at_ && (source_[end - 1] == '-' || source_[end - 1] == '+');
    at_ = end - sign;
    CloseTag("#}", true);
    return absl::OkStatus();
  }

  absl::Status LexTag(Kind begin, Kind close, std::string_view end) {
    Add(begin, "");
    int open_braces = 0;
    while (true) {
      at_ = std::min(source_.find_first_not_of(kSpaces, at_), source_.size());
      if (at_ == source_.size()) return Error("a tag is not closed");
      if (open_braces == 0 && AtClosing(end)) break;
      RETURN_IF_ERROR(LexToken(open_braces));
    }
    Add(close, "");
    CloseTag(end, close == Kind::kBlockEnd);
    return absl::OkStatus();
  }

  absl::Status LexToken(int& open_braces) {
    const char c = source_[at_];
    if (c == '\'' || c == '"') return LexString(c);
    const size_t begin = at_;
    if (IsNameStart(c)) {
      while (at_ < source_.size() && (IsNameStart(source_[at_]) || IsDigit(source_[at_]))) ++at_;
      Add(Kind::kName, source_.substr(begin, at_ - begin));
      return absl::OkStatus();
    }
    if (IsDigit(c)) {
      const auto skip_digits = [&] {
        while (at_ < source_.size() && IsDigit(source_[at_])) ++at_;
      };
      skip_digits();
      const bool fraction = at_ + 1 < source_.size() && source_[at_] == '.' && IsDigit(source_[at_ + 1]);
      if (fraction) {
        ++at_;
        skip_digits();
      }
      Add(fraction ? Kind::kFloat : Kind::kInteger, source_.substr(begin, at_ - begin));
      return absl::OkStatus();
    }
    for (const std::string_view name : kLongOperators) {
      if (!Rest().starts_with(name)) continue;
      at_ += name.size();
      Add(Kind::kOperator, std::string(name));
      return absl::OkStatus();
    }
    if (kShortOperators.find(c) == std::string_view::npos)
      return Error(absl::StrCat("unexpected '", std::string(1, c), "'"));
    open_braces += c == '{' || c == '[' || c == '(';
    open_braces -= c == '}' || c == ']' || c == ')';
    ++at_;
    Add(Kind::kOperator, std::string(1, c));
    return absl::OkStatus();
  }

  absl::Status LexString(char quote) {
    std::string value;
    for (++at_; at_ < source_.size() && source_[at_] != quote; ++at_) {
      if (source_[at_] != '\\') {
        value += source_[at_];
        continue;
      }
      if (++at_ == source_.size()) break;
      RETURN_IF_ERROR(LexEscape(value));
    }
    if (at_ == source_.size()) return Error("a string is not closed");
    ++at_;
    Add(Kind::kString, std::move(value));
    return absl::OkStatus();
  }

  // At the letter behind a backslash; Python's escapes, an unknown one standing for itself.
  absl::Status LexEscape(std::string& value) {
    constexpr std::string_view kLetters = "ntr\\'\"abfv0", kValues("\n\t\r\\'\"\a\b\f\v\0", 11);
    const char letter = source_[at_];
    if (const size_t known = kLetters.find(letter); known != std::string_view::npos) {
      value += kValues[known];
      return absl::OkStatus();
    }
    const size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    if (digits == 0) {
      if (letter != '\n') value += {'\\', letter};
      return absl::OkStatus();
    }
    uint32_t code = 0;
    const std::string hex = source_.substr(std::min(at_ + 1, source_.size()), digits);
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    const bool fits = error == std::errc() && end == hex.data() + digits && code <= 0x10FFFF && (code >> 11) != 0x1B;
    if (!fits) return Error("a broken escape in a string");
    AppendUtf8(code, value);
    at_ += digits;
    return absl::OkStatus();
  }

  const std::string source_;
  size_t at_ = 0;
  bool at_line_begin_ = true;
  size_t counted_ = 0;
  int line_ = 1;
  std::vector<JinjaToken> tokens_;
};

}  // namespace

absl::StatusOr<std::vector<JinjaToken>> LexJinja(std::string_view source) {
  return Lexer(source).Run();
}

}  // namespace heterosis
