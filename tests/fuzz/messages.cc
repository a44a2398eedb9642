// SPDX-License-Identifier: Apache-2.0
// The messages of the protocol as bytes from a stranger: each becomes a domain struct or is refused. What was accepted
// can be sent on.
#include "heterosis/v1/worker_service.pb.h"
#include "proto/wire.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"

namespace heterosis {
namespace {

template <typename Message>
void Parse(std::string_view bytes) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto value = FromWire(message);
  if (!value.ok()) return;
  FUZZ_CHECK(FromWire(ToWire(*value)).ok());
}

}  // namespace
}  // namespace heterosis

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  const std::string_view bytes = AsText(data, size);
  Parse<v1::Recipe>(bytes);
  Parse<v1::ShardWork>(bytes);
  Parse<v1::ShardResult>(bytes);
  Parse<v1::ShardFailure>(bytes);
  Parse<v1::TaskSpec>(bytes);
  Parse<v1::CanaryWork>(bytes);
  Parse<v1::CanaryResult>(bytes);
  return 0;
}
