// Random numbers: known answers, and statistics with both error rates.
//
// Every statistical test compares a mean of n independent terms of known deviation with its expectation.
// It alarms beyond kAlarm standard errors: the chance of that for a correct generator, over the choice of
// seed, is 1e-9 per test, 1e-7 for this whole file. It names the smallest effect that matters and demands
// that n be large enough to miss an effect of that size with a chance of at most 1e-6: the effect must
// exceed kAlarm + kMiss standard errors. (Normal approximation; every n here is above 1e5.)
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "acting/policy_sampler.h"
#include "base/philox.h"
#include "guarded.h"
#include "kernels/batch.h"
#include "kernels/budget.h"
#include "kernels/critic.h"
#include "kernels/flow.h"
#include "kernels/row_operations.h"
#include "near.h"
#include "small_method.h"

using namespace r2pac;

namespace {

constexpr double kAlarm = 6.11, kMiss = 4.76;

/// Checks a mean of n terms against `expected`, given the terms' deviation and the effect to be found.
void check_mean(double mean, double expected, double deviation, double n, double effect) {
  const double error = deviation / std::sqrt(n);
  INFO("mean " << mean << " of " << n << ", expected " << expected << " +- " << error);
  REQUIRE(effect >= (kAlarm + kMiss) * error);
  CHECK(near(mean, expected, kAlarm * error));
}

/// The largest distance between the empirical and the given distribution function. The inequality of
/// Dvoretzky, Kiefer, Wolfowitz and Massart bounds both rates: P(distance > e) <= 2 exp(-2 n e^2).
template <class F>
void check_distribution(std::vector<double> x, F distribution, double effect) {
  const double n = static_cast<double>(x.size());
  const double alarm = std::sqrt(std::log(2 / 1e-9) / (2 * n)),
               miss = std::sqrt(std::log(2 / 1e-6) / (2 * n));
  std::sort(x.begin(), x.end());
  double distance = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = distribution(x[i]), below = static_cast<double>(i) / n;
    distance = std::max({distance, expected - below, below + 1 / n - expected});
  }
  INFO("distance " << distance << ", alarm at " << alarm);
  REQUIRE(effect >= alarm + miss);
  CHECK(distance <= alarm);
}

double normal_distribution(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double uniform_distribution(double x) { return x; }

void check_normal(const std::vector<double>& x) {
  const double n = static_cast<double>(x.size());
  double power[5] = {}, far = 0;
  for (const double v : x) {
    double p = 1;
    for (double& sum : power) {
      sum += p / n;
      p *= v;
    }
    far += (std::abs(v) > 3) / n;
  }
  // Deviations of z, z^2, z^3, z^4 and of an event of probability p: 1, sqrt 2, sqrt 15, sqrt 96, sqrt
  // p(1-p).
  const double p = 0.0026997960632601866;
  check_mean(power[1], 0, 1, n, 0.025);
  check_mean(power[2], 1, std::sqrt(2.0), n, 0.035);
  check_mean(power[3], 0, std::sqrt(15.0), n, 0.1);
  check_mean(power[4], 3, std::sqrt(96.0), n, 0.25);
  check_mean(far, p, std::sqrt(p * (1 - p)), n, 0.5 * p);
  check_distribution(x, normal_distribution, 0.015);
}

template <class T>
View<T> view(Guarded<T>& m) {
  return {m.data(), 0, 1, m.rows(), m.cols()};
}

}  // namespace

