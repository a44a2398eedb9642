// SPDX-License-Identifier: Apache-2.0
// An experiment's YAML file beside the demo's, so that its models can be found: accepted, or refused with errors that
// name the file.
#include "common/config/canonical.h"
#include "common/config/config.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  constexpr const char* kPath = "deploy/demo/fuzz.yaml";
  v1::Experiment config;
  const std::vector<std::string> errors = ParseConfig(AsText(data, size), kPath, config);
  for (const std::string& error : errors) FUZZ_CHECK(error.rfind(kPath, 0) == 0);
  if (!errors.empty()) return 0;
  const std::string canonical = CanonicalConfig(config);
  const auto again = ConfigFromCanonical(canonical);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(CanonicalConfig(*again) == canonical);
  return 0;
}
