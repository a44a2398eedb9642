// SPDX-License-Identifier: Apache-2.0
// Implements jinja_evaluator.h.
#include "worker/text/jinja_evaluator.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "common/base/status.h"
#include "worker/text/jinja_builtins.h"

namespace heterosis {
namespace {

using Kind = JinjaNode::Kind;

constexpr int kStepsMax = 500'000;
constexpr size_t kTextMax = size_t{16} << 20;

class Evaluator {
 public:
  explicit Evaluator(std::map<std::string, JinjaValue> variables) { scopes_.push_back(std::move(variables)); }

  absl::StatusOr<std::string> Run(const JinjaNode& root) {
    RETURN_IF_ERROR(Execute(root));
    return std::move(text_);
  }

 private:
  enum class Jump { kNone, kBreak, kContinue };

  static absl::Status AtLine(const absl::Status& status, int line) {
    if (status.ok() || absl::StartsWith(status.message(), "line ")) return status;
    return Annotate(status, absl::StrCat("line ", line));
  }

  absl::Status Count() {
    if (++steps_ > kStepsMax) return absl::InvalidArgumentError("the template runs for too long");
    if (text_.size() > kTextMax) return absl::InvalidArgumentError("the template prints too much");
    return absl::OkStatus();
  }

  absl::Status Execute(const JinjaNode& node) { return AtLine(ExecuteHere(node), node.line); }

  absl::Status ExecuteHere(const JinjaNode& node) {
    RETURN_IF_ERROR(Count());
    switch (node.kind) {
      case Kind::kBlock:
        for (const JinjaNodePtr& child : node.children) {
          RETURN_IF_ERROR(Execute(*child));
          if (jump_ != Jump::kNone) break;
        }
        return absl::OkStatus();
      case Kind::kText:
        text_ += node.name;
        return absl::OkStatus();
      case Kind::kOutput: {
        ASSIGN_OR_RETURN(const JinjaValue value, Evaluate(*node.children[0]));
        ASSIGN_OR_RETURN(const std::string text, JinjaText(value));
        text_ += text;
        return absl::OkStatus();
      }
      case Kind::kIf:
        return ExecuteIf(node);
      case Kind::kFor:
        return ExecuteFor(node);
      case Kind::kSet: {
        ASSIGN_OR_RETURN(scopes_.back()[node.name], Evaluate(*node.children[0]));
        return absl::OkStatus();
      }
      case Kind::kSetField:
        return SetField(node);
      case Kind::kSetBlock: {
        std::string outer = std::exchange(text_, "");
        RETURN_IF_ERROR(Execute(*node.children[0]));
        scopes_.back()[node.name] = JinjaValue::Of(std::exchange(text_, std::move(outer)));
        return absl::OkStatus();
      }
      default:
        jump_ = node.kind == Kind::kBreak ? Jump::kBreak : Jump::kContinue;
        return absl::OkStatus();
    }
  }

  absl::Status ExecuteIf(const JinjaNode& node) {
    const size_t pairs = node.children.size() / 2;
    for (size_t i = 0; i < pairs; ++i) {
      ASSIGN_OR_RETURN(const JinjaValue condition, Evaluate(*node.children[2 * i]));
      if (JinjaTruth(condition)) return Execute(*node.children[2 * i + 1]);
    }
    return node.children.size() % 2 == 1 ? Execute(*node.children.back()) : absl::OkStatus();
  }

  absl::Status SetField(const JinjaNode& node) {
    ASSIGN_OR_RETURN(JinjaValue value, Evaluate(*node.children[0]));
    const JinjaValue space = Lookup(node.name);
    if (space.space == nullptr) return absl::InvalidArgumentError(absl::StrCat(node.name, " is no namespace"));
    // A namespace inside a namespace could hold itself and never be freed.
    if (value.space != nullptr) return absl::UnimplementedError("a namespace in a namespace is not supported");
    (*space.space)[node.names[0]] = std::move(value);
    return absl::OkStatus();
  }

