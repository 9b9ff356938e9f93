// How networks see observations: mean and deviation, and normal scores of columns whose numbers repeat.
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "storage/safetensors.h"
#include "test/on_cpu.h"
#include "test/put_number.h"
#include "test/scratch_folder.h"
#include "test/small_run.h"
#include "training/fit_normalization.h"

using namespace r2pac;

namespace {

/// One episode of `rows` rows. Column 0: i / rows without repetition; 1: zero in every second row, else i; 2:
/// constant.
Dataset three_columns(int rows) {
  Dataset dataset;
  dataset.observation_dim = 3;
  dataset.action_dim = 1;
  for (int i = 0; i < rows; ++i)
    for (const float x :
         {static_cast<float>(i) / static_cast<float>(rows), i % 2 == 0 ? 0.0f : static_cast<float>(i), 7.0f})
      dataset.observations.push_back(x);
  dataset.episodes = {Episode{0, rows, false, true}};
  return dataset;
}

Normalization<double> fitted(const Dataset& dataset, NormalScores scores, bool moments) {
  Settings settings;
  settings.normal_scores = scores;
  settings.normalize_observations = moments;
  return fit_normalization<double>(dataset, dataset.episodes, settings);
}

double normal_distribution(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

}  // namespace

TEST_CASE("interpolation meets its points, is linear between them and constant outside") {
  const std::vector<double> from = {-1, 0, 0.5, 2, 2}, to = {-3, 1, 2, 5, 5};
  const auto at = [&](double x) { return interpolated<double>(x, from, to); };
  for (std::size_t k = 0; k < from.size(); ++k) CHECK(at(from[k]) == to[k]);
  CHECK(at(-0.25) == Approx(-0.0));
  CHECK(at(1.25) == 3.5);
  CHECK(at(-1e30) == -3);
  CHECK(at(1e30) == 5);
}

TEST_CASE("a column's normal score is the normal quantile of a number's rank") {
  const int rows = 100000;
  const Dataset dataset = three_columns(rows);
  const Normalization<double> all = fitted(dataset, NormalScores::all, false);
  REQUIRE(all.maps(0));
  // Within a tenth of a deviation the map is linear, and the distribution function is not: by h^2 / 8 times
  // its greatest slope's change, 0.24, that is 0.0003.
  for (const double z : {-3.0, -1.55, -0.4, 0.0, 0.05, 1.23, 3.9})
    CHECK(normal_distribution(all.score(0, normal_distribution(z))) ==
          Approx(normal_distribution(z)).margin(0.0004));
  CHECK(all.score(0, -5) == Approx(-4.2));
  CHECK(all.score(0, 5) == Approx(4.2));
  for (double x = 0, last = -5; x < 1; x += 0.001) {
    CHECK(all.score(0, x) >= last);
    last = all.score(0, x);
  }
}

TEST_CASE("only columns whose numbers repeat are mapped by `tied`, and none with a single number") {
  const Dataset dataset = three_columns(1000);
  const Normalization<double> tied = fitted(dataset, NormalScores::tied, false),
                              all = fitted(dataset, NormalScores::all, false),
                              none = fitted(dataset, NormalScores::none, false);
  CHECK_FALSE(tied.maps(0));
  CHECK(tied.score(0, 0.25) == 0.25);
  REQUIRE(tied.maps(1));
  CHECK(all.maps(0));
  for (const auto& normalization : {tied, all, none}) {
    CHECK_FALSE(normalization.maps(2));
    CHECK(normalization.seen(2, 7) == 7);
  }
  CHECK(none.values.empty());
  // Half of the rows hold 0: one point, with the mean of the scores -4.2, ..., -0.1.
  CHECK(tied.score(1, 0) == Approx(-2.15));
  CHECK(tied.score(1, 500) == Approx(0.6745).margin(0.02));  // rank 3/4; a point's quantile is a row's number
  // A column of which just under a tenth of the rows agree is not mapped.
  Dataset rare = dataset;
  for (int i = 0; i < 1000; ++i)
    rare.observations[static_cast<std::size_t>(3 * i)] = static_cast<float>(i < 99 ? 0 : i);
  CHECK_FALSE(fitted(rare, NormalScores::tied, false).maps(0));
  rare.observations[3 * 99] = 0;
  CHECK(fitted(rare, NormalScores::tied, false).maps(0));
}

TEST_CASE("scores are normalised after the map, and what is seen can be found again") {
  const int rows = 4000;
  const Dataset dataset = three_columns(rows);
  const Normalization<double> n = fitted(dataset, NormalScores::tied, true);
  for (std::size_t j = 0; j < 2; ++j) {
    double sum = 0, squares = 0;
    for (int i = 0; i < rows; ++i) {
      const auto number = static_cast<double>(dataset.observations[static_cast<std::size_t>(3 * i) + j]);
      const double y = n.seen(j, number);
      sum += y, squares += y * y;
      CHECK(n.unseen(j, y) == Approx(number).margin(1e-9 * rows));  // rounding of a double, times the slope
    }
    CHECK(sum / rows == Approx(0).margin(1e-12));
    CHECK(squares / rows == Approx(1).epsilon(0.01));  // 1 / (deviation + 0.001)
  }
}

TEST_CASE("a policy keeps its maps, acts and resumes by them, and damaged ones are refused") {
  const SmallRun f;
  const std::vector<std::string> more = {"--set", "normal_scores=all", "--set",
                                         "normalize_observations=true"};
  REQUIRE(run_program(f.train(more)).status == 0);
  const std::string policy = f.run + "/policy.safetensors";
  const SafetensorsFile file = SafetensorsFile::read(policy);
  CHECK(file.tensor("observation_values").shape == std::vector<std::size_t>{7, kScorePoints});
  std::ofstream(f.path("line")) << "[0,0,0,0,0,0,0]\n";
  const std::vector<std::string> sample = {"sample", f.run, "--obs", f.path("line")};
  CHECK(run_program(sample).status == 0);  // the file's own example is acted first
  CHECK(run_program(f.train(more)).status == 0);
  put_number(policy, "observation_values", 3, 1e30f);
  const ProgramResult damaged = run_program(sample);
  CHECK(damaged.status == 5);
  CHECK(damaged.err.find("`observation_values` do not rise") != std::string::npos);
}