TEST_CASE("the generator gives the published answers") {
  // Random123's kat_vectors, philox4x32 with 10 rounds.
  const auto check = [](Words4 counter, std::uint64_t key, Words4 expected) {
    const Words4 actual = philox4x32_10(counter, key);
    for (int w = 0; w < 4; ++w) CHECK(actual.word[w] == expected.word[w]);
  };
  check({{0, 0, 0, 0}}, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  check({{~0u, ~0u, ~0u, ~0u}}, ~0ull, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  check({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0x299f31d0a4093822,
        {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST_CASE("what files depend on keeps its numbers") {
  // Computed independently in Python from the layout (block, row, step, purpose << 16 | step >> 32). A change
  // here means that a resumed run no longer equals one that never stopped, and that policies' examples fail.
  constexpr std::uint64_t seed = 0x0123456789abcdef;
  const Words4 words = random_words(seed, Purpose::flow_noise, 0x123456789, 7, 3);
  const std::uint32_t expected[] = {0xf0c04951, 0xfb6f4a2b, 0x200a214e, 0x52b3fc2f};
  for (int w = 0; w < 4; ++w) CHECK(words.word[w] == expected[w]);
  const std::uint32_t first[] = {0xeaaca1be, 0x4ff9ae68, 0x251209d4, 0x2ba79010, 0xcc4c4b49,
                                 0x5df63020, 0x5d59e377, 0xabbee97a, 0x8dda6fdd};
  for (std::uint32_t p = 0; p < 9; ++p)
    CHECK(random_words(1, static_cast<Purpose>(p), 2, 3, 0).word[0] == first[p]);
  CHECK(static_cast<int>(Purpose::test) == 8);
  CHECK(static_cast<double>(random_uniform(seed, Purpose::flow_time, 600000, 1023, 0)) ==
        0.36888402700424194);
  CHECK(static_cast<double>(random_uniform(seed, Purpose::flow_time, 600000, 1023, 3)) == 0.2607589364051819);
  CHECK(draw_window(seed, 599999, 17, 495000) == 193113);
  const double normal[] = {1.1340912768123046, -0.3302405013734891, 0.051353651303416244,
                           -0.6886993136346982};
  for (std::uint32_t i = 0; i < 4; ++i)  // float log, cosine and angle: a few units of the last place
    CHECK(near(static_cast<double>(random_normal(seed, Purpose::candidate_noise, 12, 3, 4 + i)), normal[i],
               1e-6));
}

TEST_CASE("no two coordinates share their words") {
  std::set<std::vector<std::uint32_t>> seen;
  std::size_t asked = 0;
  for (const std::uint64_t seed : {0ull, 1ull, 1ull << 32})
    for (std::uint32_t purpose = 0; purpose < 9; ++purpose)
      for (const std::uint64_t step : {0ull, 1ull, 2ull, 1ull << 16, 1ull << 32, (1ull << 48) - 1})
        for (const std::uint32_t row : {0u, 1u, 2u, 65536u})
          for (const std::uint32_t block : {0u, 1u, 2u}) {
            const Words4 w = random_words(seed, static_cast<Purpose>(purpose), step, row, block);
            seen.insert({w.word[0], w.word[1], w.word[2], w.word[3]});
            ++asked;
          }
  CHECK(seen.size() == asked);
}

TEST_CASE("flow noise is standard normal and flow times are uniform") {
  constexpr int rows = 1024, lanes = 10, steps = 40;
  Guarded<float> noise(rows, lanes), time(rows, 1);
  std::vector<double> all_noise, all_times;
  StepState state;
  for (state.step = 0; state.step < steps; ++state.step) {
    run_rows<float>(DrawFlow<float>{3, &state, 100, view(noise), view(time)}, rows);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < lanes; ++c) all_noise.push_back(static_cast<double>(noise(r, c)));
      all_times.push_back(static_cast<double>(time(r, 0)));
    }
  }
  CHECK((noise.intact() && time.intact()));
  CHECK(noise(5, 3) == random_normal(3, Purpose::flow_noise, steps - 1, 105, 3));
  CHECK(time(5, 0) == random_uniform(3, Purpose::flow_time, steps - 1, 105, 0));
  check_normal(all_noise);
  check_distribution(all_times, uniform_distribution, 0.035);
  std::vector<double> uniforms;
  for (std::uint32_t lane = 0; lane < 400000; ++lane)
    uniforms.push_back(static_cast<double>(random_uniform(4, Purpose::test, 0, 0, lane)));
  check_distribution(uniforms, uniform_distribution, 0.01);
}

TEST_CASE("candidate noise is standard normal and the sampler draws just that") {
  Settings settings;
  settings.hidden = {4};
  MethodNetworks<float> networks(settings, {2, 5, 2}, *on_cpu());
  const Sampler<float> sampler = sampler_of(networks, {{}, 16}, on_cpu());
  std::vector<double> all;
  std::vector<float> noise(160);
  for (std::uint64_t step = 0; step < 100; ++step)
    for (std::uint32_t row = 0; row < 25; ++row) {
      sampler.draw_noise(9, step, row, noise);
      all.insert(all.end(), noise.begin(), noise.end());
    }
  CHECK(noise[37] == random_normal(9, Purpose::candidate_noise, 99, 24, 37));
  check_normal(all);
}

TEST_CASE("labels are dropped with the probability asked for, whatever they are") {
  constexpr int rows = 2048, steps = 200;
  Guarded<float> label(rows, 1), out(rows, 1);
  for (int r = 0; r < rows; ++r) label(r, 0) = r % 2 == 0 ? kLabelGood : kLabelBad;
  double dropped[2] = {};
  bool kept = true;
  StepState state;
  for (state.step = 0; state.step < steps; ++state.step) {
    run_rows<float>(LabelDropout<float>{view(label), 0.1f, 5, &state, 0, view(out)}, rows);
    for (int r = 0; r < rows; ++r) {
      if (out(r, 0) == static_cast<float>(kLabelNull))
        ++dropped[r % 2];
      else
        kept &= out(r, 0) == label(r, 0);
    }
  }
  CHECK(kept);
  CHECK(out.intact());
  constexpr double n = rows * steps / 2.0;  // 204800 of each label; a share of 0.11 instead of 0.1 is found
  for (const double count : dropped) check_mean(count / n, 0.1, 0.3, n, 0.01);
  run_rows<float>(LabelDropout<float>{view(label), 0.0f, 5, &state, 0, view(out)}, rows);
  for (int r = 0; r < rows; ++r) REQUIRE(out(r, 0) == label(r, 0));
  run_rows<float>(LabelDropout<float>{view(label), 1.0f, 5, &state, 0, view(out)}, rows);
  for (int r = 0; r < rows; ++r) REQUIRE(out(r, 0) == static_cast<float>(kLabelNull));
}

TEST_CASE("what networks see of drawn budgets is uniform up to the greatest") {
  constexpr int rows = 2048, steps = 100;
  Guarded<float> budget(rows, 1), input(rows, 1);
  const float greatest = 9, scale = 0.5f, most = formula::budget_input(greatest, greatest, scale);
  double sum = 0, squares = 0;
  StepState state;
  for (state.step = 0; state.step < steps; ++state.step) {
    run_rows<float>(DrawBudgets<float>{5, &state, 0, &greatest, scale, view(budget)}, rows);
    run_rows<float>(BudgetInputs<float>{view(budget), &greatest, scale, view(input)}, rows);
    for (int r = 0; r < rows; ++r) {
      REQUIRE(budget(r, 0) >= 0);
      REQUIRE(budget(r, 0) <= greatest);
      const double share = static_cast<double>(input(r, 0) / most);
      sum += share, squares += share * share;
    }
  }
  CHECK(budget.intact());
  constexpr double n = rows * steps;
  check_mean(sum / n, 1.0 / 2, std::sqrt(1.0 / 12), n, 0.01);
  check_mean(squares / n, 1.0 / 3, std::sqrt(4.0 / 45), n, 0.01);
}

TEST_CASE("batch rows are uniform over the windows") {
  // Chi-square with k = windows - 1 degrees of freedom: mean k, deviation sqrt(2 k); for k = 1000 its tails
  // are within a tenth of the normal ones after the cube root of Wilson and Hilferty, which also makes both
  // tails alike: too even is as wrong as too uneven.
  constexpr std::uint32_t windows = 1001;
  constexpr int batch = 1024, steps = 500;
  constexpr double n = batch * steps, k = windows - 1;
  std::vector<double> count(windows);
  double sum = 0;
  for (std::uint64_t step = 0; step < steps; ++step)
    for (int r = 0; r < batch; ++r) {
      const std::uint32_t window = draw_window(8, step, r, windows);
      REQUIRE(window < windows);
      ++count[window];
      sum += window;
    }
  double chi_square = 0;
  for (const double c : count) chi_square += (c - n / windows) * (c - n / windows) / (n / windows);
  const double z = (std::cbrt(chi_square / k) - (1 - 2 / (9 * k))) / std::sqrt(2 / (9 * k));
  INFO("chi square " << chi_square << " for " << k);
  CHECK(std::abs(z) <= kAlarm);
  // Windows preferred or shunned by a tenth add n / 100 = 5120 to the mean of k, 50 standard errors and more.
  CHECK(n * 0.01 >= (kAlarm + kMiss) * std::sqrt(2 * k + 4 * n * 0.01));
  check_mean(sum / n, k / 2, windows / std::sqrt(12.0), n, 0.02 * windows);
}

TEST_CASE("numbers of different coordinates are uncorrelated, and so are their squares") {
  // The product of two independent standard normals has deviation 1, that of (z^2 - 1) has 2. n = 250000
  // finds a correlation of 0.025.
  constexpr std::uint32_t n = 250000;
  struct At {
    std::uint64_t seed = 6;
    Purpose purpose = Purpose::flow_noise;
    std::uint64_t step = 10;
    std::uint32_t lane = 0;
    std::uint32_t row = 0;
  };
  const auto draw = [](const At& at, std::uint32_t i) {
    return static_cast<double>(
        random_normal(at.seed, at.purpose, at.step + i / 1000, at.row + i % 1000, at.lane));
  };
  const At base;
  std::vector<double> reference(n);
  for (std::uint32_t i = 0; i < n; ++i) reference[i] = draw(base, i);
  const auto with = [&](auto change) {
    At at = base;
    change(at);
    return at;
  };
  for (const At& other :
       {with([](At& at) { at.seed = 7; }), with([](At& at) { at.seed += 1ull << 32; }),
        with([](At& at) { at.purpose = Purpose::candidate_noise; }),
        with([](At& at) { at.purpose = Purpose::flow_time; }), with([](At& at) { ++at.step; }),
        with([](At& at) { at.step += 1ull << 32; }), with([](At& at) { ++at.row; }),
        with([](At& at) { at.row += 1024; }), with([](At& at) { at.lane = 1; }),  // the same pair's sine
        with([](At& at) { at.lane = 2; }), with([](At& at) { at.lane = 4; }),
        with([](At& at) { at.lane = 160; })}) {
    double product = 0, squares = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
      const double a = reference[i], b = draw(other, i);
      product += a * b / n;
      squares += (a * a - 1) * (b * b - 1) / n;
    }
    check_mean(product, 0, 1, n, 0.025);
    check_mean(squares, 0, 2, n, 0.05);
  }
}
