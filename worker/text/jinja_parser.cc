// SPDX-License-Identifier: Apache-2.0
// Implements jinja_parser.h: recursive descent, one function per level of precedence.
#include "worker/text/jinja_parser.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <utility>

#include "common/base/status.h"
#include "worker/text/jinja_lexer.h"

namespace heterosis {
namespace {

using Kind = JinjaNode::Kind;
using Token = JinjaToken::Kind;
using Parsed = absl::StatusOr<JinjaNodePtr>;

constexpr int kDepthMax = 100;
constexpr int kChainMax = 200;  // a + b + ..., a.b.c ...: each link is one level of the tree

class Parser {
 public:
  explicit Parser(std::vector<JinjaToken> tokens) : tokens_(std::move(tokens)) {}

  Parsed Run() {
    ASSIGN_OR_RETURN(JinjaNodePtr block, Statements({}));
    if (Now().kind != Token::kEnd) return Error(absl::StrCat("unexpected ", Shown()));
    return block;
  }

 private:
  const JinjaToken& Now() const { return tokens_[at_]; }
  const JinjaToken& Next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  std::string Shown() const { return Now().kind == Token::kEnd ? "end of the template" : "\"" + Now().text + "\""; }
  absl::Status Error(std::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat("line ", Now().line, ": ", std::string(message)));
  }
  bool Is(Token kind, std::string_view text) const { return Now().kind == kind && Now().text == text; }
  bool IsOperator(std::string_view text) const { return Is(Token::kOperator, text); }
  bool IsName(std::string_view text) const { return Is(Token::kName, text); }
  bool Take(Token kind, std::string_view text) {
    if (!Is(kind, text)) return false;
    ++at_;
    return true;
  }
  bool TakeOperator(std::string_view text) { return Take(Token::kOperator, text); }
  absl::Status Expect(Token kind, std::string_view text) {
    if (Take(kind, text)) return absl::OkStatus();
    const std::string wanted = text.empty() ? "the end of the tag" : absl::StrCat("\"", std::string(text), "\"");
    return Error(absl::StrCat("expected ", wanted, ", found ", Shown()));
  }
  absl::StatusOr<std::string> ExpectName() {
    if (Now().kind != Token::kName) return Error(absl::StrCat("expected a name, found ", Shown()));
    return tokens_[at_++].text;
  }
  JinjaNodePtr Make(Kind kind, std::string name = "") const {
    auto node = std::make_unique<JinjaNode>();
    node->kind = kind;
    node->line = Now().line;
    node->name = std::move(name);
    return node;
  }

  // Counts how deep the parser is, and refuses to go deeper than kDepthMax.
  struct Depth {
    explicit Depth(int& depth) : counter(++depth) {}
    ~Depth() { --counter; }
    int& counter;
  };

  // Statements up to a tag that begins with one of `ends`, which is left, or to the end.
  Parsed Statements(std::initializer_list<std::string_view> ends) {
    const Depth depth(depth_);
    if (depth_ > kDepthMax) return Error("too deeply nested");
    JinjaNodePtr block = Make(Kind::kBlock);
    while (Now().kind != Token::kEnd) {
      if (Now().kind == Token::kBlockBegin && std::find(ends.begin(), ends.end(), Next().text) != ends.end()) break;
      ASSIGN_OR_RETURN(block->children.emplace_back(), Statement());
    }
    return block;
  }

  Parsed Statement() {
    if (Now().kind == Token::kText) {
      JinjaNodePtr text = Make(Kind::kText, Now().text);
      ++at_;
      return text;
    }
    if (Take(Token::kOutputBegin, "")) {
      JinjaNodePtr output = Make(Kind::kOutput);
      ASSIGN_OR_RETURN(output->children.emplace_back(), Expression());
      RETURN_IF_ERROR(Expect(Token::kOutputEnd, ""));
      return output;
    }
    RETURN_IF_ERROR(Expect(Token::kBlockBegin, ""));
    ASSIGN_OR_RETURN(const std::string keyword, ExpectName());
    if (keyword == "if") return If();
    if (keyword == "for") return For();
    if (keyword == "set") return Set();
    if (keyword == "generation") return Generation();
    if (keyword == "break" || keyword == "continue") {
      JinjaNodePtr jump = Make(keyword == "break" ? Kind::kBreak : Kind::kContinue);
      RETURN_IF_ERROR(Expect(Token::kBlockEnd, ""));
      return jump;
    }
    --at_;
    return Error(absl::StrCat("the statement \"", keyword, "\" is not supported"));
  }

  // "{% keyword %}", its beginning included.
  absl::Status ExpectTag(std::string_view keyword) {
    RETURN_IF_ERROR(Expect(Token::kBlockBegin, ""));
    RETURN_IF_ERROR(Expect(Token::kName, keyword));
    return Expect(Token::kBlockEnd, "");
  }

