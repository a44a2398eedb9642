// SPDX-License-Identifier: Apache-2.0
// Implements scenario.h.
#include "tests/scenario/scenario.h"

#include <array>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/random.h"
#include "common/config/resolve.h"
#include "google/protobuf/text_format.h"
#include "tests/support/small_experiment.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

constexpr char kMerge[] = R"pb(
  name: "ps"
  merge {
    method: TASK_ARITHMETIC
    granularity: MODEL
    weight { low: 0 high: 2 }
  }
  optimizer { population: 4 }
  budget { generations: 2 }
  samples { per_generation: 4 }
  selection { top: 2 }
)pb";
constexpr char kLayers[] = R"pb(
  name: "layers"
  merge { method: DARE_TIES granularity: LAYER }
  optimizer { kind: SEP_CMA population: 5 bounds: RESAMPLE }
  budget { generations: 2 }
  selection { top: 2 each_generation: true }
)pb";
constexpr char kSlerp[] = R"pb(
  name: "slerp"
  merge { method: SLERP granularity: LAYER sources: "ja" }
  optimizer { population: 4 bounds: RESAMPLE step_size: TPA }
  budget { trials: 9 }
  samples { per_generation: 3 }
  selection { top: 3 }
)pb";
constexpr char kRandom[] = R"pb(
  name: "random"
  merge { method: LINEAR granularity: MODEL }
  optimizer { kind: RANDOM population: 6 inject_parents: false }
  budget { generations: 2 }
  samples { per_generation: 4 }
  selection { top: 1 }
)pb";
constexpr char kPath[] = R"pb(
  name: "path"
  space: DFS
  path {
    sources { model: "ja" }
    sources { model: "math" }
    repeats: 2
    scales: SLOT
    max_hops: 6
  }
  optimizer { population: 5 }
  budget { generations: 2 }
  samples { per_generation: 4 }
  selection { top: 2 }
)pb";
constexpr char kMargin[] = R"pb(
  name: "margin"
  space: DFS
  path {
    sources { model: "ja" }
    sources { model: "math" }
    repeats: 1
    scales: NONE
    max_hops: 5
  }
  optimizer { kind: CMA_MARGIN population: 4 }
  budget { generations: 2 }
  samples { per_generation: 4 }
  selection { top: 2 each_generation: false }
)pb";
constexpr char kAfterMerge[] = R"pb(
  name: "dfs"
  space: DFS
  path {
    sources { phase: "ps" }
    sources { model: "math" }
    repeats: 2
    scales: MATRIX
  }
  optimizer { population: 4 }
  budget { generations: 2 }
  samples { per_generation: 4 }
  selection { top: 2 }
)pb";

struct SetupKind {
  std::vector<const char*> phases;
  int shard_size = 2;
  bool validation = true;
};

const std::vector<SetupKind>& Kinds() {
  static const std::vector<SetupKind> kinds = {{{kMerge}}, {{kLayers}, 4}, {{kSlerp}, 1, false},      {{kRandom}, 3},
                                               {{kPath}},  {{kMargin}, 4}, {{kMerge, kAfterMerge}, 3}};
  return kinds;
}

}  // namespace

int SetupCount() {
  return static_cast<int>(Kinds().size());
}

ExperimentSetup MakeSetup(int index, bool audits) {
  const SetupKind& kind = Kinds()[static_cast<size_t>(index)];
  ExperimentSetup setup = SmallSetup();
  setup.config.clear_phases();
  for (const char* phase : kind.phases) {
    if (!google::protobuf::TextFormat::ParseFromString(phase, setup.config.add_phases())) std::abort();
  }
  setup.config.mutable_evaluation()->set_shard_size(kind.shard_size);
  setup.config.mutable_scheduling()->set_attempts(3);
  setup.config.mutable_scheduling()->set_replication(audits ? v1::Scheduling::ALWAYS : v1::Scheduling::NEVER);
  setup.config.mutable_scheduling()->set_canary_every(audits ? 5 : 0);
  setup.search = NumberedProblems("search", 6);
  setup.validation = NumberedProblems("validation", kind.validation ? 4 : 0);
  setup.test = NumberedProblems("test", 3);
  if (!kind.validation) setup.config.mutable_data()->clear_validation();
  ResolveConfig(setup.config);
  return setup;
}

