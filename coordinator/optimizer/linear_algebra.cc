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

// rows * B * diag(factors) * B^T.
Matrix Apply(const EigenBasis& basis, std::span<const double> factors, const Matrix& rows) {
  const OneBlasThread one_thread;
  const int m = Int(rows.rows);
  const int n = Int(rows.columns);
  const double* vectors = basis.vectors.values.data();
  Matrix inner(rows.rows, rows.columns);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, n, 1.0, rows.values.data(), n, vectors, n, 0.0,
              inner.values.data(), n);
  for (size_t i = 0; i < inner.rows; ++i) {
    for (size_t j = 0; j < inner.columns; ++j) inner.row(i)[j] *= factors[j];
  }
  Matrix result(rows.rows, rows.columns);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, n, 1.0, inner.values.data(), n, vectors, n, 0.0,
              result.values.data(), n);
  return result;
}

}  // namespace

Matrix Matrix::Identity(size_t n) {
  Matrix identity(n, n);
  for (size_t i = 0; i < n; ++i) identity.row(i)[i] = 1;
  return identity;
}

EigenBasis EigenBasis::Identity(size_t n) {
  return {Matrix::Identity(n), std::vector<double>(n, 1.0)};
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
  std::vector<double> factors(basis.scales);
  for (double& factor : factors) factor = 1 / factor;
  return Apply(basis, factors, rows);
}

void UpdateUpperTriangle(double beta, double alpha, const Matrix& rows, Matrix& c) {
  const OneBlasThread one_thread;
  const int n = Int(c.rows);
  cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, n, Int(rows.rows), alpha, rows.values.data(), n, beta,
              c.values.data(), n);
}

Matrix Compose(const EigenBasis& basis) {
  Matrix scaled = basis.vectors;
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
