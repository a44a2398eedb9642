// SPDX-License-Identifier: Apache-2.0
// The standard normal distribution's function and its inverse.
#pragma once

namespace heterosis {

// P(Z <= x), with full relative precision in both tails.
double NormalCdf(double x);

// The x with NormalCdf(x) = p, for 0 < p < 1.
double NormalQuantile(double p);

}  // namespace heterosis
