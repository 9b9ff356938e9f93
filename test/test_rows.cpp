// Reductions, choices, gathers and copies against brute force.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <numeric>

#include "acting/select.h"
#include "data/dataset.h"
#include "guarded.h"
#include "kernels/reduce.h"
#include "kernels/row_operations.h"
#include "kernels/rows.h"
#include "near.h"
#include "on_cpu.h"
#include "training/training_data.h"

using namespace r2pac;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(),
                 kInfinity = std::numeric_limits<double>::infinity();

std::uint32_t below(std::uint32_t bound, std::uint32_t row, std::uint64_t step = 50) {
  return random_below(23, Purpose::test, step, row, bound);
}

template <class T>
View<T> view(Guarded<T>& m) {
  return {m.data(), 0, 1, m.rows(), m.cols()};
}

double quantile_of(std::vector<double> x, double alpha) {
  std::vector<double> work(x.size());
  return quantile(x.data(), x.size(), alpha, work.data());
}

/// Random columns of a DSRL file: episodes of 1 to 9 rows, a third of them cut.
DsrlColumns random_columns(int rows, int s, int a) {
  DsrlColumns c;
  c.rows = rows;
  c.observation_dim = s;
  c.action_dim = a;
  const auto u = [](int column, std::size_t i) {
    return random_uniform(29, Purpose::test, static_cast<std::uint64_t>(60 + column), 0,
                          static_cast<std::uint32_t>(i));
  };
  const auto n = static_cast<std::size_t>(rows), width = static_cast<std::size_t>(s);
  for (std::size_t i = 0; i < n * width; ++i) c.observations.push_back(u(0, i) * 4 - 2);
  for (std::size_t i = 0; i < n * static_cast<std::size_t>(a); ++i) c.actions.push_back(u(1, i) * 2 - 1);
  c.next_observations.assign(n * width, 0);
  for (std::size_t i = 0; i < n; ++i) {
    c.rewards.push_back(u(2, i) * 2 - 1);
    c.costs.push_back(u(3, i) < 0.3f ? 1.0f : 0.0f);
    const bool ends = u(4, i) < 0.2f || i + 1 == n;
    c.terminals.push_back(ends && u(5, i) < 0.6f);
    c.timeouts.push_back(ends && !c.terminals.back());
    for (std::size_t j = 0; j < width; ++j)
      c.next_observations[i * width + j] =
          ends ? u(6, i * width + j) + 5 : c.observations[(i + 1) * width + j];
  }
  return c;
}

}  // namespace

TEST_CASE("the quantile equals that of a sorted copy") {
  for (std::uint32_t set = 0; set < 1000; ++set) {
    std::vector<double> x(1 + below(40, set));
    for (std::uint32_t i = 0; i < x.size(); ++i)  // every other set has many ties
      x[i] = set % 2 == 0 ? static_cast<double>(random_normal(23, Purpose::test, 51, set, i))
                          : below(5, set * 64 + i, 52);
    std::vector<double> sorted = x;
    std::sort(sorted.begin(), sorted.end());
    const double random_alpha = static_cast<double>(random_uniform(23, Purpose::test, 53, set, 0));
    for (const double alpha : {0.0, 0.5, random_alpha, 1.0}) {
      const double position = alpha * static_cast<double>(x.size() - 1);
      const auto lower = static_cast<std::size_t>(std::floor(position)),
                 upper = std::min(lower + 1, x.size() - 1);
      const double expected =
          sorted[lower] + (position - std::floor(position)) * (sorted[upper] - sorted[lower]);
      REQUIRE(quantile_of(x, alpha) == expected);
    }
  }
}

TEST_CASE("the quantile of sets with values that are not finite") {
  CHECK(quantile_of({7}, 0.3) == 7);
  const std::vector<double> x{kNan, 3, 1, kNan, 2};  // sorts as 1 2 3 NaN NaN
  CHECK(quantile_of(x, 0) == 1);
  CHECK(quantile_of(x, 0.25) == 2);
  CHECK(quantile_of(x, 0.375) == 2.5);
  CHECK(std::isnan(quantile_of(x, 1)));
  CHECK(std::isnan(quantile_of({kNan}, 0)));
  // At an order statistic the next one has no weight, whatever it is.
  CHECK(quantile_of(x, 0.5) == 3);
  CHECK(quantile_of({1, kInfinity}, 0) == 1);
}

