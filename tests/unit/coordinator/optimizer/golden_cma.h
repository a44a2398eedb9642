// SPDX-License-Identifier: Apache-2.0
// Reads golden/cma: runs of the `cmaes` package with its inputs and states.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "coordinator/optimizer/cma_core.h"
#include "tests/support/shared.h"

namespace heterosis {

inline std::vector<double> Numbers(const Json& json) {
  return json.get<std::vector<double>>();
}

inline Matrix MatrixOf(const Json& json) {
  Matrix matrix(json.size(), json.at(0).size());
  for (size_t i = 0; i < matrix.rows; ++i) {
    const std::vector<double> row = Numbers(json.at(i));
    std::copy(row.begin(), row.end(), matrix.row(i).begin());
  }
  return matrix;
}

inline Matrix Transposed(const Matrix& matrix) {
  Matrix result(matrix.columns, matrix.rows);
  for (size_t i = 0; i < matrix.rows; ++i) {
    for (size_t j = 0; j < matrix.columns; ++j) result.row(j)[i] = matrix.row(i)[j];
  }
  return result;
}

// We maximise, the package minimises.
inline std::vector<Evaluation> EvaluationsOf(const Json& fitness) {
  std::vector<Evaluation> evaluations;
  for (const double value : Numbers(fitness)) evaluations.push_back({-value});
  return evaluations;
}

// Every |actual - expected| within `tolerance` of the largest |expected|.
inline void ExpectNear(std::span<const double> actual, std::span<const double> expected, double tolerance,
                       const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double scale = 0;
  for (const double value : expected) scale = std::max(scale, std::abs(value));
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_LE(std::abs(actual[i] - expected[i]), tolerance * scale)
        << what << "[" << i << "] is " << actual[i] << ", the package has " << expected[i];
  }
}

// Compares the upper triangles.
inline void ExpectCovarianceNear(const Matrix& actual, const Json& expected_json, double tolerance,
                                 const std::string& what) {
  const Matrix expected = MatrixOf(expected_json);
  ASSERT_EQ(actual.rows, expected.rows) << what;
  std::vector<double> upper;
  std::vector<double> upper_expected;
  for (size_t i = 0; i < actual.rows; ++i) {
    for (size_t j = i; j < actual.rows; ++j) {
      upper.push_back(actual.row(i)[j]);
      upper_expected.push_back(expected.row(i)[j]);
    }
  }
  ExpectNear(upper, upper_expected, tolerance, what);
}

// One run of the package; `golden/cma/NAME.json`. A test loads it in its SetUp, and is skipped where there is none.
class GoldenRunTest : public testing::Test {
 protected:
  void Load(const std::string& name) {
    const std::string path = SharedPath("golden/cma/" + name + ".json");
    if (path.empty()) GTEST_SKIP() << kNoShared;
    absl::StatusOr<Json> json = ReadJsonFile(path);
    ASSERT_TRUE(json.ok()) << json.status();
    golden_ = *std::move(json);
  }

  size_t generations() const { return golden_.at("generations").size(); }
  const Json& generation(size_t index) const { return golden_.at("generations").at(index); }

  Json golden_;
};

// Mean, step size and paths as the package had them after a generation.
inline void SetEvolution(const Json& golden, EvolutionState& state) {
  state.mean = Numbers(golden.at("mean"));
  state.sigma = golden.at("sigma").get<double>();
  state.p_sigma = Numbers(golden.at("p_sigma"));
  state.p_c = Numbers(golden.at("p_c"));
}

inline void ExpectEvolution(const EvolutionState& state, const Json& expected, double tolerance) {
  EXPECT_EQ(state.generation, expected.at("g").get<int64_t>());
  ExpectNear(state.mean, Numbers(expected.at("mean")), tolerance, "mean");
  ExpectNear(std::vector{state.sigma}, std::vector{expected.at("sigma").get<double>()}, tolerance, "sigma");
  ExpectNear(state.p_sigma, Numbers(expected.at("p_sigma")), tolerance, "p_sigma");
  ExpectNear(state.p_c, Numbers(expected.at("p_c")), tolerance, "p_c");
}

// The state before any generation.
inline CmaState InitialStateOf(const Json& golden) {
  const Json& init = golden.at("init");
  CmaState state = InitialCmaState(Numbers(init.at("mean")), init.at("sigma").get<double>());
  state.c = MatrixOf(init.at("C"));
  bool clamped = false;
  EXPECT_TRUE(Decompose(state.c, state.eigen, clamped).ok());
  return state;
}

// The state in which the package told generation `index`, with its own B and D.
inline CmaState StateBefore(const Json& golden, size_t index) {
  const Json& generation = golden.at("generations").at(index);
  CmaState state = InitialStateOf(golden);
  if (index > 0) {
    SetEvolution(golden.at("generations").at(index - 1).at("state"), state);
  }
  state.c = MatrixOf(generation.at("C_after_eigen"));
  state.eigen = {Transposed(MatrixOf(generation.at("B"))), Numbers(generation.at("D"))};
  state.generation = state.eigen_generation = static_cast<int64_t>(index);
  return state;
}

// Decomposes after every generation, as the package.
inline CmaSettings SettingsOf(const Json& golden) {
  const Json& constants = golden.at("constants");
  CmaSettings settings;
  settings.constants = MakeCmaConstants(constants.at("n").get<int>(), constants.at("popsize").get<int>());
  settings.constants.eigen_gap = 0;
  if (!golden.at("bounds").is_null()) {
    const Matrix bounds = Transposed(MatrixOf(golden.at("bounds")));
    settings.box = Box({bounds.row(0).begin(), bounds.row(0).end()}, {bounds.row(1).begin(), bounds.row(1).end()});
    settings.resampling_max = golden.at("n_max_resampling").get<int>();
  }
  return settings;
}

// The normal rows of the file. The package samples B D z and we B D (B^T z'): z' = B z gives the same point.
class GoldenNormals {
 public:
  // `stretch`: by how much the file lengthened its samples.
  GoldenNormals(const Json& golden, size_t index, double stretch)
      : stretch_(stretch),
        b_(MatrixOf(golden.at("generations").at(index).at("B"))),
        rows_(MatrixOf(golden.at("z_rows"))) {
    const Json& generation = golden.at("generations").at(index);
    used_ = generation.at("z_rows_used_per_ask").get<std::vector<size_t>>();
    size_t row = generation.at("z_first_row").get<size_t>();
    for (const size_t used : used_) {
      first_row_.push_back(row);
      row += used;
    }
    asked_.assign(used_.size(), 0);
  }

  void operator()(size_t candidate, int attempt, std::span<double> z) {
    ASSERT_LT(static_cast<size_t>(attempt), used_[candidate]) << "the package stopped resampling earlier";
    asked_[candidate] = static_cast<size_t>(attempt) + 1;
    const std::span<const double> row = rows_.row(first_row_[candidate] + static_cast<size_t>(attempt));
    for (size_t i = 0; i < z.size(); ++i) z[i] = stretch_ * Dot(b_.row(i), row);
  }

  const std::vector<size_t>& used() const { return used_; }
  const std::vector<size_t>& asked() const { return asked_; }

 private:
  double stretch_;
  Matrix b_;
  Matrix rows_;
  std::vector<size_t> used_;
  std::vector<size_t> first_row_;
  std::vector<size_t> asked_;
};

}  // namespace heterosis
