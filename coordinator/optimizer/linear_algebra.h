// SPDX-License-Identifier: Apache-2.0
// The dense linear algebra of CMA-ES over BLAS and LAPACK, always on one thread: the same input gives the same bits
// whatever the number of cores.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/status.h"

namespace heterosis {

// Row-major.
struct Matrix {
  Matrix() = default;
  Matrix(size_t row_count, size_t column_count)
      : rows(row_count), columns(column_count), values(row_count * column_count) {}
  static Matrix Identity(size_t n);

  std::span<double> row(size_t i) { return std::span(values).subspan(i * columns, columns); }
  std::span<const double> row(size_t i) const { return std::span(values).subspan(i * columns, columns); }

  size_t rows = 0;
  size_t columns = 0;
  std::vector<double> values;
};

// C = B diag(scales)^2 B^T with orthonormal B.
struct EigenBasis {
  static EigenBasis Identity(size_t n);

  // n x n; row i is the i-th eigenvector, the i-th column of B. Empty (0 x 0) for B = I, which costs nothing.
  Matrix vectors;
  std::vector<double> scales;  // n positive values, rising: square roots of the eigenvalues
};

// Decomposes the symmetric n x n matrix of which `c` holds the upper triangle. Eigenvalues that are not positive become
// 1e-8 of the largest, as the `cmaes` package does where that is about 1; `clamped` says that there were such. An
// error, with `basis` unchanged, where LAPACK fails or the matrix is not finite or near zero as a whole.
absl::Status Decompose(const Matrix& c, EigenBasis& basis, bool& clamped);

// Every row r becomes B diag(scales) B^T r = C^(1/2) r: free of the eigenvectors' signs, and of their order among equal
// eigenvalues.
Matrix ApplyRoot(const EigenBasis& basis, const Matrix& rows);
// Every row r becomes C^(-1/2) r.
Matrix ApplyInverseRoot(const EigenBasis& basis, const Matrix& rows);
std::vector<double> ApplyInverseRoot(const EigenBasis& basis, const std::vector<double>& row);
// |C^(-1/2) r|^2 of every row r: one product where ApplyInverseRoot takes two.
std::vector<double> WhitenedSquares(const EigenBasis& basis, const Matrix& rows);

// The upper triangle of `c` becomes beta c + alpha rows^T rows.
void UpdateUpperTriangle(double beta, double alpha, const Matrix& rows, Matrix& c);

// The matrix that `basis` decomposes (its upper triangle).
Matrix Compose(const EigenBasis& basis);

// sum a_i b_i, left to right.
double Dot(std::span<const double> a, std::span<const double> b);

}  // namespace heterosis
