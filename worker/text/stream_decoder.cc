// SPDX-License-Identifier: Apache-2.0
// Implements stream_decoder.h.
#include "worker/text/stream_decoder.h"

namespace heterosis {

void StreamDecoder::Append(int32_t id) {
  open_ids_.push_back(id);
  const Tokenizer::DecodedPart part = tokenizer_.DecodePart(open_ids_, skip_special_tokens_, settled_bytes_ > 0);
  text_.resize(settled_bytes_);
  text_ += part.text;
  if (part.settled) {
    settled_bytes_ = text_.size();
    open_ids_.clear();
  }
}

}  // namespace heterosis
