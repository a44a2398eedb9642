// SPDX-License-Identifier: Apache-2.0
// The filters, tests, methods and functions of Jinja and Python that chat templates use.
#pragma once

#include <string>

#include "worker/text/jinja_value.h"

namespace heterosis {

// Each is an error that names what is not known, and where the result would not be Python's (case outside ASCII).
JinjaResult ApplyJinjaFilter(const std::string& name, const JinjaValue& value, const JinjaArguments& arguments);
JinjaResult ApplyJinjaTest(const std::string& name, const JinjaValue& value, const JinjaArguments& arguments);
JinjaResult CallJinjaMethod(const JinjaValue& object, const std::string& name, const JinjaArguments& arguments);
// raise_exception, namespace, range, dict.
JinjaResult CallJinjaFunction(const std::string& name, const JinjaArguments& arguments);

}  // namespace heterosis