TEST_CASE("the threshold starts at the quantile and is smoothed after that") {
  Guarded<double> x(5, 1);
  for (int r = 0; r < 5; ++r) x(r, 0) = r;
  double threshold = 100, work[5];
  StepState state;
  state.step = 7;
  update_threshold(view(x), 0.5, 0.75, &state, 7, &threshold, work);
  CHECK(threshold == 2);
  ++state.step;
  update_threshold(view(x), 1.0, 0.75, &state, 7, &threshold, work);
  CHECK(threshold == 0.75 * 2 + 0.25 * 4);
  update_threshold(view(x), 1.0, 0.0, &state, 7, &threshold, work);
  CHECK(threshold == 4);
}

TEST_CASE("the least cost is the first of the equal ones and never NaN beside a number") {
  for (std::uint32_t set = 0; set < 2000; ++set) {
    const int n = 1 + static_cast<int>(below(16, set, 54));
    std::vector<float> cost(static_cast<std::size_t>(n));
    int expected = -1;
    for (int i = 0; i < n; ++i) {
      const std::uint32_t draw =
          below(6, set * 64 + static_cast<std::uint32_t>(i), 55);  // ties, and one NaN in six
      float& c = cost[static_cast<std::size_t>(i)];
      c = draw == 0 ? static_cast<float>(kNan) : static_cast<float>(draw);
      if (!std::isnan(c) && (expected < 0 || c < cost[static_cast<std::size_t>(expected)])) expected = i;
    }
    const int actual = least_cost(cost.data(), n);
    if (expected >= 0)
      REQUIRE(actual == expected);
    else
      REQUIRE((actual >= 0 && actual < n));
  }
  CHECK(least_cost(std::vector<float>{1, -static_cast<float>(kInfinity), 0}.data(), 3) == 1);
}

TEST_CASE("the choice by region is the rule's in safe and unsafe states, with ties and NaN") {
  // The rule as sentences, one filter after the other, over scores from small sets: ties are common, and so
  // is a cost equal to the threshold of 3.
  const auto first_of = [](const std::vector<int>& among, const auto& better) {
    return among.empty() ? -1 : *std::min_element(among.begin(), among.end(), [&](int a, int b) {
      return better(a, b) || (!better(b, a) && a < b);
    });
  };
  int safe_choices = 0, without_admissible = 0, unsafe_choices = 0, hopeless = 0;
  for (std::uint32_t set = 0; set < 5000; ++set) {
    const int n = 1 + static_cast<int>(below(16, set, 60));
    const std::uint32_t nan_in = set % 5 == 0 ? 2 : 12;
    const auto draw = [&](int i, std::uint64_t lane) {
      const std::uint32_t at = set * 64 + static_cast<std::uint32_t>(i);
      return below(nan_in, at, lane + 10) == 0
                 ? static_cast<float>(kNan)
                 : static_cast<float>(below(set % 3 == 0 ? 9 : 6, at, lane)) + (set % 3 == 1 ? 4.0f : 0.0f);
    };
    std::vector<float> cost, reward;
    for (int i = 0; i < n; ++i) {
      cost.push_back(draw(i, 61));
      reward.push_back(draw(i, 62));
    }
    const float threshold = 3,
                v_cost = set % 17 == 0 ? static_cast<float>(kNan) : static_cast<float>(below(5, set, 63));
    const auto c = [&](int i) { return cost[static_cast<std::size_t>(i)]; };
    const auto r = [&](int i) { return reward[static_cast<std::size_t>(i)]; };
    const bool safe = v_cost <= threshold;
    std::vector<int> numbers, admissible;
    for (int i = 0; i < n; ++i)
      if (!std::isnan(c(i)) && !(safe && std::isnan(r(i)))) numbers.push_back(i);
    std::copy_if(numbers.begin(), numbers.end(), std::back_inserter(admissible),
                 [&](int i) { return safe && c(i) <= threshold; });
    int expected = first_of(admissible, [&](int a, int b) { return r(a) > r(b); });
    if (expected < 0) expected = first_of(numbers, [&](int a, int b) { return c(a) < c(b); });
    safe_choices += !admissible.empty();
    without_admissible += safe && admissible.empty() && !numbers.empty();
    unsafe_choices += !safe && !numbers.empty();
    hopeless += numbers.empty();
    const int actual = best_by_region(cost.data(), reward.data(), n, v_cost, threshold);
    INFO("set " << set);
    if (expected >= 0)
      REQUIRE(actual == expected);
    else
      REQUIRE((actual >= 0 && actual < n));
  }
  CHECK(std::min({safe_choices, without_admissible, unsafe_choices, hopeless}) > 20);
  // Infinite scores are scores.
  const float infinity = static_cast<float>(kInfinity);
  CHECK(best_by_region(std::vector<float>{1, -infinity, 2}.data(),
                       std::vector<float>{-infinity, 5, infinity}.data(), 3, 0.0f, 3.0f) == 2);
}

