// SPDX-License-Identifier: Apache-2.0
// Implements linear_algebra.h with OpenBLAS.
#include "coordinator/optimizer/linear_algebra.h"

#include <cblas.h>
#include <lapacke.h>

#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

namespace heterosis {
namespace {

// Beyond these the matrix as a whole has degenerated, and products of its entries would leave the range of doubles.
constexpr double kEigenvalueMin = 1e-100;
constexpr double kEigenvalueMax = 1e100;

// OpenBLAS's thread count belongs to the process: it is put back.
class OneBlasThread {
 public:
  OneBlasThread() : before_(openblas_get_num_threads()) { openblas_set_num_threads(1); }
  ~OneBlasThread() { openblas_set_num_threads(before_); }
  OneBlasThread(const OneBlasThread&) = delete;
  OneBlasThread& operator=(const OneBlasThread&) = delete;

 private:
  int before_;
};

int Int(size_t n) {
  return static_cast<int>(n);
}

// rows * B, or rows * B^T where `transposed`.
Matrix Times(const Matrix& rows, const Matrix& vectors, bool transposed) {
  if (rows.rows == 0 || vectors.rows == 0) return rows;
  Matrix result(rows.rows, rows.columns);
  const OneBlasThread one_thread;
  const int n = Int(rows.columns);
  // Our rows of `vectors` are the columns of B.
  if (rows.rows == 1) {
    cblas_dgemv(CblasRowMajor, transposed ? CblasTrans : CblasNoTrans, n, n, 1.0, vectors.values.data(), n,
                rows.values.data(), 1, 0.0, result.values.data(), 1);
    return result;
  }
  cblas_dgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasNoTrans : CblasTrans, Int(rows.rows), n, n, 1.0,
              rows.values.data(), n, vectors.values.data(), n, 0.0, result.values.data(), n);
  return result;
}

void ScaleColumns(std::span<const double> factors, Matrix& matrix) {
  for (size_t i = 0; i < matrix.rows; ++i) {
    const std::span<double> row = matrix.row(i);
    for (size_t j = 0; j < row.size(); ++j) row[j] *= factors[j];
  }
}

std::vector<double> Inverse(std::vector<double> scales) {
  for (double& scale : scales) scale = 1 / scale;
  return scales;
}

// rows * B * diag(factors) * B^T.
Matrix Apply(const EigenBasis& basis, std::span<const double> factors, const Matrix& rows) {
  Matrix inner = Times(rows, basis.vectors, false);
  ScaleColumns(factors, inner);
  return Times(inner, basis.vectors, true);
}

}  // namespace

Matrix Matrix::Identity(size_t n) {
  Matrix identity(n, n);
  for (size_t i = 0; i < n; ++i) identity.row(i)[i] = 1;
  return identity;
}

EigenBasis EigenBasis::Identity(size_t n) {
  return {Matrix(), std::vector<double>(n, 1.0)};
}

absl::Status Decompose(const Matrix& c, EigenBasis& basis, bool& clamped) {
  Matrix vectors = c;
  std::vector<double> eigenvalues(c.rows);
  {
    const OneBlasThread one_thread;
    // Our upper triangle is the lower one of LAPACK's column-major view, and its columns of eigenvectors are our rows.
    const int info =
        LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', Int(c.rows), vectors.values.data(), Int(c.rows), eigenvalues.data());
    if (info != 0) return absl::InternalError(absl::StrCat("eigendecomposition: dsyevd answered ", info));
  }
  const double largest = eigenvalues.back();
  if (!(largest >= kEigenvalueMin && largest <= kEigenvalueMax)) {
    return absl::InternalError(absl::StrCat("eigendecomposition: the largest eigenvalue is ", largest));
  }
  clamped = false;
  for (double& value : eigenvalues) {
    if (!(value > 0)) {
      value = 1e-8 * largest;
      clamped = true;
    }
    value = std::sqrt(value);
  }
  basis = {std::move(vectors), std::move(eigenvalues)};
  return absl::OkStatus();
}

Matrix ApplyRoot(const EigenBasis& basis, const Matrix& rows) {
  return Apply(basis, basis.scales, rows);
}

Matrix ApplyInverseRoot(const EigenBasis& basis, const Matrix& rows) {
  return Apply(basis, Inverse(basis.scales), rows);
}

std::vector<double> ApplyInverseRoot(const EigenBasis& basis, const std::vector<double>& row) {
  Matrix rows;
  rows.rows = 1;
  rows.columns = row.size();
  rows.values = row;
  return ApplyInverseRoot(basis, rows).values;
}

std::vector<double> WhitenedSquares(const EigenBasis& basis, const Matrix& rows) {
  Matrix inner = Times(rows, basis.vectors, false);  // the B of B D^(-1) B^T r would not change its length
  ScaleColumns(Inverse(basis.scales), inner);
  std::vector<double> squares;
  for (size_t i = 0; i < inner.rows; ++i) squares.push_back(Dot(inner.row(i), inner.row(i)));
  return squares;
}

void UpdateUpperTriangle(double beta, double alpha, const Matrix& rows, Matrix& c) {
  if (rows.rows == 0 && beta == 1) return;
  const OneBlasThread one_thread;
  const int n = Int(c.rows);
  cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, n, Int(rows.rows), alpha, rows.values.data(), n, beta,
              c.values.data(), n);
}

Matrix Compose(const EigenBasis& basis) {
  Matrix scaled = basis.vectors.rows > 0 ? basis.vectors : Matrix::Identity(basis.scales.size());
  for (size_t i = 0; i < scaled.rows; ++i) {
    for (double& value : scaled.row(i)) value *= basis.scales[i];
  }
  Matrix c(scaled.columns, scaled.columns);
  UpdateUpperTriangle(0, 1, scaled, c);
  return c;
}

double Dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace heterosis
