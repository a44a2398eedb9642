// SPDX-License-Identifier: Apache-2.0
// Implements metaspace.h.
#include "worker/text/metaspace.h"

#include "common/base/status.h"
#include "common/base/utf8.h"

namespace heterosis {

absl::StatusOr<Metaspace> ReadMetaspace(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"}));
  Metaspace options;
  ASSIGN_OR_RETURN(options.replacement, fields.String("replacement"));
  if (options.replacement.empty() || DecodeUtf8(options.replacement, 0).length_bytes != options.replacement.size()) {
    return fields.ErrorAt("replacement", "must be one character");
  }
  ASSIGN_OR_RETURN(options.split, fields.Bool("split", true));
  ASSIGN_OR_RETURN(const bool add_prefix_space, fields.Bool("add_prefix_space", true));
  ASSIGN_OR_RETURN(const std::string scheme, fields.String("prepend_scheme", add_prefix_space ? "always" : "never"));
  if (scheme == "always") {
    options.prepend = Metaspace::Prepend::kAlways;
  } else if (scheme == "first") {
    options.prepend = Metaspace::Prepend::kFirst;
  } else if (scheme == "never") {
    options.prepend = Metaspace::Prepend::kNever;
  } else {
    return fields.ErrorAt("prepend_scheme", absl::StrCat("\"", scheme, "\" is not supported"));
  }
  if (!add_prefix_space && options.prepend != Metaspace::Prepend::kNever) {
    return fields.ErrorAt("add_prefix_space", "contradicts prepend_scheme");
  }
  return options;
}

}  // namespace heterosis
