// SPDX-License-Identifier: Apache-2.0
// Implements post_processor.h.
#include "worker/text/post_processor.h"

#include <optional>

#include "common/base/status.h"
#include "worker/text/json_fields.h"

namespace heterosis {
namespace {

// The ids of a template's special token, listed in the object "special_tokens".
absl::StatusOr<std::vector<int32_t>> IdsOf(const JsonFields& owner, const std::string& name) {
  ASSIGN_OR_RETURN(const JsonFields tokens, owner.Object("special_tokens"));
  if (tokens.Find(name) == nullptr) return tokens.ErrorAt(name, "is missing, but the template uses it");
  ASSIGN_OR_RETURN(const JsonFields token, tokens.Object(name));
  ASSIGN_OR_RETURN(const Json* list, token.Array("ids"));
  std::vector<int32_t> ids;
  for (const Json& value : *list) {
    const std::optional<int32_t> id = JsonId(value);
    if (!id) return token.ErrorAt("ids", "must be token ids");
    ids.push_back(*id);
  }
  return ids;
}

absl::StatusOr<SpecialTokenFrame> ReadTemplate(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "single", "pair", "special_tokens"}));
  ASSIGN_OR_RETURN(const Json* pieces, fields.Array("single"));
  SpecialTokenFrame frame;
  bool text_seen = false;
  for (size_t i = 0; i < pieces->size(); ++i) {
    ASSIGN_OR_RETURN(const JsonFields piece, JsonFields::Of((*pieces)[i], fields.Place("single", i)));
    RETURN_IF_ERROR(piece.AllowOnly({"SpecialToken", "Sequence"}));
    if (piece.Find("SpecialToken") != nullptr) {
      ASSIGN_OR_RETURN(const JsonFields special, piece.Object("SpecialToken"));
      ASSIGN_OR_RETURN(const std::string name, special.String("id"));
      ASSIGN_OR_RETURN(const std::vector<int32_t> ids, IdsOf(fields, name));
      std::vector<int32_t>& side = text_seen ? frame.after : frame.before;
      side.insert(side.end(), ids.begin(), ids.end());
      continue;
    }
    ASSIGN_OR_RETURN(const JsonFields sequence, piece.Object("Sequence"));
    ASSIGN_OR_RETURN(const std::string name, sequence.String("id"));
    if (name != "A" || text_seen) return piece.Error("the sequence A must occur once, and no other");
    text_seen = true;
  }
  if (!text_seen) return fields.ErrorAt("single", "has no place for the text (the sequence A)");
  return frame;
}

}  // namespace

absl::StatusOr<SpecialTokenFrame> ReadPostProcessor(const Json& value, const std::string& place) {
  if (value.is_null()) return SpecialTokenFrame();
  ASSIGN_OR_RETURN(const JsonFields fields, JsonFields::Of(value, place));
  ASSIGN_OR_RETURN(const std::string type, fields.String("type"));
  if (type == "TemplateProcessing") return ReadTemplate(fields);
  if (type == "ByteLevel") {
    RETURN_IF_ERROR(fields.AllowOnly({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
    return SpecialTokenFrame();
  }
  if (type != "Sequence") {
    return fields.ErrorAt("type", absl::StrCat("the post-processor \"", type, "\" is not supported"));
  }
  RETURN_IF_ERROR(fields.AllowOnly({"type", "processors"}));
  ASSIGN_OR_RETURN(const Json* list, fields.Array("processors"));
  SpecialTokenFrame frame;
  for (size_t i = 0; i < list->size(); ++i) {
    ASSIGN_OR_RETURN(const SpecialTokenFrame outer, ReadPostProcessor((*list)[i], fields.Place("processors", i)));
    frame.before.insert(frame.before.begin(), outer.before.begin(), outer.before.end());
    frame.after.insert(frame.after.end(), outer.after.begin(), outer.after.end());
  }
  return frame;
}

}  // namespace heterosis
