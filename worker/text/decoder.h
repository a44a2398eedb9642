// SPDX-License-Identifier: Apache-2.0
// The "decoder" of tokenizer.json: turns tokens back into text, as a whole or a few tokens at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/json.h"

namespace heterosis {

// One step of the chain. Immutable and thread-safe.
class DecoderStep {
 public:
  virtual ~DecoderStep() = default;
  // Rewrites `pieces`, at first one per token. `continued`: earlier tokens have been decoded already, and had text.
  virtual void Apply(std::vector<std::string>& pieces, bool continued) const = 0;
  // True where text decoded up to here can change with the tokens that follow; `pieces` is the step's input.
  virtual bool IsOpen(const std::vector<std::string>& /*pieces*/) const { return false; }
  // False where the text cannot be decoded in parts at all. `pieces_are_tokens`: no earlier step joined the pieces.
  virtual bool IsStreamable(bool pieces_are_tokens) const { return pieces_are_tokens; }
  // True for the steps that leave one piece for the whole text.
  virtual bool JoinsPieces() const { return false; }
};

class Decoder {
 public:
  // Knows Sequence, Replace, ByteFallback, Fuse, Strip, ByteLevel and Metaspace; a null `value` joins tokens by spaces,
  // as the reference does.
  static absl::StatusOr<Decoder> Make(const Json& value, const std::string& place);

  struct Result {
    std::string text;
    bool settled;  // what follows cannot change this text, and may be decoded as `continued`
  };
  Result Decode(std::vector<std::string> tokens, bool continued) const;

 private:
  static absl::Status AddSteps(const Json& value, const std::string& place,
                               std::vector<std::unique_ptr<DecoderStep>>& steps);
  std::vector<std::unique_ptr<DecoderStep>> steps_;
  bool streamable_ = true;
};

}  // namespace heterosis
