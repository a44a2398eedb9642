// SPDX-License-Identifier: Apache-2.0
// Implements regex.h: a translation of Oniguruma's escapes into PCRE2's, and the matching loop.
#include "worker/text/regex.h"

#include <utility>

#include "common/base/status.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace heterosis {
namespace {

absl::Status Refuse(std::string_view pattern, size_t offset, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the regular expression \"", std::string(pattern), "\", at byte ",
                                                 offset, ": ", std::string(what), " is not supported"));
}

// The members of a class that stand for Oniguruma's \s and \w; PCRE2's own differ (U+180E, marks, connectors, and
// Latin-1's superscripts and fractions). Equal for every character of Unicode 14, the version that PCRE2 10.42 knows.
constexpr char kSpace[] = "\\p{White_Space}";
constexpr char kNotSpace[] = "\\P{White_Space}";
constexpr char kWord[] = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}";

// Rewrites one escape, `pattern[at]` being the backslash; moves `at` behind it.
absl::Status TranslateEscape(std::string_view pattern, bool in_class, size_t& at, std::string& out) {
  if (at + 1 >= pattern.size()) return Refuse(pattern, at, "a backslash at the end");
  const char letter = pattern[at + 1];
  const size_t begin = at;
  at += 2;
  switch (letter) {
    case 's':
      out += kSpace;
      return absl::OkStatus();
    case 'S':
      out += kNotSpace;
      return absl::OkStatus();
    case 'w':
      out += in_class ? std::string(kWord) : absl::StrCat("[", kWord, "]");
      return absl::OkStatus();
    case 'W':
      if (in_class) return Refuse(pattern, begin, "\\W inside [...]");
      absl::StrAppend(&out, "[^", kWord, "]");
      return absl::OkStatus();
    case 'd':
      out += "\\p{Nd}";
      return absl::OkStatus();
    case 'D':
      out += "\\P{Nd}";
      return absl::OkStatus();
    case 'v':
      out += "\\x0b";
      return absl::OkStatus();
    case 'n':
    case 'r':
    case 't':
    case 'f':
    case 'a':
    case 'e':
    case 'z':
      out += {'\\', letter};
      return absl::OkStatus();
    case 'p':
    case 'P':
    case 'x': {
      out += {'\\', letter};
      if (at >= pattern.size() || pattern[at] != '{') return absl::OkStatus();
      const size_t end = pattern.find('}', at);
      if (end == std::string_view::npos) return Refuse(pattern, begin, "a brace that is not closed");
      out += pattern.substr(at, end + 1 - at);
      at = end + 1;
      return absl::OkStatus();
    }
    case 'A':
      out += "\\A";
      return absl::OkStatus();
    case 'u': {
      if (at + 4 > pattern.size()) return Refuse(pattern, begin, "a \\u without four digits");
      absl::StrAppend(&out, "\\x{", std::string(pattern.substr(at, 4)), "}");
      at += 4;
      return absl::OkStatus();
    }
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(letter);
  const bool alphanumeric =
      (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
  if (alphanumeric || byte >= 0x80) return Refuse(pattern, begin, absl::StrCat("\\", std::string(1, letter)));
  out += {'\\', letter};
  return absl::OkStatus();
}

// Groups that mean the same in both engines, `rest` beginning behind the parenthesis.
bool IsKnownGroup(std::string_view rest) {
  if (rest.starts_with("*")) return false;
  if (!rest.starts_with("?")) return true;
  for (const std::string_view kind : {"?:", "?i:", "?i)", "?=", "?!", "?>", "?<=", "?<!"}) {
    if (rest.starts_with(kind)) return true;
  }
  return false;
}

absl::StatusOr<std::string> TranslatePattern(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  size_t class_begin = 0;
  for (size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (c == '\\') {
      RETURN_IF_ERROR(TranslateEscape(pattern, in_class, i, out));
      continue;
    }
    if (in_class) {
      if (c == '[') return Refuse(pattern, i, "a set inside [...]");
      if (c == '&' && i + 1 < pattern.size() && pattern[i + 1] == '&') return Refuse(pattern, i, "&& inside [...]");
      if (c == ']' && i != class_begin) in_class = false;
    } else if (c == '[') {
      in_class = true;
      class_begin = i + 1 + (i + 1 < pattern.size() && pattern[i + 1] == '^');
    } else if (c == '(' && !IsKnownGroup(pattern.substr(i + 1))) {
      return Refuse(pattern, i, "this kind of group");
    } else if (c == '}' && i + 1 < pattern.size() && pattern[i + 1] == '+') {
      return Refuse(pattern, i, "the possessive {n,m}+");
    }
    out += c;
    ++i;
  }
  return out;
}

struct MatchDataDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

Regex::Regex(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Regex::~Regex() = default;

absl::StatusOr<std::unique_ptr<Regex>> Regex::Compile(std::string_view pattern) {
  ASSIGN_OR_RETURN(const std::string translated, TranslatePattern(pattern));
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  pcre2_set_max_pattern_length(context, size_t{1} << 16);
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_unique<Code>();
  // Oniguruma's ^ and $ are always those of lines.
  code->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, context);
  pcre2_compile_context_free(context);
  if (code->code == nullptr) {
    PCRE2_UCHAR message[256] = {0};
    pcre2_get_error_message(error, message, sizeof(message));
    return absl::InvalidArgumentError(absl::StrCat("the regular expression \"", std::string(pattern),
                                                   "\" does not compile: ", reinterpret_cast<const char*>(message),
                                                   " (at byte ", offset, " of ", translated, ")"));
  }
  // Where the just-in-time compiler is missing, the interpreter runs instead.
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
  return std::unique_ptr<Regex>(new Regex(std::move(code)));
}

std::vector<Regex::Match> Regex::FindAll(std::string_view text) const {
  std::vector<Match> matches;
  const std::unique_ptr<pcre2_match_data, MatchDataDeleter> data(pcre2_match_data_create(1, nullptr));
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data() == nullptr ? "" : text.data());
  size_t at = 0;
  while (at <= text.size()) {
    int count = pcre2_match(code_->code, subject, text.size(), at, PCRE2_NO_UTF_CHECK, data.get(), nullptr);
    if (count == PCRE2_ERROR_JIT_STACKLIMIT) {
      count =
          pcre2_match(code_->code, subject, text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data.get(), nullptr);
    }
    if (count < 0) break;
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
    const Match match{ends[0], ends[1]};
    if (match.end < match.begin || match.begin < at) break;  // \K in a look-behind
    matches.push_back(match);
    at = match.end;
    if (match.begin == match.end) {  // an empty match: go on behind the next character
      do {
        ++at;
      } while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
    }
  }
  return matches;
}

}  // namespace heterosis
