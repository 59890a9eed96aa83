// math.exp, log, tanh and erf against double libm. PENSTOCK_FLOAT_STRIDE=1 (the slow test) takes
// every float, the default is a stride that meets every exponent many times.
#include "tests/unit/emit/fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdlib>
#include <limits>

using namespace penstock;
using namespace penstock::test;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

struct Bound {
  const char *op;
  double (*exact)(double);
  double ulps, absolute; // absolute 0: not bounded
};

/// Distance in units of the last place of the float nearest to `exact` (the least denormal's unit
/// below 2^-126).
double ulpError(float got, double exact) {
  const float nearest = static_cast<float>(exact);
  if (std::isinf(nearest) || std::isinf(got)) {
    // Where the largest float and infinity meet, one for the other is one unit.
    const bool neighbours = std::signbit(nearest) == std::signbit(got) && std::fabs(got) >= FLT_MAX && std::fabs(nearest) >= FLT_MAX;
    return got == nearest ? 0 : neighbours ? 1 : double(inf);
  }
  const double unit =
      std::max(std::ldexp(1.0, std::ilogb(nearest == 0 ? FLT_MIN : nearest) - 23), double(std::numeric_limits<float>::denorm_min()));
  return std::fabs(double(got) - exact) / unit;
}

class Polynomials : public testing::TestWithParam<Bound> {};

TEST_P(Polynomials, StaysWithinItsBound) {
  const Bound bound = GetParam();
  const char *wanted = std::getenv("PENSTOCK_FLOAT_STRIDE");
  const std::uint64_t stride = std::max(1, wanted ? std::atoi(wanted) : 997); // prime
  std::vector<std::string> levels = runnableLevels();
  for (const std::string &level : levels) {
    auto emitted = emit(mapModule(std::string("%r = math.") + bound.op + " %a : f32"), mapTable(level), level);
    ASSERT_TRUE(emitted.ok()) << emitted.status().message();
    const std::size_t block = 1 << 16;
    std::vector<float> x(block), y(block);
    double worst = 0, worstAbsolute = 0;
    float at = 0;
    std::uint64_t next = 0;
    while (next < (std::uint64_t(1) << 32)) {
      std::size_t count = 0;
      for (; count < block && next < (std::uint64_t(1) << 32); next += stride) {
        x[count++] = std::bit_cast<float>(static_cast<std::uint32_t>(next));
      }
      runMap(**emitted, x.data(), x.data(), y.data(), count);
      for (std::size_t i = 0; i < count; ++i) {
        const double exact = bound.exact(x[i]);
        if (std::isnan(exact)) {
          ASSERT_TRUE(std::isnan(y[i])) << bound.op << "(" << x[i] << ")";
          continue;
        }
        const double error = ulpError(y[i], exact);
        if (!(error <= worst)) {
          worst = error;
          at = x[i];
        }
        worstAbsolute = std::fmax(worstAbsolute, std::isinf(exact) ? 0 : std::fabs(y[i] - exact));
      }
    }
    std::printf("%s %s: %.3f ULP at %.9g, absolute %.3g\n", bound.op, level.c_str(), worst, at, worstAbsolute);
    EXPECT_LE(worst, bound.ulps) << level << " at " << at;
    if (bound.absolute > 0) {
      EXPECT_LE(worstAbsolute, bound.absolute) << level;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Polynomials,
                         testing::Values(Bound{"exp", std::exp, 1, 0}, Bound{"log", std::log, 1, 0}, Bound{"tanh", std::tanh, 6, 3.6e-7},
                                         Bound{"erf", std::erf, 7, 4.2e-7}),
                         [](const auto &info) { return std::string(info.param.op); });

TEST(PolynomialValues, Special) {
  const std::vector<float> x = {0.0f,    -0.0f,    inf,    -inf,    NAN,  88.7228f, 88.73f,  1000.0f,
                                -103.0f, -1000.0f, 1e-40f, -1e-40f, 1.0f, FLT_MAX,  -FLT_MAX};
  for (const std::string &level : runnableLevels()) {
    for (const char *op : {"exp", "log", "tanh", "erf"}) {
      auto emitted = emit(mapModule(std::string("%r = math.") + op + " %a : f32"), mapTable(level), level);
      ASSERT_TRUE(emitted.ok()) << emitted.status().message();
      std::vector<float> y(x.size());
      runMap(**emitted, x.data(), x.data(), y.data(), x.size());
      const std::string name = op;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const float exact = name == "exp"    ? std::exp(x[i])
                            : name == "log"  ? std::log(x[i])
                            : name == "tanh" ? std::tanh(x[i])
                                             : std::erf(x[i]);
        if (std::isnan(exact)) {
          EXPECT_TRUE(std::isnan(y[i])) << op << "(" << x[i] << ") = " << y[i];
        } else if (std::isinf(exact) || exact == 0 || std::fabs(exact) == 1) {
          EXPECT_EQ(y[i], exact) << op << "(" << x[i] << ")";
          EXPECT_EQ(std::signbit(y[i]), std::signbit(exact)) << op << "(" << x[i] << ")";
        }
      }
    }
  }
}

} // namespace
