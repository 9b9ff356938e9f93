// The method on problems whose answers are known: an episode worked by hand, Gaussians under the flow, a grid
// world solved by dynamic programming.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "acting/policy_sampler.h"
#include "data/dataset.h"
#include "guarded.h"
#include "model/region.h"
#include "near.h"
#include "on_cpu.h"
#include "training/step.h"
#include "training/training_data.h"
#include "training/window_values.h"

using namespace r2pac;

namespace {

/// Adds one row to the columns of a file.
void add_row(DsrlColumns& c, const std::vector<float>& s, const std::vector<float>& a,
             const std::vector<float>& next, float reward, float cost, bool terminal, bool timeout) {
  c.observation_dim = static_cast<int>(s.size());
  c.action_dim = static_cast<int>(a.size());
  ++c.rows;
  c.observations.insert(c.observations.end(), s.begin(), s.end());
  c.actions.insert(c.actions.end(), a.begin(), a.end());
  c.next_observations.insert(c.next_observations.end(), next.begin(), next.end());
  c.rewards.push_back(reward);
  c.costs.push_back(cost);
  c.terminals.push_back(terminal);
  c.timeouts.push_back(timeout);
}

}  // namespace

TEST_CASE("two episodes of five steps, worked by hand") {
  // h = 2, gamma = 1/2, C = 3 (absorbing: -3 / (1 - 1/2) = -6), threshold l = 1, V_r(s) = s. All numbers are
  // exact in binary. Episode A visits states 0..5 and ends for good, B visits 10..15 and is cut.
  //
  //   row  s  r  c | window: R    K             s'  m  V_c(s')          y_r             y_c
  //   A0   0  1  0 | 1+2/2 = 2    0+0/2 = 0      2  1  0.5              2 + 2/4 = 2.5   0   + 0.5/4  = 0.125
  //   A1   1  2  0 | 2+3/2 = 3.5  0+1/2 = 0.5    3  1  2     unsafe     -6              0.5 + 2/4    = 1
  //   A2   2  3  1 | 3+4/2 = 5    1+0/2 = 1      4  1  1     tie: safe  5 + 4/4 = 6     1   + 1/4    = 1.25
  //   A3   3  4  0 | 4+5/2 = 6.5  0+1/2 = 0.5    5  0  9     no test    6.5             0.5
  //   A4   4  5  1 | too short for a window
  //   B0  10  5  1 | 5+4/2 = 7    1+0/2 = 1     12  1  0                7 + 12/4 = 10   1   + 0      = 1
  //   B1  11  4  0 | 4+3/2 = 5.5  0+0/2 = 0     13  1  1.5   unsafe     -6              0   + 1.5/4  = 0.375
  //   B2  12  3  0 | 3+2/2 = 4    0+1/2 = 0.5   14  1  0.25             4 + 14/4 = 7.5  0.5 + 0.25/4 = 0.5625
  //   B3  13  2  1 | 2+1/2 = 2.5  1+1/2 = 1.5   15  1  3     unsafe     -6              1.5 + 3/4    = 2.25
  //   B4  14  1  1 | too short
  DsrlColumns columns;
  const float reward[] = {1, 2, 3, 4, 5, 5, 4, 3, 2, 1}, cost[] = {0, 0, 1, 0, 1, 1, 0, 0, 1, 1};
  for (int i = 0; i < 10; ++i) {
    const float s = static_cast<float>(i < 5 ? i : i + 5);
    add_row(columns, {s}, {s / 16}, {s + 1}, reward[i], cost[i], i == 4, i == 9);
  }
  Settings settings;
  settings.chunk_length = 2;
  settings.discount = 0.5;
  constexpr int n = 8;
  std::array<double, n> v_reward{2, 3, 4, 5, 12, 13, 14, 15}, v_cost{0.5, 2, 1, 9, 0, 1.5, 0.25, 3};
  const std::array<double, n> s{0, 1, 2, 3, 10, 11, 12, 13}, sums{2, 3.5, 5, 6.5, 7, 5.5, 4, 2.5},
      costs{0, 0.5, 1, 0.5, 1, 0, 0.5, 1.5}, y_reward{2.5, -6, 6, 6.5, 10, -6, 7.5, -6},
      y_cost{0.125, 1, 1.25, 0.5, 1, 0.375, 0.5625, 2.25}, unsafe{0, 1, 0, 0, 0, 1, 0, 1};

  for (const bool cut_is_terminal : {false, true}) {
    settings.timeouts = cut_is_terminal
                            ? Timeouts::terminal
                            : Timeouts::bootstrap;  // then B3 ends like A3: no bootstrap, no region test
    const TrainingData<double> data(make_dataset(columns, "by hand"), settings, *on_cpu());
    REQUIRE(data.windows() == n);
    std::uint32_t first_window = 0;
    double threshold = 1;
    Tape<double> tape{on_cpu()};
    const Batch<double> b = windows_in_order(tape, data.source(), n, &first_window);
    const Targets<double> t = critic_targets<double>(
        tape, b, tape.external("V_r", {1, n, 1}, v_reward.data()),
        tape.external("V_c", {1, n, 1}, v_cost.data()), tape.external("l", {1, 1, 1}, &threshold),
        {0.5, 0.25, 3, PenaltyReading::absorbing, {-1e3, 1e3}, {-1e3, 1e3}});
    for (const Tensor<double> x : {b.observations, b.actions, b.next_observations, b.rewards, b.costs, b.mask,
                                   t.reward, t.cost, t.unsafe})
      tape.keep(x);
    Program program = tape.finish();
    program.run();
    for (int r = 0; r < n; ++r) {
      const auto i = static_cast<std::size_t>(r);
      const auto at = [&](Tensor<double> x, int c = 0) { return x->whole().row(r)[c]; };
      const bool last_cut = cut_is_terminal && r == 7;
      INFO("window " << r << " timeouts are terminal " << cut_is_terminal);
      CHECK(at(b.observations) == s[i]);
      CHECK(at(b.actions, 0) == s[i] / 16);
      CHECK(at(b.actions, 1) == (s[i] + 1) / 16);
      CHECK(at(b.next_observations) == s[i] + 2);
      CHECK(at(b.rewards) == sums[i]);
      CHECK(at(b.costs) == costs[i]);
      CHECK(at(b.mask) == (r == 3 || last_cut ? 0 : 1));
      CHECK(at(t.unsafe) == (last_cut ? 0 : unsafe[i]));
      CHECK(at(t.reward) == (last_cut ? 2.5 : y_reward[i]));
      CHECK(at(t.cost) == (last_cut ? 1.5 : y_cost[i]));
    }
  }
}