  Parsed If() {
    JinjaNodePtr node = Make(Kind::kIf);
    while (true) {
      ASSIGN_OR_RETURN(node->children.emplace_back(), Expression());
      RETURN_IF_ERROR(Expect(Token::kBlockEnd, ""));
      ASSIGN_OR_RETURN(node->children.emplace_back(), Statements({"elif", "else", "endif"}));
      RETURN_IF_ERROR(Expect(Token::kBlockBegin, ""));
      if (!Take(Token::kName, "elif")) break;
    }
    if (Take(Token::kName, "else")) {
      RETURN_IF_ERROR(Expect(Token::kBlockEnd, ""));
      ASSIGN_OR_RETURN(node->children.emplace_back(), Statements({"endif"}));
      RETURN_IF_ERROR(Expect(Token::kBlockBegin, ""));
    }
    RETURN_IF_ERROR(Expect(Token::kName, "endif"));
    RETURN_IF_ERROR(Expect(Token::kBlockEnd, ""));
    return node;
  }

  Parsed For() {
    JinjaNodePtr node = Make(Kind::kFor);
    do {
      ASSIGN_OR_RETURN(node->names.emplace_back(), ExpectName());
    } while (TakeOperator(","));
    RETURN_IF_ERROR(Expect(Token::kName, "in"));
    node->children.resize(4);
    ASSIGN_OR_RETURN(node->children[0], Or());  // not Expression(): "if" begins the filter
    if (Take(Token::kName, "if")) {
      ASSIGN_OR_RETURN(node->children[2], Expression());
    }
    if (IsName("recursive")) return Error("recursive loops are not supported");
    RETURN_IF_ERROR(Expect(Token::kBlockEnd, ""));
    ASSIGN_OR_RETURN(node->children[1], Statements({"else", "endfor"}));
    if (Next().text == "else") {
      RETURN_IF_ERROR(ExpectTag("else"));
      ASSIGN_OR_RETURN(node->children[3], Statements({"endfor"}));
    }
    RETURN_IF_ERROR(ExpectTag("endfor"));
    return node;
  }

  Parsed Set() {
    JinjaNodePtr node = Make(Kind::kSet);
    ASSIGN_OR_RETURN(node->name, ExpectName());
    if (TakeOperator(".")) {
      node->kind = Kind::kSetField;
      ASSIGN_OR_RETURN(node->names.emplace_back(), ExpectName());
    }
    if (TakeOperator("=")) {
      ASSIGN_OR_RETURN(node->children.emplace_back(), Expression());
      RETURN_IF_ERROR(Expect(Token::kBlockEnd, ""));
      return node;
    }
    if (node->kind == Kind::kSetField) return Error("expected \"=\"");
    node->kind = Kind::kSetBlock;
    RETURN_IF_ERROR(Expect(Token::kBlockEnd, ""));
    ASSIGN_OR_RETURN(node->children.emplace_back(), Statements({"endset"}));
    RETURN_IF_ERROR(ExpectTag("endset"));
    return node;
  }

  // transformers' marks round what the assistant says; they print nothing themselves.
  Parsed Generation() {
    RETURN_IF_ERROR(Expect(Token::kBlockEnd, ""));
    ASSIGN_OR_RETURN(JinjaNodePtr block, Statements({"endgeneration"}));
    RETURN_IF_ERROR(ExpectTag("endgeneration"));
    return block;
  }

  Parsed Expression() {
    const Depth depth(depth_);
    if (depth_ > kDepthMax) return Error("too deeply nested");
    ASSIGN_OR_RETURN(JinjaNodePtr value, Or());
    for (int links = 0; IsName("if"); ++links) {
      if (links > kChainMax) return Error("too long an expression");
      JinjaNodePtr node = Make(Kind::kConditional);
      ++at_;
      node->children.resize(3);
      ASSIGN_OR_RETURN(node->children[0], Or());
      node->children[1] = std::move(value);
      if (Take(Token::kName, "else")) {
        ASSIGN_OR_RETURN(node->children[2], Expression());
      }
      value = std::move(node);
    }
    return value;
  }

  using Level = Parsed (Parser::*)();

