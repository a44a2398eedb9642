// SPDX-License-Identifier: Apache-2.0
// Samples per second of greedy decoding against transformers in the same run: the same models, prompts, batch of 200,
// number of new tokens and threads. Usage: decode_bench [THREADS] [FOLDER kept from an earlier run's reference.py]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/decode/decode.h"
#include "worker/model/model.h"

namespace heterosis {
namespace {

using Seconds = std::chrono::duration<double>;

struct Timing {
  double weights_seconds = 0;  // taking over new weights
  double decode_seconds = 0;
};

absl::StatusOr<Timing> TimeOurs(const std::string& folder, const Json& bench_case, int threads) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Checkpoint> checkpoint,
                   Checkpoint::Open(folder + "/" + bench_case["model"].get<std::string>()));
  ASSIGN_OR_RETURN(const DType dtype, DTypeFromName(bench_case["dtype"].get<std::string>()));
  ASSIGN_OR_RETURN(const std::unique_ptr<Model> model,
                   Model::Create(checkpoint->config(), OpenCpu(threads), {.stored = dtype, .compute = dtype}));
  RETURN_IF_ERROR(model->LoadFrom(*checkpoint));
  std::vector<DecodeRequest> requests;
  for (const Json& prompt : bench_case["prompts"]) requests.push_back({prompt.get<std::vector<int32_t>>()});
  const DecodeOptions options{.max_new_tokens = bench_case["new_tokens"].get<int>(), .batch_size = 200};
  Timing best{1e9, 1e9};
  for (int run = 0; run < 3; ++run) {
    const auto start = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(model->WeightsChanged());
    const auto middle = std::chrono::steady_clock::now();
    ASSIGN_OR_RETURN(const std::vector<DecodeOutput> outputs, Decode(*model, requests, options, nullptr, nullptr));
    const auto end = std::chrono::steady_clock::now();
    best.weights_seconds = std::min(best.weights_seconds, Seconds(middle - start).count());
    best.decode_seconds = std::min(best.decode_seconds, Seconds(end - middle).count());
  }
  return best;
}

absl::Status RunBench(const std::string& folder, int threads) {
  if (!std::filesystem::exists(folder + "/cases.json")) {
    const std::string command =
        ".deps/venv/bin/python tests/bench/decode/reference.py " + folder + " " + std::to_string(threads);
    if (std::system(command.c_str()) != 0) return absl::InternalError("failed: " + command);
  }
  ASSIGN_OR_RETURN(const Json cases, ReadJsonFile(folder + "/cases.json"));
  std::printf("%-6s %-9s %14s %14s %7s %12s\n", "model", "dtype", "transformers/s", "heterosis/s", "ratio",
              "weights ms");
  for (const Json& bench_case : cases) {
    ASSIGN_OR_RETURN(const Timing ours, TimeOurs(folder, bench_case, threads));
    const double samples = static_cast<double>(bench_case["prompts"].size());
    const double theirs = bench_case["seconds"].get<double>();
    std::printf("%-6s %-9s %14.1f %14.1f %7.2f %12.2f\n", bench_case["model"].get<std::string>().c_str(),
                bench_case["dtype"].get<std::string>().c_str(), samples / theirs, samples / ours.decode_seconds,
                theirs / ours.decode_seconds, ours.weights_seconds * 1e3);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace heterosis

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
  const bool keep = argc > 2;
  const std::string folder =
      keep ? argv[2] : (std::filesystem::temp_directory_path() / "heterosis_decode_bench").string();
  std::filesystem::create_directories(folder);
  const absl::Status status = heterosis::RunBench(folder, threads);
  if (!keep) std::filesystem::remove_all(folder);
  if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