TEST_CASE("Euler's steps along the exact field carry noise to the Gaussian of the data") {
  // Noise N(0, 1) and data N(mu, sigma^2) give x_t ~ N(t mu, s^2) with s^2 = (1-t)^2 + t^2 sigma^2 and the
  // marginal velocity mu + c (x - t mu), c = (t sigma^2 - (1-t)) / s^2. So each step multiplies x - t mu by
  // 1 + dt c. Two fields of means mu_0, mu_1 guided with scale w make the field of mean mu_0 + w (mu_1 -
  // mu_0).
  constexpr double sigma = 0.4, mu[] = {-0.3, 0.5};
  const auto slope = [](double t) {
    return (t * sigma * sigma - (1 - t)) / ((1 - t) * (1 - t) + t * t * sigma * sigma);
  };
  const std::vector<double> noise{-2.326, -1.282, -0.674, 0, 0.674, 1.282, 2.326};  // normal quantiles
  for (const double w : {0.0, 1.0, 2.0}) {
    const double mean = mu[0] + w * (mu[1] - mu[0]);
    double previous = 0;
    for (const int steps : {32, 64, 128}) {
      const double dt = 1.0 / steps;
      std::vector<double> x = noise, v[2];
      double factor = 1;
      for (int n = 0; n < steps; ++n) {
        const double t = n * dt;
        for (int label = 0; label < 2; ++label) {
          v[label].clear();
          for (const double at : x) v[label].push_back(mu[label] + slope(t) * (at - t * mu[label]));
        }
        guided_euler_step(v[0].data(), v[1].data(), w, dt, x.size(), x.data());
        factor *= 1 + dt * slope(t);
      }
      for (std::size_t i = 0; i < x.size(); ++i)  // 128 steps of a few roundings each
        CHECK(near(x[i], mean + factor * noise[i], 1e-12));
      // The factor itself tends to sigma, at first order: twice the steps, half the error.
      const double error = std::abs(factor - sigma);
      CHECK(error < 0.05 * 32 / steps);
      if (steps > 32) CHECK(near(error / previous, 0.5, 0.05));
      previous = error;
    }
  }
}