  // left (op right)*, `op` being one of `operators` of the kind `token`.
  Parsed LeftAssociative(Token token, std::initializer_list<std::string_view> operators, Level operand) {
    ASSIGN_OR_RETURN(JinjaNodePtr left, (this->*operand)());
    int links = 0;
    while (Now().kind == token && std::find(operators.begin(), operators.end(), Now().text) != operators.end()) {
      if (++links > kChainMax) return Error("too long an expression");
      JinjaNodePtr node = Make(Kind::kBinary, Now().text);
      ++at_;
      node->children.push_back(std::move(left));
      ASSIGN_OR_RETURN(node->children.emplace_back(), (this->*operand)());
      left = std::move(node);
    }
    return left;
  }
  Parsed Or() { return LeftAssociative(Token::kName, {"or"}, &Parser::And); }
  Parsed And() { return LeftAssociative(Token::kName, {"and"}, &Parser::Not); }
  Parsed Sum() { return LeftAssociative(Token::kOperator, {"+", "-"}, &Parser::Concatenation); }
  Parsed Concatenation() { return LeftAssociative(Token::kOperator, {"~"}, &Parser::Product); }
  Parsed Product() { return LeftAssociative(Token::kOperator, {"*", "/", "//", "%"}, &Parser::Filtered); }

  Parsed Not() {
    const Depth depth(depth_);
    if (depth_ > kDepthMax) return Error("too deeply nested");
    if (!IsName("not")) return Comparison();
    JinjaNodePtr node = Make(Kind::kUnary, "not");
    ++at_;
    ASSIGN_OR_RETURN(node->children.emplace_back(), Not());
    return node;
  }

  Parsed Comparison() {
    ASSIGN_OR_RETURN(JinjaNodePtr left, Sum());
    bool chained = false;
    while (true) {
      std::string name;
      for (const char* known : {"==", "!=", "<", ">", "<=", ">="}) {
        if (IsOperator(known)) name = known;
      }
      if (IsName("in")) name = "in";
      if (IsName("not") && Next().text == "in") name = "not in";
      if (name.empty()) return left;
      if (chained) return Error("chained comparisons are not supported");
      chained = true;
      JinjaNodePtr node = Make(Kind::kBinary, name);
      at_ += name == "not in" ? 2 : 1;
      node->children.push_back(std::move(left));
      ASSIGN_OR_RETURN(node->children.emplace_back(), Sum());
      left = std::move(node);
    }
  }

  // A unary operand with what follows it: | filters and "is" tests.
  Parsed Filtered() {
    ASSIGN_OR_RETURN(JinjaNodePtr value, Unary());
    for (int links = 0; links <= kChainMax; ++links) {
      if (TakeOperator("|")) {
        JinjaNodePtr node = Make(Kind::kFilter);
        ASSIGN_OR_RETURN(node->name, ExpectName());
        node->children.push_back(std::move(value));
        if (TakeOperator("(")) RETURN_IF_ERROR(Arguments(*node));
        value = std::move(node);
      } else if (Take(Token::kName, "is")) {
        const bool negated = Take(Token::kName, "not");
        ASSIGN_OR_RETURN(value, Test(std::move(value)));
        if (!negated) continue;
        JinjaNodePtr node = Make(Kind::kUnary, "not");
        node->children.push_back(std::move(value));
        value = std::move(node);
      } else {
        return value;
      }
    }
    return Error("too long an expression");
  }

  Parsed Test(JinjaNodePtr value) {
    JinjaNodePtr node = Make(Kind::kTest);
    ASSIGN_OR_RETURN(node->name, ExpectName());
    node->children.push_back(std::move(value));
    if (TakeOperator("(")) {
      RETURN_IF_ERROR(Arguments(*node));
    } else if (BeginsTestArgument()) {
      ASSIGN_OR_RETURN(JinjaNodePtr argument, Primary());
      ASSIGN_OR_RETURN(node->children.emplace_back(), Postfix(std::move(argument)));
    }
    return node;
  }

  // A test may have one argument without parentheses: x is divisibleby 3.
  bool BeginsTestArgument() const {
    if (Now().kind == Token::kString || Now().kind == Token::kInteger || Now().kind == Token::kFloat) return true;
    if (Now().kind == Token::kName) return !IsName("else") && !IsName("or") && !IsName("and") && !IsName("if");
    return IsOperator("[") || IsOperator("{");
  }

  Parsed Unary() {
    const Depth depth(depth_);
    if (depth_ > kDepthMax) return Error("too deeply nested");
    if (!IsOperator("-") && !IsOperator("+")) {
      ASSIGN_OR_RETURN(JinjaNodePtr value, Primary());
      return Postfix(std::move(value));
    }
    JinjaNodePtr node = Make(Kind::kUnary, Now().text);
    ++at_;
    ASSIGN_OR_RETURN(node->children.emplace_back(), Unary());
    return node;
  }

  Parsed Postfix(JinjaNodePtr value) {
    for (int links = 0; links <= kChainMax; ++links) {
      JinjaNodePtr node = Make(Kind::kField);
      if (TakeOperator(".")) {
        ASSIGN_OR_RETURN(node->name, ExpectName());
        node->children.push_back(std::move(value));
      } else if (TakeOperator("[")) {
        node->children.push_back(std::move(value));
        RETURN_IF_ERROR(Subscript(*node));
      } else if (TakeOperator("(")) {
        node->kind = Kind::kCall;
        node->children.push_back(std::move(value));
        RETURN_IF_ERROR(Arguments(*node));
      } else {
        return value;
      }
      value = std::move(node);
    }
    return Error("too long an expression");
  }

