// SPDX-License-Identifier: Apache-2.0
// Tests linear_algebra.h on matrices whose roots are known.
#include "coordinator/optimizer/linear_algebra.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace heterosis {
namespace {

// Eigenvalues 2 and 8, eigenvectors (1, -1) and (1, 1) over sqrt 2; the lower triangle is not read.
Matrix Example() {
  Matrix c(2, 2);
  c.values = {5, 3, -99, 5};
  return c;
}

TEST(LinearAlgebraTest, DecomposesTheUpperTriangle) {
  EigenBasis basis;
  bool clamped = true;
  ASSERT_TRUE(Decompose(Example(), basis, clamped).ok());
  EXPECT_FALSE(clamped);
  EXPECT_NEAR(basis.scales[0], std::sqrt(2.0), 1e-14);
  EXPECT_NEAR(basis.scales[1], std::sqrt(8.0), 1e-14);
  const Matrix c = Compose(basis);
  EXPECT_NEAR(c.values[0], 5, 1e-14);
  EXPECT_NEAR(c.values[1], 3, 1e-14);
  EXPECT_NEAR(c.values[3], 5, 1e-14);
}

TEST(LinearAlgebraTest, RootTwiceIsTheMatrix) {
  EigenBasis basis;
  bool clamped = false;
  ASSERT_TRUE(Decompose(Example(), basis, clamped).ok());
  Matrix rows(2, 2);
  rows.values = {1, 0, 1, 2};
  const Matrix product = ApplyRoot(basis, ApplyRoot(basis, rows));
  const double expected[] = {5, 3, 11, 13};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(product.values[i], expected[i], 1e-13);
  const Matrix back = ApplyInverseRoot(basis, ApplyInverseRoot(basis, product));
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(back.values[i], rows.values[i], 1e-13);
}

TEST(LinearAlgebraTest, IdentityIsItsOwnRoot) {
  EigenBasis basis = EigenBasis::Identity(2);
  Matrix rows(2, 2);
  rows.values = {1, 0, -3, 2};
  EXPECT_EQ(ApplyRoot(basis, rows).values, rows.values);
  EXPECT_EQ(ApplyInverseRoot(basis, rows).values, rows.values);
  EXPECT_EQ(WhitenedSquares(basis, rows), (std::vector<double>{1, 13}));
  basis.scales = {2, 3};
  EXPECT_EQ(ApplyRoot(basis, rows).values, (std::vector<double>{2, 0, -6, 6}));
  EXPECT_EQ(Compose(basis).values, (std::vector<double>{4, 0, 0, 9}));
}

TEST(LinearAlgebraTest, WhitenedSquaresAreTheSquaredLengthsOfWhitenedRows) {
  EigenBasis basis;
  bool clamped = false;
  ASSERT_TRUE(Decompose(Example(), basis, clamped).ok());
  Matrix rows(3, 2);
  rows.values = {1, 0, 1, 2, -0.5, 4};
  const Matrix whitened = ApplyInverseRoot(basis, rows);
  const std::vector<double> squares = WhitenedSquares(basis, rows);
  ASSERT_EQ(squares.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(squares[i], Dot(whitened.row(i), whitened.row(i)), 1e-13);
    const std::vector<double> alone = ApplyInverseRoot(basis, {rows.row(i).begin(), rows.row(i).end()});
    for (size_t j = 0; j < 2; ++j) EXPECT_NEAR(alone[j], whitened.row(i)[j], 1e-14);
  }
  EXPECT_TRUE(WhitenedSquares(basis, Matrix(0, 2)).empty());
}

TEST(LinearAlgebraTest, RootDoesNotDependOnEigenvectorSigns) {
  EigenBasis basis;
  bool clamped = false;
  ASSERT_TRUE(Decompose(Example(), basis, clamped).ok());
  Matrix rows(1, 2);
  rows.values = {0.3, -0.7};
  const Matrix before = ApplyRoot(basis, rows);
  for (double& value : basis.vectors.row(0)) value = -value;
  EXPECT_EQ(ApplyRoot(basis, rows).values, before.values);
}

TEST(LinearAlgebraTest, EigenvaluesThatAreNotPositiveBecomeSmall) {
  Matrix c(3, 3);
  c.values = {4, 0, 0, 0, 0, 0, 0, 0, -1};
  EigenBasis basis;
  bool clamped = false;
  ASSERT_TRUE(Decompose(c, basis, clamped).ok());
  EXPECT_TRUE(clamped);
  EXPECT_DOUBLE_EQ(basis.scales[0], std::sqrt(4e-8));
  EXPECT_DOUBLE_EQ(basis.scales[1], std::sqrt(4e-8));
  EXPECT_DOUBLE_EQ(basis.scales[2], 2);
}

TEST(LinearAlgebraTest, UselessMatrixLeavesTheBasisUnchanged) {
  EigenBasis basis = EigenBasis::Identity(2);
  bool clamped = false;
  for (const double entry :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 0.0, -1.0, 1e-200, 1e200}) {
    Matrix c(2, 2);
    c.values = {entry, 0, 0, entry};
    EXPECT_FALSE(Decompose(c, basis, clamped).ok()) << entry;
    EXPECT_TRUE(basis.vectors.values.empty());
    EXPECT_EQ(basis.scales, std::vector<double>(2, 1.0));
  }
}

TEST(LinearAlgebraTest, UpdatesOnlyTheUpperTriangle) {
  Matrix c(2, 2);
  c.values = {1, 2, 3, 4};
  Matrix rows(2, 2);
  rows.values = {1, 2, 3, 4};
  UpdateUpperTriangle(10, 1, rows, c);
  EXPECT_EQ(c.values, (std::vector<double>{20, 34, 3, 60}));
}

}  // namespace
}  // namespace heterosis
