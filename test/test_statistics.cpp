// Means, spreads and bootstrap intervals.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/statistics.h"

using namespace r2pac;

TEST_CASE("mean and sample standard deviation") {
  const std::vector<double> values = {2, 4, 4, 4, 5, 5, 7, 9};
  CHECK(mean(values) == 5);
  CHECK(standard_deviation(values) == Approx(std::sqrt(32.0 / 7)));
  CHECK(mean({}) == 0);
  CHECK(standard_deviation({}) == 0);
  CHECK(standard_deviation(std::vector<double>{3}) == 0);
}

TEST_CASE("correlation worked by hand") {
  const std::vector<double> x = {1, 2, 3, 4}, y = {2, 1, 4, 3};
  CHECK(correlation(x, y) == Approx(0.6));
  CHECK(correlation(x, x) == Approx(1));
  CHECK(correlation(x, std::vector<double>{4, 3, 2, 1}) == Approx(-1));
  CHECK(correlation(x, std::vector<double>(4, 7.0)) == 0);
  CHECK(correlation({}, {}) == 0);
}

TEST_CASE("Student's quantiles are those of the tables") {
  CHECK(student_quantile(3) == Approx(3.18245).epsilon(0.002));  // as promised
  CHECK(student_quantile(7) == Approx(2.36462).epsilon(1e-4));
  CHECK(student_quantile(30) == Approx(2.04227).epsilon(1e-5));
}

TEST_CASE("an interval is a function of the numbers and the seed") {
  const std::vector<double> values = {1, 0, 1, 1, 0, 1, 1, 1, 0, 1};
  const ConfidenceInterval first = bootstrap_interval(values, 0), again = bootstrap_interval(values, 0);
  CHECK(first.low == again.low);
  CHECK(first.high == again.high);
  CHECK(first.low < 0.7);
  CHECK(first.high > 0.7);
  const ConfidenceInterval narrow = bootstrap_interval(values, 0, 0.5);
  CHECK(narrow.low >= first.low);
  CHECK(narrow.high <= first.high);
}

TEST_CASE("shares and real values have the spread that theory tells") {
  std::vector<double> shares(100), reals(400);
  for (std::size_t i = 0; i < shares.size(); ++i) shares[i] = i % 2 == 0 ? 1 : 0;
  for (std::size_t i = 0; i < reals.size(); ++i) reals[i] = static_cast<double>(i % 20);
  // Half of 100: 0.5 +- 1.96 * 0.05. A mean of 100 zeros and ones moves in steps of 0.01, and the quantile of
  // 10,000 resamples is off by less than another.
  const ConfidenceInterval share = bootstrap_interval(shares, 7);
  CHECK(share.low == Approx(0.402).margin(0.02));
  CHECK(share.high == Approx(0.598).margin(0.02));
  // Uniform on 0 .. 19: deviation sqrt(33.25), of the mean of 400 a twentieth of it. The quantile's own error
  // is near 1 % of the deviation of the mean's, times 3 (its density is low there): 0.01.
  const ConfidenceInterval real = bootstrap_interval(reals, 7);
  const double half = 1.96 * std::sqrt(33.25) / 20;
  CHECK(real.low == Approx(9.5 - half).margin(0.03));
  CHECK(real.high == Approx(9.5 + half).margin(0.03));
}

TEST_CASE("all or no successes have the exact bound in place of a point") {
  const std::vector<double> all(20, 1.0), none(20, 0.0), one(1, 1.0), other(5, 3.5);
  CHECK(bootstrap_interval(all, 0).low == Approx(0.8315665));  // 0.025^(1/20)
  CHECK(bootstrap_interval(all, 0).high == 1);
  CHECK(bootstrap_interval(none, 0).low == 0);
  CHECK(bootstrap_interval(none, 0).high == Approx(1 - 0.8315665));
  CHECK(bootstrap_interval(one, 0).low == Approx(0.025));
  CHECK(bootstrap_interval(other, 0).low == 3.5);
  CHECK(bootstrap_interval(other, 0).high == 3.5);
}

TEST_CASE("an interval of nothing is refused") {
  const std::vector<double> values = {0, 1};
  CHECK_THROWS_AS(bootstrap_interval({}, 0), InvalidArgument);
  CHECK_THROWS_AS(bootstrap_interval(values, 0, 1.0), InvalidArgument);
  CHECK_THROWS_AS(bootstrap_interval(values, 0, std::nan("")), InvalidArgument);
  CHECK_THROWS_AS(bootstrap_interval(values, 0, 0.95, 0), InvalidArgument);
}
