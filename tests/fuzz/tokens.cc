// SPDX-License-Identifier: Apache-2.0
// The door of the service: a file of tokens, and a stranger's metadata before it. The input's lines up to the first
// empty one are `authorization` headers, the rest is the file.
#include <grpcpp/test/server_context_test_spouse.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/base/secret.h"
#include "coordinator/service/gate.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"

namespace heterosis {
namespace {

constexpr std::string_view kScheme = "Bearer ";
constexpr size_t kRequestBytesMax = 1000;

// Whether one word of the file is what the header bears.
bool Bears(std::string_view header, std::string_view file) {
  const std::vector<std::string> words =
      absl::StrSplit(std::string(file), absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
  return header.size() > kScheme.size() &&
         std::find(words.begin(), words.end(), header.substr(kScheme.size())) != words.end();
}

}  // namespace
}  // namespace heterosis

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  const std::string_view text = AsText(data, size);
  const size_t end = std::min(text.find("\n\n"), text.size());
  const std::string_view file = text.substr(std::min(end + 2, text.size()));
  (void)OnlyToken(file, "file");
  absl::StatusOr<Tokens> tokens = Tokens::Parse(file, "file");
  if (!tokens.ok()) return 0;

  std::vector<std::string> headers;
  if (end > 0) headers = absl::StrSplit(std::string(text.substr(0, end)), '\n');
  grpc::ServerContext context;
  grpc::testing::ServerContextTestSpouse metadata(&context);
  for (const std::string& header : headers) metadata.AddClientMetadata("authorization", header);
  Gate gate({.tokens = *std::move(tokens), .tokens_needed = true}, {});
  for (const Role role : {Role::kWorker, Role::kReader, Role::kAdmin}) {
    const bool in = gate.Check(context, role, size, kRequestBytesMax).ok();
    if (in) FUZZ_CHECK(headers.size() == 1 && Bears(headers[0], file) && size <= kRequestBytesMax);
  }
  return 0;
}
