// SPDX-License-Identifier: Apache-2.0
// Runs simulated schedules of faults against the coordinator's core and judges each.
//   simulate --first N --count M      seeds N to N+M-1; every seed that fails is printed as a command that replays it
//   simulate --seed N --verbose       one seed, with every event
//   simulate --scale WORKERS          a fleet without faults: what it costs the coordinator, how long workers wait
#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"
#include "tests/scenario/scale.h"
#include "tests/scenario/world.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

constexpr uint64_t kRepeatEvery = 100;  // seeds; one of so many is run twice, and must be the same run
constexpr int kFailuresShown = 5;

struct Arguments {
  uint64_t first = 1, count = 1;
  bool verbose = false;
  int scale = 0;  // workers
};

bool ParseArguments(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--verbose") {
      arguments.verbose = true;
      continue;
    }
    if (i + 1 == argc) return false;
    char* end = nullptr;
    const uint64_t value = std::strtoull(argv[++i], &end, 10);
    if (end == argv[i] || *end != '\0') return false;
    if (option == "--seed" || option == "--first") {
      arguments.first = value;
    } else if (option == "--count") {
      arguments.count = value;
    } else if (option == "--scale" && value > 0 && value <= 1'000'000) {
      arguments.scale = static_cast<int>(value);
    } else {
      return false;
    }
  }
  return true;
}

int Simulate(const char* program, const Arguments& arguments) {
  const TemporaryFolder folder(MemoryFolder());
  World world(folder / "run.db");
  const auto start = std::chrono::steady_clock::now();
  int failures = 0;
  int64_t starts = 0, handed_out = 0, calls = 0, operations = 0;
  for (uint64_t seed = arguments.first; seed < arguments.first + arguments.count && failures < kFailuresShown; ++seed) {
    Outcome outcome = world.Run(seed, arguments.verbose);
    if (seed % kRepeatEvery == 0 && !outcome.violation.has_value() && world.Run(seed, false) != outcome) {
      outcome.violation = "the same seed gives another run";
    }
    starts += outcome.starts;
    handed_out += outcome.handed_out;
    calls += outcome.calls;
    operations += outcome.disk_operations;
    if (!outcome.violation.has_value()) continue;
    ++failures;
    std::printf("seed %llu: %s\n  replay: %s --seed %llu --verbose\n", static_cast<unsigned long long>(seed),
                outcome.violation->c_str(), program, static_cast<unsigned long long>(seed));
    std::fflush(stdout);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf(
      "%llu schedules from seed %llu on, %d failed, %.1f s: %lld starts of the coordinator, %lld shards handed out, "
      "%lld calls, %lld disk operations\n",
      static_cast<unsigned long long>(arguments.count), static_cast<unsigned long long>(arguments.first), failures,
      seconds, static_cast<long long>(starts), static_cast<long long>(handed_out), static_cast<long long>(calls),
      static_cast<long long>(operations));
  return failures == 0 ? 0 : 1;
}

bool PrintScale(const std::string& path, const ScaleOptions& options) {
  const ScaleFigures figures = MeasureScale(path, options);
  if (!figures.ended) {
    std::printf("shards of %d: the run did not end\n", options.shard_size);
    return false;
  }
  std::printf("%10d %6s %8lld %7.0f %13.0f %8.1f %11.0f %5.1f%% %8.1f %12.1f\n", options.shard_size,
              options.audits ? "yes" : "no", static_cast<long long>(figures.results), figures.seconds,
              figures.cpu_us_per_result, figures.calls_per_second, figures.database_bytes_per_trial, 100 * figures.idle,
              figures.tail_seconds, figures.tail_idle_seconds);
  std::fflush(stdout);
  return true;
}

int Scale(int workers) {
  const TemporaryFolder folder(MemoryFolder());
  std::printf("%d workers, generations of 128 candidates on 200 samples; times are virtual but the processor's\n",
              workers);
  std::printf("%10s %6s %8s %7s %13s %8s %11s %6s %8s %12s\n", "shard size", "audits", "shards", "run, s",
              "CPU us/result", "calls/s", "bytes/trial", "idle", "tail, s", "idle in it, s");
  const std::vector<int> shard_sizes = workers < 5'000 ? std::vector{200, 50, 25, 10, 5} : std::vector{25, 5, 2};
  for (const bool audits : {false, true}) {
    for (const int shard_size : shard_sizes) {
      const std::string path = folder / absl::StrCat("scale", shard_size, audits, ".db");
      if (!PrintScale(path, {.workers = workers, .shard_size = shard_size, .audits = audits})) return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace heterosis

int main(int argc, char** argv) {
  heterosis::Arguments arguments;
  if (!heterosis::ParseArguments(argc, argv, arguments)) {
    std::fprintf(stderr, "usage: simulate [--seed N | --first N --count M] [--verbose] | --scale WORKERS\n");
    return 2;
  }
  if (!arguments.verbose) spdlog::set_level(spdlog::level::off);
  // One thread, and half of its time is SQLite's.
  sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  return arguments.scale > 0 ? heterosis::Scale(arguments.scale) : heterosis::Simulate(argv[0], arguments);
}
