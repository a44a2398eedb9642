// SPDX-License-Identifier: Apache-2.0
// The syntax tree of a Jinja template.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/json.h"

namespace heterosis {

// One node. `name` and `children` mean, by kind:
struct JinjaNode {
  enum class Kind {
    // Statements.
    kBlock,     // children in order
    kText,      // name: the text
    kOutput,    // [expression]
    kIf,        // [condition, block, condition, block, ..., block of else or nothing]
    kFor,       // names: loop variables; [iterable, body, filter condition or null, block of else or null]
    kSet,       // name: the variable; [value]
    kSetField,  // name: the namespace, names[0]: its field; [value]
    kSetBlock,  // name: the variable; [block]
    kBreak,
    kContinue,
    // Expressions.
    kConstant,     // constant
    kVariable,     // name
    kList,         // elements
    kDict,         // key, value, key, value ...
    kField,        // name; [object]
    kItem,         // [object, index]
    kSlice,        // [object, begin, end, step], each of the last three may be null
    kCall,         // [callee, arguments ...]; names: of the last arguments, given by name
    kFilter,       // name; [value, arguments ...]; names as in kCall
    kTest,         // name; [value, arguments ...]
    kUnary,        // name: "not", "-", "+"; [operand]
    kBinary,       // name: the operator, also "and", "or", "in", "not in"; [left, right]
    kConditional,  // [condition, value, value otherwise or null]
  };

  Kind kind = Kind::kBlock;
  int line = 1;
  std::string name;
  std::vector<std::string> names;
  Json constant;
  std::vector<std::unique_ptr<JinjaNode>> children;
};

using JinjaNodePtr = std::unique_ptr<JinjaNode>;

}  // namespace heterosis
