// SPDX-License-Identifier: Apache-2.0
// What the small files beside a tokenizer say about special tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/text/added_tokens.h"
#include "worker/text/tokenizer.h"

namespace heterosis {

struct TokenizerFiles {
  std::optional<std::string> bos, eos, pad;  // contents, from tokenizer_config.json, else special_tokens_map.json
  std::optional<bool> add_bos, add_eos;      // tokenizer_config.json
  std::vector<AddedToken> added;             // added_tokens_decoder of tokenizer_config.json, else added_tokens.json

  // From generation_config.json, else config.json.
  std::optional<int32_t> model_bos, model_pad;
  std::vector<int32_t> model_eos;
};

// A file that is missing says nothing; one that is broken is an error.
absl::StatusOr<TokenizerFiles> ReadTokenizerFiles(const std::string& folder);

// The tokens named are looked up with `id_of`; ids outside 0 ... vocab_size - 1 are left out.
SpecialIds ResolveSpecialIds(const TokenizerFiles& files,
                             const std::function<std::optional<int32_t>(std::string_view)>& id_of, int32_t vocab_size);

}  // namespace heterosis
