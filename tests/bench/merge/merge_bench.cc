// SPDX-License-Identifier: Apache-2.0
// Speed of merging: GB/s (bytes read and written) of each method against the machine's copy bandwidth, and seconds
// against mergekit's on the same files, all in one run. Usage: merge_bench [THREADS] [FOLDER kept from an earlier run's
// reference.py]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/json.h"
#include "common/base/status.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/device/host_buffer.h"
#include "worker/merge/merger.h"
#include "worker/model/weight_buffers.h"

namespace heterosis {
namespace {

constexpr int kRuns = 7;

double SecondsOf(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Bytes read and written per second by memcpy of large buffers, each thread its own part.
absl::StatusOr<double> CopyBytesPerSecond(int threads) {
  constexpr size_t kBytes = size_t{256} << 20;
  ASSIGN_OR_RETURN(const HostBuffer from, HostBuffer::Allocate(kBytes, HostBuffer::Pages::kHuge));
  ASSIGN_OR_RETURN(const HostBuffer to, HostBuffer::Allocate(kBytes, HostBuffer::Pages::kHuge));
  std::memset(from.data(), 1, kBytes);
  std::memset(to.data(), 2, kBytes);
  const size_t part = kBytes / static_cast<size_t>(threads);
  std::vector<double> seconds;
  for (int run = 0; run < kRuns; ++run) {
    seconds.push_back(SecondsOf([&] {
      std::vector<std::thread> workers;
      for (int i = 0; i < threads; ++i) {
        const size_t begin = static_cast<size_t>(i) * part;
        workers.emplace_back([&, begin] { std::memcpy(to.data() + begin, from.data() + begin, part); });
      }
      for (std::thread& worker : workers) worker.join();
    }));
  }
  return 2.0 * static_cast<double>(part) * threads / Median(seconds);
}

Recipe RecipeOf(MergeMethod method, DType work) {
  Recipe recipe;
  recipe.method = method;
  recipe.base = method == MergeMethod::kLinear ? "" : "base";
  recipe.sources =
      method == MergeMethod::kSlerp ? std::vector<std::string>{"a"} : std::vector<std::string>{"a", "b", "c"};
  recipe.tokenizer = "a";
  ParameterRow row{.match = {"*"}, .weight = {0.4, 0.4, 0.4}, .density = {}, .t = 0.4};
  if (method == MergeMethod::kSlerp) row.weight.clear();
  if (method != MergeMethod::kSlerp) row.t = 0;
  const bool sparse =
      method == MergeMethod::kTies || method == MergeMethod::kDareLinear || method == MergeMethod::kDareTies;
  if (sparse) row.density = {0.5, 0.5, 0.5};
  recipe.rows = {row};
  recipe.normalize = method == MergeMethod::kTies || method == MergeMethod::kLinear;
  recipe.dtype = work;
  recipe.out_dtype = DType::kBFloat16;
  return recipe;
}

struct Timing {
  double first = 0;   // with the statistics that later merges reuse
  double median = 0;  // of new candidates
};

// Each merge is another candidate: other weights, densities and masks.
absl::StatusOr<Timing> TimeMerges(const MergerOptions& options, const Recipe& base, const WeightBuffers& out) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Merger> merger, Merger::Create(options));
  std::vector<double> seconds;
  absl::Status status;
  for (int run = 0; run <= kRuns; ++run) {
    Recipe recipe = base;
    recipe.mask_seed = static_cast<uint64_t>(run);
    for (double& weight : recipe.rows[0].weight) weight += 0.01 * run;
    for (double& density : recipe.rows[0].density) density += 0.01 * run;
    seconds.push_back(SecondsOf([&] { status.Update(merger->Merge(recipe, out.tensors())); }));
    RETURN_IF_ERROR(status);
  }
  return Timing{seconds[0], Median({seconds.begin() + 1, seconds.end()})};
}

absl::Status RunBench(const std::string& folder, int threads) {
  if (!std::filesystem::exists(folder + "/cases.json")) {
    const std::string command =
        ".deps/venv/bin/python tests/bench/merge/reference.py " + folder + " " + std::to_string(threads);
    if (std::system(command.c_str()) != 0) return absl::InternalError("failed: " + command);
  }
  ASSIGN_OR_RETURN(const Json cases, ReadJsonFile(folder + "/cases.json"));
  MergerOptions options;
  options.threads = threads;
  double parameters = 0;
  for (const char* name : {"base", "a", "b", "c"}) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Checkpoint> checkpoint, Checkpoint::Open(folder + "/" + name));
    options.output = ExpectedTensors(checkpoint->config());
    options.models.push_back(ModelOf(name, checkpoint, {}));
  }
  for (const TensorSpec& spec : options.output) parameters += static_cast<double>(ElementCount(spec.shape));
  ASSIGN_OR_RETURN(const WeightBuffers out, WeightBuffers::Allocate(options.output, DType::kBFloat16));
  ASSIGN_OR_RETURN(const double copy, CopyBytesPerSecond(threads));
  std::printf("%.1f M parameters, bfloat16, %d threads, %s; copy %.1f GB/s read and written\n", parameters * 1e-6,
              threads, BestKernels().name, copy * 1e-9);
  std::printf("%-16s %-9s %9s %9s %7s %8s %11s %7s\n", "method", "work", "first ms", "median ms", "GB/s", "of copy",
              "mergekit ms", "ratio");
  for (const Json& one : cases) {
    ASSIGN_OR_RETURN(const MergeMethod method, MergeMethodFromName(one["method"].get<std::string>()));
    ASSIGN_OR_RETURN(const DType work, DTypeFromName(one["dtype"].get<std::string>()));
    const Recipe recipe = RecipeOf(method, work);
    ASSIGN_OR_RETURN(const Timing ours, TimeMerges(options, recipe, out));
    const double bytes =
        2 * parameters * static_cast<double>(recipe.sources.size() + (recipe.base.empty() ? 0 : 1) + 1);
    const double theirs = one["seconds"].get<double>();
    std::printf("%-16s %-9s %9.1f %9.1f %7.2f %8.2f %11.0f %7.1f\n", std::string(Name(method)).c_str(),
                std::string(Name(work)).c_str(), ours.first * 1e3, ours.median * 1e3, bytes / ours.median * 1e-9,
                bytes / ours.median / copy, theirs * 1e3, theirs / ours.median);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace heterosis

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 2;
  const bool keep = argc > 2;
  const std::string folder =
      keep ? argv[2] : (std::filesystem::temp_directory_path() / "heterosis_merge_bench").string();
  std::filesystem::create_directories(folder);
  const absl::Status status = heterosis::RunBench(folder, threads);
  if (!keep) std::filesystem::remove_all(folder);
  if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