TEST_CASE("a selection's name is read back, and no other is") {
  for (const Selection selection : {Selection::least_cost, Selection::region})
    CHECK(selection_of(selection_name(selection)) == selection);
  for (const char* name : {"", "least_cost", "Region", "region "})
    CHECK_FALSE(selection_of(name).has_value());
}

TEST_CASE("windows drawn from random episodes are those of the file's columns") {
  constexpr int rows = 500, s = 3, a = 2, batch = 97, first_row = 11;
  const DsrlColumns c = random_columns(rows, s, a);
  const Dataset dataset = make_dataset(c, "random");
  for (const int h : {1, 2, 5}) {
    Settings settings;
    settings.chunk_length = h;
    settings.discount = 0.9;
    settings.reward_scale = 3;
    settings.cost_scale = 0.5;
    const TrainingData<double> data(dataset, settings, *on_cpu());
    std::vector<std::size_t> starts;  // rows of the file whose next h - 1 rows belong to the same episode
    for (std::size_t t = 0; t + static_cast<std::size_t>(h) <= rows; ++t) {
      bool ended = false;
      for (std::size_t i = t; i + 1 < t + static_cast<std::size_t>(h); ++i)
        ended |= c.terminals[i] || c.timeouts[i];
      if (!ended) starts.push_back(t);
    }
    REQUIRE(data.windows() == starts.size());

    Guarded<double> observations(batch, s), actions(batch, h * a), next(batch, s), rewards(batch, 1),
        costs(batch, 1), mask(batch, 1);
    const WindowBatch<double> views{view(observations), view(actions), view(next),
                                    view(rewards),      view(costs),   view(mask)};
    StepState state;
    state.step = 123;
    const auto check = [&](auto&& window_of) {
      for (int r = 0; r < batch; ++r) {
        const std::size_t t = starts[window_of(r)], end = t + static_cast<std::size_t>(h) - 1;
        double reward = 0, cost = 0;
        for (int k = 0; k < h; ++k) {
          reward += std::pow(0.9, k) * 3 * static_cast<double>(c.rewards[t + static_cast<std::size_t>(k)]);
          cost += std::pow(0.9, k) * 0.5 * static_cast<double>(c.costs[t + static_cast<std::size_t>(k)]);
        }
        REQUIRE(near(rewards(r, 0), reward, 1e-14));  // five terms below 3
        REQUIRE(near(costs(r, 0), cost, 1e-14));
        REQUIRE(mask(r, 0) == (c.terminals[end] ? 0 : 1));
        for (int j = 0; j < s; ++j) {
          REQUIRE(observations(r, j) ==
                  static_cast<double>(c.observations[t * s + static_cast<std::size_t>(j)]));
          REQUIRE(next(r, j) ==
                  static_cast<double>(c.next_observations[end * s + static_cast<std::size_t>(j)]));
        }
        for (int j = 0; j < h * a; ++j)
          REQUIRE(actions(r, j) == static_cast<double>(c.actions[t * a + static_cast<std::size_t>(j)]));
      }
      CHECK((observations.intact() && actions.intact() && next.intact()));
      CHECK((rewards.intact() && costs.intact() && mask.intact()));
    };
    run_rows<double>(GatherWindows<double>{data.source(), 5, &state, first_row, views}, batch);
    check([&](int r) { return draw_window(5, 123, first_row + r, data.windows()); });
    const std::uint32_t first_window = data.windows() - 50;  // beyond the end the last one is repeated
    run_rows<double>(GatherWindowsInOrder<double>{data.source(), &first_window, first_row, views}, batch);
    check([&](int r) {
      return std::min<std::size_t>(first_window + static_cast<std::size_t>(first_row + r), starts.size() - 1);
    });

    std::vector<double> stored(data.windows());
    std::iota(stored.begin(), stored.end(), 0.0);
    Guarded<double> label(batch, 1);
    run_rows<double>(GatherColumn<double>{stored.data(), data.windows(), 5, &state, first_row, view(label)},
                     batch);
    for (int r = 0; r < batch; ++r)
      REQUIRE(label(r, 0) == stored[draw_window(5, 123, first_row + r, data.windows())]);
  }
}