  // What stands in [...]: an index or a slice.
  absl::Status Subscript(JinjaNode& node) {
    node.kind = Kind::kItem;
    for (int part = 0; part < 3; ++part) {
      JinjaNodePtr expression;
      if (!IsOperator(":") && !IsOperator("]")) {
        ASSIGN_OR_RETURN(expression, Expression());
      }
      node.children.push_back(std::move(expression));
      if (!IsOperator(":")) break;
      ++at_;
      node.kind = Kind::kSlice;
    }
    if (node.kind == Kind::kItem && node.children[1] == nullptr) return Error("an index is missing");
    if (node.kind == Kind::kSlice) node.children.resize(4);
    return Expect(Token::kOperator, "]");
  }

  // Behind the opening parenthesis, up to and with the closing one.
  absl::Status Arguments(JinjaNode& node) {
    while (!TakeOperator(")")) {
      if (Now().kind == Token::kName && Next().kind == Token::kOperator && Next().text == "=") {
        node.names.push_back(Now().text);
        at_ += 2;
      } else if (!node.names.empty()) {
        return Error("an argument without a name follows one with a name");
      }
      ASSIGN_OR_RETURN(node.children.emplace_back(), Expression());
      if (!IsOperator(")")) RETURN_IF_ERROR(Expect(Token::kOperator, ","));
    }
    return absl::OkStatus();
  }

  Parsed Primary() {
    const JinjaToken& token = Now();
    JinjaNodePtr node = Make(Kind::kConstant);
    if (token.kind == Token::kString) {
      std::string value;
      for (; Now().kind == Token::kString; ++at_) value += Now().text;  // neighbours are joined, as in Python
      node->constant = std::move(value);
      return node;
    }
    if (token.kind == Token::kInteger || token.kind == Token::kFloat) return Number(std::move(node));
    if (token.kind == Token::kName) return Name(std::move(node));
    if (TakeOperator("(")) {
      ASSIGN_OR_RETURN(node, Expression());
      if (!IsOperator(",")) {
        RETURN_IF_ERROR(Expect(Token::kOperator, ")"));
        return node;
      }
      // A tuple; templates do with them what they do with lists.
      JinjaNodePtr list = Make(Kind::kList);
      ++at_;
      list->children.push_back(std::move(node));
      return Elements(std::move(list), ")");
    }
    if (TakeOperator("[")) {
      node->kind = Kind::kList;
      return Elements(std::move(node), "]");
    }
    if (!TakeOperator("{")) return Error(absl::StrCat("expected a value, found ", Shown()));
    node->kind = Kind::kDict;
    while (!TakeOperator("}")) {
      ASSIGN_OR_RETURN(node->children.emplace_back(), Expression());
      RETURN_IF_ERROR(Expect(Token::kOperator, ":"));
      ASSIGN_OR_RETURN(node->children.emplace_back(), Expression());
      if (!IsOperator("}")) RETURN_IF_ERROR(Expect(Token::kOperator, ","));
    }
    return node;
  }

  // The rest of a list, up to and with `close`.
  Parsed Elements(JinjaNodePtr list, std::string_view close) {
    while (!TakeOperator(close)) {
      ASSIGN_OR_RETURN(list->children.emplace_back(), Expression());
      if (!IsOperator(close)) RETURN_IF_ERROR(Expect(Token::kOperator, ","));
    }
    return list;
  }

  Parsed Number(JinjaNodePtr node) {
    const std::string& text = Now().text;
    const char* end = text.data() + text.size();
    int64_t integer = 0;
    double number = 0;
    const bool whole = Now().kind == Token::kInteger;
    const std::errc error =
        whole ? std::from_chars(text.data(), end, integer).ec : std::from_chars(text.data(), end, number).ec;
    if (error != std::errc()) return Error("a number is out of range");
    node->constant = whole ? Json(integer) : Json(number);
    ++at_;
    return node;
  }

  Parsed Name(JinjaNodePtr node) {
    const std::string& name = Now().text;
    if (name == "true" || name == "True") {
      node->constant = true;
    } else if (name == "false" || name == "False") {
      node->constant = false;
    } else if (name != "none" && name != "None") {
      node->kind = Kind::kVariable;
      node->name = name;
    }
    ++at_;
    return node;
  }

  const std::vector<JinjaToken> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

absl::StatusOr<JinjaNodePtr> ParseJinja(std::string_view source) {
  ASSIGN_OR_RETURN(std::vector<JinjaToken> tokens, LexJinja(source));
  return Parser(std::move(tokens)).Run();
}

}  // namespace heterosis