bool IsPoisonous(const ShardWork& work) {
  const bool merged = work.recipe.is_path() || work.recipe.sources.size() > 1;
  return merged && work.split == Split::kSearch && HashText(RecipeDigest(work.recipe)) % 6 == 0;
}

Scenario DrawScenario(uint64_t seed) {
  RandomStream random(RandomKey({seed, HashText("scenario")}));
  const auto chance = [&](double probability) { return random.NextUniform() < probability; };
  // Seconds, spread evenly over their orders of magnitude.
  const auto seconds = [&](double low, double high) {
    return milliseconds(static_cast<int64_t>(1000 * low * std::pow(high / low, random.NextUniform())));
  };
  const auto every = [&](double probability, double low, double high) {
    const bool happens = chance(probability);
    const milliseconds pause = seconds(low, high);
    return happens ? Every(pause) : std::nullopt;
  };
  const auto rate = [&](double probability, double high) {
    const bool happens = chance(probability);
    const double value = high * random.NextUniform();
    return happens ? value : 0.0;
  };
  Scenario scenario;
  scenario.setup = static_cast<int>(random.NextBelow(static_cast<uint64_t>(SetupCount())));
  if (chance(0.3)) {
    constexpr std::array kClasses = {FailureClass::kCrash, FailureClass::kNumeric, FailureClass::kMemory};
    scenario.poison = kClasses[random.NextBelow(kClasses.size())];
  }
  scenario.workers = 1 + static_cast<int>(random.NextBelow(4));
  scenario.audits = chance(0.4);
  scenario.stranger = chance(0.1);
  scenario.local = chance(0.3);
  scenario.per_sample = seconds(0.2, 6);
  scenario.network = {
      .loss = rate(0.4, 0.2), .repetition = rate(0.4, 0.3), .stall = rate(0.3, 0.1), .delay = seconds(0.001, 0.5)};
  scenario.kills = every(0.5, 5, 100);
  scenario.power_losses = every(0.3, 5, 100);
  scenario.restarts = every(0.2, 10, 100);
  scenario.deaths = every(0.4, 5, 100);
  scenario.freezes = every(0.4, 5, 100);
  scenario.partitions = every(0.4, 5, 100);
  scenario.disk_full = every(0.2, 10, 100);
  scenario.disk_errors = every(0.3, 5, 100);
  scenario.replays = every(0.3, 1, 30);
  scenario.foreign_reports = every(0.1, 5, 50);
  scenario.failures = rate(0.3, 0.3);
  scenario.quiet = seconds(50, 400);
  return scenario;
}

std::string Describe(const Scenario& scenario) {
  std::string text =
      absl::StrFormat("experiment %d, %d workers, %.1f s a sample, quiet after %d s", scenario.setup, scenario.workers,
                      std::chrono::duration<double>(scenario.per_sample).count(), scenario.quiet.count() / 1000);
  const auto add = [&](std::string_view name, bool happens, double value) {
    if (happens) absl::StrAppend(&text, absl::StrFormat(", %s %.3g", std::string(name), value));
  };
  const auto every = [&](std::string_view name, const Every& pause) {
    add(absl::StrCat(std::string(name), " every s"), pause.has_value(),
        pause.has_value() ? 1e-3 * static_cast<double>(pause->count()) : 0);
  };
  if (scenario.poison.has_value()) absl::StrAppend(&text, ", poison ", std::string(Name(*scenario.poison)));
  if (scenario.audits) absl::StrAppend(&text, ", audits and canaries");
  if (scenario.stranger) absl::StrAppend(&text, ", a stranger");
  if (scenario.local) absl::StrAppend(&text, ", local workers");
  add("loss", scenario.network.loss > 0, scenario.network.loss);
  add("repetition", scenario.network.repetition > 0, scenario.network.repetition);
  add("stalls", scenario.network.stall > 0, scenario.network.stall);
  every("kills", scenario.kills);
  every("power losses", scenario.power_losses);
  every("restarts", scenario.restarts);
  every("deaths", scenario.deaths);
  every("freezes", scenario.freezes);
  every("partitions", scenario.partitions);
  every("disk full", scenario.disk_full);
  every("disk errors", scenario.disk_errors);
  every("replays", scenario.replays);
  every("foreign reports", scenario.foreign_reports);
  add("failures", scenario.failures > 0, scenario.failures);
  return text;
}

}  // namespace heterosis