TEST_CASE("a sum of means adds members and averages rows in double") {
  std::vector<float> x(3 * 1000, 0.1f);
  float out = 0;
  sum_of_means(View<float>{x.data(), 1000, 3, 1000, 1}, &out);
  CHECK(out == static_cast<float>(3 * static_cast<double>(0.1f)));  // a float sum would be off by 1e-5
  x[1999] = static_cast<float>(kNan);
  sum_of_means(View<float>{x.data(), 1000, 3, 1000, 1}, &out);
  CHECK(std::isnan(out));
}

TEST_CASE("an embedding picks rows and its gradient adds them up") {
  const auto table = Guarded<double>::normal(3, 5, 0, 56), d_out = Guarded<double>::normal(7, 5, 0, 57);
  const int picked[] = {2, 0, 2, 2, 0, 2, 0};  // label 1 is never used: its gradient is zero
  Guarded<double> label(7, 1), out(7, 5), d_table(3, 5), d_copy = d_out;
  for (int r = 0; r < 7; ++r) label(r, 0) = picked[r];
  run_rows<double>(Embed<double>{table.data(), view(label), view(out)}, 7);
  embed_backward(view(label), view(d_copy), 3, d_table.data());
  for (int c = 0; c < 5; ++c) {
    double expected[3] = {};
    for (int r = 0; r < 7; ++r) {
      CHECK(out(r, c) == table(picked[r], c));
      expected[picked[r]] += d_out(r, c);
    }
    for (int l = 0; l < 3; ++l) CHECK(d_table(l, c) == expected[l]);
  }
  CHECK((out.intact() && d_table.intact()));
}

TEST_CASE("columns are copied to their place and their gradients back") {
  Guarded<double> from = Guarded<double>::normal(6, 3, 0, 58), to = Guarded<double>::normal(6, 8, 0, 59);
  const Guarded<double> before = to;
  run_rows<double>(CopyColumns<double>{view(from), view(to), 4}, 6);
  for (int r = 0; r < 6; ++r)
    for (int c = 0; c < 8; ++c) CHECK(to(r, c) == (c < 4 || c == 7 ? before(r, c) : from(r, c - 4)));
  Guarded<double> written(6, 3), added = from;
  run_rows<double>(CopyColumnsGradient<double>{view(to), 2, view(written), false}, 6);
  run_rows<double>(CopyColumnsGradient<double>{view(to), 2, view(added), true}, 6);
  for (int r = 0; r < 6; ++r)
    for (int c = 0; c < 3; ++c) {
      CHECK(written(r, c) == to(r, c + 2));
      CHECK(added(r, c) == from(r, c) + to(r, c + 2));
    }
  CHECK((to.intact() && written.intact() && added.intact()));
}

TEST_CASE("the extremes of an ensemble are taken row by row") {
  std::vector<double> x{1, -5, 3, /**/ 2, -6, 3, /**/ 0, -4, 9};  // three members of three rows
  Guarded<double> least(3, 1), most(3, 1);
  run_rows<double>(EnsembleExtreme<double>{View<double>{x.data(), 3, 3, 3, 1}, false, view(least)}, 3);
  run_rows<double>(EnsembleExtreme<double>{View<double>{x.data(), 3, 3, 3, 1}, true, view(most)}, 3);
  const double low[] = {0, -6, 3}, high[] = {2, -4, 9};
  for (int r = 0; r < 3; ++r) {
    CHECK(least(r, 0) == low[r]);
    CHECK(most(r, 0) == high[r]);
  }
  CHECK((least.intact() && most.intact()));
}
