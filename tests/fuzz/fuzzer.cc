// SPDX-License-Identifier: Apache-2.0
// How a libFuzzer program starts. Its log is off: a line or two for each of a thousand inputs a second would fill a
// disk in hours. What a single input logs is told by the same target of any other build.
#include <google/protobuf/stubs/logging.h>

#include <string>
#include <string_view>

#include "spdlog/spdlog.h"
#include "tests/fuzz/scratch.h"

namespace heterosis {
namespace {

std::string g_artifact_prefix;

}  // namespace

const std::string& ArtifactPrefix() {
  return g_artifact_prefix;
}

}  // namespace heterosis

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kOption = "-artifact_prefix=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (argument.starts_with(kOption)) heterosis::g_artifact_prefix = argument.substr(kOption.size());
  }
  spdlog::set_level(spdlog::level::off);
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}