  // Gives the loop's variables their values in the innermost scope.
  absl::Status Bind(const JinjaNode& node, const Json& element) {
    if (node.names.size() == 1) {
      scopes_.back()[node.names[0]] = JinjaValue::Of(element);
      return absl::OkStatus();
    }
    if (!element.is_array() || element.size() != node.names.size()) {
      return absl::InvalidArgumentError(absl::StrCat("cannot take ", node.names.size(), " values from each element"));
    }
    for (size_t i = 0; i < node.names.size(); ++i) scopes_.back()[node.names[i]] = JinjaValue::Of(element[i]);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Json>> ElementsOf(const JinjaNode& node) {
    ASSIGN_OR_RETURN(const JinjaValue iterable, Evaluate(*node.children[0]));
    ASSIGN_OR_RETURN(std::vector<Json> elements, JinjaElements(iterable));
    if (node.children[2] == nullptr) return elements;
    std::vector<Json> kept;
    for (Json& element : elements) {
      scopes_.emplace_back();
      absl::Status status = Bind(node, element);
      JinjaResult keep = status.ok() ? Evaluate(*node.children[2]) : JinjaResult(status);
      scopes_.pop_back();
      if (!keep.ok()) return keep.status();
      if (JinjaTruth(*keep)) kept.push_back(std::move(element));
    }
    return kept;
  }

  absl::Status ExecuteFor(const JinjaNode& node) {
    ASSIGN_OR_RETURN(const std::vector<Json> elements, ElementsOf(node));
    if (elements.empty() && node.children[3] != nullptr) return Execute(*node.children[3]);
    for (size_t i = 0; i < elements.size(); ++i) {
      scopes_.emplace_back();
      absl::Status status = Bind(node, elements[i]);
      scopes_.back()["loop"] = JinjaValue::Of(LoopVariable(elements, i));
      if (status.ok()) status = Execute(*node.children[1]);
      scopes_.pop_back();
      RETURN_IF_ERROR(status);
      if (std::exchange(jump_, Jump::kNone) == Jump::kBreak) break;
    }
    return absl::OkStatus();
  }

  static Json LoopVariable(const std::vector<Json>& elements, size_t i) {
    const size_t count = elements.size();
    Json loop = {{"index", i + 1},  {"index0", i},           {"first", i == 0},           {"last", i + 1 == count},
                 {"length", count}, {"revindex", count - i}, {"revindex0", count - i - 1}};
    if (i > 0) loop["previtem"] = elements[i - 1];
    if (i + 1 < count) loop["nextitem"] = elements[i + 1];
    return loop;
  }

  JinjaValue Lookup(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const auto found = scope->find(name); found != scope->end()) return found->second;
    }
    return JinjaValue::Undefined();
  }

  JinjaResult Evaluate(const JinjaNode& node) {
    JinjaResult value = EvaluateHere(node);
    if (!value.ok()) return AtLine(value.status(), node.line);
    return value;
  }

  JinjaResult EvaluateHere(const JinjaNode& node) {
    RETURN_IF_ERROR(Count());
    switch (node.kind) {
      case Kind::kConstant:
        return JinjaValue::Of(node.constant);
      case Kind::kVariable:
        return Lookup(node.name);
      case Kind::kList:
      case Kind::kDict:
        return Literal(node);
      case Kind::kField:
      case Kind::kItem:
        return Item(node);
      case Kind::kSlice:
        return Slice(node);
      case Kind::kCall:
        return Call(node);
      case Kind::kFilter:
      case Kind::kTest: {
        ASSIGN_OR_RETURN(const JinjaValue value, Evaluate(*node.children[0]));
        ASSIGN_OR_RETURN(const JinjaArguments arguments, Arguments(node));
        return node.kind == Kind::kTest ? ApplyJinjaTest(node.name, value, arguments)
                                        : ApplyJinjaFilter(node.name, value, arguments);
      }
      case Kind::kUnary:
        return Unary(node);
      case Kind::kBinary:
        return Binary(node);
      case Kind::kConditional: {
        ASSIGN_OR_RETURN(const JinjaValue condition, Evaluate(*node.children[0]));
        if (JinjaTruth(condition)) return Evaluate(*node.children[1]);
        return node.children[2] == nullptr ? JinjaResult(JinjaValue::Undefined()) : Evaluate(*node.children[2]);
      }
      default:
        return absl::InternalError("a statement stands in the place of an expression");
    }
  }

