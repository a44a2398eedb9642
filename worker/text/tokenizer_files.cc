// SPDX-License-Identifier: Apache-2.0
// Implements tokenizer_files.h.
#include "worker/text/tokenizer_files.h"

#include <algorithm>
#include <charconv>

#include "common/base/file.h"
#include "common/base/status.h"
#include "worker/text/json_fields.h"

namespace heterosis {
namespace {

// The object in `folder`/`name`; an empty object where there is no such file.
absl::StatusOr<Json> ReadOptionalObject(const std::string& folder, const std::string& name) {
  const std::string path = folder + "/" + name;
  if (!FileExists(path)) return Json::object();
  ASSIGN_OR_RETURN(Json value, ReadJsonFile(path));
  if (!value.is_object()) return absl::InvalidArgumentError(path + ": must be a JSON object");
  return value;
}

// A token is written as a string or as an object with "content".
absl::Status ReadTokenName(const JsonFields& fields, std::string_view key, std::optional<std::string>& name) {
  const Json* value = fields.Find(key);
  if (value == nullptr || name.has_value()) return absl::OkStatus();
  if (value->is_string()) {
    name = value->get_ref<const std::string&>();
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const JsonFields token, fields.Object(key));
  ASSIGN_OR_RETURN(name, token.String("content"));
  return absl::OkStatus();
}

absl::Status ReadNames(const JsonFields& fields, TokenizerFiles& files) {
  RETURN_IF_ERROR(ReadTokenName(fields, "bos_token", files.bos));
  RETURN_IF_ERROR(ReadTokenName(fields, "eos_token", files.eos));
  return ReadTokenName(fields, "pad_token", files.pad);
}

absl::Status ReadFlag(const JsonFields& fields, std::string_view key, std::optional<bool>& flag) {
  if (fields.Find(key) == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(flag, fields.Bool(key));
  return absl::OkStatus();
}

absl::Status ReadAddedTokensDecoder(const JsonFields& config, std::vector<AddedToken>& added) {
  if (config.Find("added_tokens_decoder") == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const JsonFields list, config.Object("added_tokens_decoder"));
  for (const auto& member : list.json().items()) {
    ASSIGN_OR_RETURN(const JsonFields fields, list.Object(member.key()));
    AddedToken token;
    const std::string& key = member.key();
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token.id);
    if (error != std::errc() || end != key.data() + key.size() || token.id < 0) return fields.Error("is no token id");
    ASSIGN_OR_RETURN(token.content, fields.String("content"));
    ASSIGN_OR_RETURN(token.single_word, fields.Bool("single_word", false));
    ASSIGN_OR_RETURN(token.lstrip, fields.Bool("lstrip", false));
    ASSIGN_OR_RETURN(token.rstrip, fields.Bool("rstrip", false));
    ASSIGN_OR_RETURN(token.normalized, fields.Bool("normalized", false));
    ASSIGN_OR_RETURN(token.special, fields.Bool("special", false));
    added.push_back(std::move(token));
  }
  return absl::OkStatus();
}

absl::Status ReadConfig(const JsonFields& config, TokenizerFiles& files) {
  RETURN_IF_ERROR(ReadNames(config, files));
  RETURN_IF_ERROR(ReadFlag(config, "add_bos_token", files.add_bos));
  RETURN_IF_ERROR(ReadFlag(config, "add_eos_token", files.add_eos));
  return ReadAddedTokensDecoder(config, files.added);
}

absl::Status ReadAddedTokens(const JsonFields& map, TokenizerFiles& files) {
  if (!files.added.empty()) return absl::OkStatus();
  for (const auto& member : map.json().items()) {
    const std::optional<int32_t> id = JsonId(member.value());
    if (!id) return map.ErrorAt(member.key(), "must be a token id");
    AddedToken token;
    token.id = *id;
    token.content = member.key();
    files.added.push_back(std::move(token));
  }
  return absl::OkStatus();
}

absl::Status ReadModelIds(const JsonFields& config, TokenizerFiles& files) {
  for (auto [key, id] : {std::pair("bos_token_id", &files.model_bos), std::pair("pad_token_id", &files.model_pad)}) {
    if (config.Find(key) != nullptr && !id->has_value()) *id = JsonId(*config.Find(key));
  }
  const Json* eos = config.Find("eos_token_id");
  if (eos == nullptr || !files.model_eos.empty()) return absl::OkStatus();
  const Json list = eos->is_array() ? *eos : Json::array({*eos});
  for (const Json& value : list) {
    const std::optional<int32_t> id = JsonId(value);
    if (!id) return config.ErrorAt("eos_token_id", "must be a token id or a list of them");
    files.model_eos.push_back(*id);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerFiles> ReadTokenizerFiles(const std::string& folder) {
  TokenizerFiles files;
  const std::pair<const char*, absl::Status (*)(const JsonFields&, TokenizerFiles&)> parts[] = {
      {"tokenizer_config.json", ReadConfig},
      {"special_tokens_map.json", ReadNames},
      {"added_tokens.json", ReadAddedTokens},
      {"generation_config.json", ReadModelIds},
      {"config.json", ReadModelIds}};
  for (const auto& [name, read] : parts) {
    ASSIGN_OR_RETURN(const Json json, ReadOptionalObject(folder, name));
    ASSIGN_OR_RETURN(const JsonFields fields, JsonFields::Of(json, ""));
    RETURN_IF_ERROR(Annotate(read(fields, files), folder + "/" + name));
  }
  return files;
}

SpecialIds ResolveSpecialIds(const TokenizerFiles& files,
                             const std::function<std::optional<int32_t>(std::string_view)>& id_of, int32_t vocab_size) {
  const auto resolve = [&](const std::optional<std::string>& name, std::optional<int32_t> fallback) {
    std::optional<int32_t> id;
    if (name.has_value()) id = id_of(*name);
    if (!id.has_value()) id = fallback;
    return id.has_value() && *id < vocab_size ? id : std::nullopt;
  };
  SpecialIds ids;
  ids.bos = resolve(files.bos, files.model_bos);
  ids.pad = resolve(files.pad, files.model_pad);
  if (const auto eos = resolve(files.eos, std::nullopt)) ids.eos.push_back(*eos);
  for (const int32_t id : files.model_eos) {
    if (id < vocab_size && std::find(ids.eos.begin(), ids.eos.end(), id) == ids.eos.end()) ids.eos.push_back(id);
  }
  return ids;
}

}  // namespace heterosis
