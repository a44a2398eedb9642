// SPDX-License-Identifier: Apache-2.0
// The constants of CMA-ES, a function of dimension and population: Hansen, "The CMA Evolution Strategy: A Tutorial"
// (arXiv 1604.00772; the equation numbers are its), with the choices of the `cmaes` package.
#pragma once

#include <vector>

namespace heterosis {

struct CmaConstants {
  int dimension = 0;
  int population = 0;
  int parents = 0;              // mu: how many of the best make the next mean
  double mu_eff = 0;            // their effective number
  std::vector<double> weights;  // one per rank; the first `parents` sum to 1, those below the median are negative
  double c1 = 0;                // learning rates of the covariance: rank-one,
  double c_mu = 0;              // and rank-mu
  double c_sigma = 0;           // of the path for the step size,
  double d_sigma = 0;           // and its damping
  double c_c = 0;               // of the path for the rank-one update
  double chi_n = 0;             // the expected length of a standard normal vector
  double eigen_gap = 0;         // generations between eigendecompositions: in fewer, C hardly changes
  double tpa_damping = 0;       // two-point adaptation (step_size.h)
};

// dimension >= 1, population >= 2.
CmaConstants MakeCmaConstants(int dimension, int population);

double TpaDamping(int dimension, int population);

}  // namespace heterosis