  JinjaResult Literal(const JinjaNode& node) {
    const bool is_dict = node.kind == Kind::kDict;
    Json result = is_dict ? Json::object() : Json::array();
    for (size_t i = 0; i < node.children.size(); ++i) {
      ASSIGN_OR_RETURN(JinjaValue value, Evaluate(*node.children[i]));
      if (value.undefined || value.space != nullptr)
        return absl::UnimplementedError("only plain values fit into a list");
      if (!is_dict) {
        result.push_back(std::move(value.json));
        continue;
      }
      if (!value.IsString()) return absl::UnimplementedError("a key must be a string");
      ASSIGN_OR_RETURN(JinjaValue member, Evaluate(*node.children[++i]));
      result[value.String()] = std::move(member.json);
    }
    return JinjaValue::Of(std::move(result));
  }

  JinjaResult Item(const JinjaNode& node) {
    ASSIGN_OR_RETURN(const JinjaValue object, Evaluate(*node.children[0]));
    JinjaValue index = JinjaValue::Of(node.name);
    if (node.kind == Kind::kItem) {
      ASSIGN_OR_RETURN(index, Evaluate(*node.children[1]));
    }
    return JinjaItem(object, index);
  }

  JinjaResult Slice(const JinjaNode& node) {
    ASSIGN_OR_RETURN(const JinjaValue object, Evaluate(*node.children[0]));
    std::optional<int64_t> bounds[3];
    for (size_t i = 0; i < 3; ++i) {
      if (node.children[i + 1] == nullptr) continue;
      ASSIGN_OR_RETURN(const JinjaValue bound, Evaluate(*node.children[i + 1]));
      if (bound.json.is_null() && !bound.undefined) continue;
      if (!bound.json.is_number_integer())
        return absl::InvalidArgumentError("the bounds of a slice must be whole numbers");
      bounds[i] = bound.json.get<int64_t>();
    }
    return JinjaSlice(object, bounds[0], bounds[1], bounds[2].value_or(1));
  }

  // All children but the first, the last of them by name.
  absl::StatusOr<JinjaArguments> Arguments(const JinjaNode& node) {
    JinjaArguments arguments;
    const size_t named_begin = node.children.size() - node.names.size();
    for (size_t i = 1; i < node.children.size(); ++i) {
      ASSIGN_OR_RETURN(JinjaValue value, Evaluate(*node.children[i]));
      if (i < named_begin) {
        arguments.values.push_back(std::move(value));
      } else {
        arguments.named[node.names[i - named_begin]] = std::move(value);
      }
    }
    return arguments;
  }

  JinjaResult Call(const JinjaNode& node) {
    const JinjaNode& callee = *node.children[0];
    ASSIGN_OR_RETURN(const JinjaArguments arguments, Arguments(node));
    if (callee.kind == Kind::kVariable) return CallJinjaFunction(callee.name, arguments);
    if (callee.kind != Kind::kField) return absl::UnimplementedError("only functions and methods can be called");
    ASSIGN_OR_RETURN(const JinjaValue object, Evaluate(*callee.children[0]));
    return CallJinjaMethod(object, callee.name, arguments);
  }

  JinjaResult Unary(const JinjaNode& node) {
    ASSIGN_OR_RETURN(const JinjaValue value, Evaluate(*node.children[0]));
    if (node.name == "not") return JinjaValue::Of(!JinjaTruth(value));
    return JinjaBinary(node.name, JinjaValue::Of(0), value);
  }

  JinjaResult Binary(const JinjaNode& node) {
    ASSIGN_OR_RETURN(JinjaValue left, Evaluate(*node.children[0]));
    if (node.name == "and" || node.name == "or") {
      return JinjaTruth(left) == (node.name == "or") ? JinjaResult(std::move(left)) : Evaluate(*node.children[1]);
    }
    ASSIGN_OR_RETURN(const JinjaValue right, Evaluate(*node.children[1]));
    JinjaResult value = JinjaBinary(node.name, left, right);
    if (value.ok() && value->IsString() && value->String().size() > kTextMax) {
      return absl::InvalidArgumentError("a string grows too long");
    }
    return value;
  }

  std::vector<std::map<std::string, JinjaValue>> scopes_;
  std::string text_;
  Jump jump_ = Jump::kNone;
  int steps_ = 0;
};

}  // namespace

absl::StatusOr<std::string> EvaluateJinja(const JinjaNode& root, std::map<std::string, JinjaValue> variables) {
  return Evaluator(std::move(variables)).Run(root);
}

}  // namespace heterosis
