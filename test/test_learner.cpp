// The learner's options that no other test reaches, and its memory.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>

#include "kernels/reduce.h"
#include "model/learner.h"
#include "tools/data_make.h"

using namespace r2pac;

namespace {

Settings small_settings() {
  Settings settings;
  settings.hidden = {16, 16};
  settings.batch = 50;
  settings.schedule = Schedule::joint;
  settings.steps = 5;
  return settings;
}

Dataset robot_data(int episodes, int closing_rows = 1) {
  return make_dataset(reach_avoid_columns(episodes, 0), "robot", closing_rows);
}

std::vector<float> values_of(const Parameters<float>& parameters) {
  std::vector<float> values(parameters.size());
  parameters.values().copy_out(values.data(), values.size());
  return values;
}

double find(const std::vector<std::pair<std::string, double>>& report, const std::string& name) {
  for (const auto& [key, value] : report)
    if (key == name) return value;
  FAIL("no " << name);
  return 0;
}

}  // namespace

TEST_CASE("with timeouts as terminals the threshold is the limit as a discounted value") {
  Settings settings = small_settings();
  settings.timeouts_are_terminal = true;
  settings.cost_limit = 5;
  const Dataset dataset = robot_data(4);  // 100 steps an episode
  const TrainingData<double> data(dataset, settings);
  Learner<double> learner(settings, data, std::make_shared<ThreadPool>(1));
  // 5 (1 - 0.99^100) / ((1 - 0.99) 100) by hand
  CHECK(learner.threshold() == Approx(3.169838).epsilon(1e-6));
  learner.advance();
  CHECK(learner.threshold() == Approx(3.169838).epsilon(1e-6));
}

TEST_CASE("the threshold is smoothed from the second step on") {
  Settings plain = small_settings(), smooth = small_settings();
  plain.learning_rate = smooth.learning_rate = 1e-12;  // the values stand still, only the batch changes
  smooth.threshold_ema = 0.75;
  const Dataset dataset = robot_data(4);
  const TrainingData<double> data(dataset, plain);
  Learner<double> a(plain, data, std::make_shared<ThreadPool>(1)),
      b(smooth, data, std::make_shared<ThreadPool>(1));
  double expected = 0;
  for (int step = 0; step < 4; ++step) {
    a.advance();
    b.advance();
    expected = step == 0 ? a.threshold() : 0.75 * expected + 0.25 * a.threshold();
    // The learning rate moves weights by 1e-12 a step, values by some 1e-11.
    CHECK(b.threshold() == Approx(expected).epsilon(1e-9));
  }
}

TEST_CASE("behaviour cloning trains the flow and nothing else") {
  Settings settings = small_settings();
  settings.schedule = Schedule::sequential;
  settings.critic_steps = 0;
  settings.label_dropout = 1;
  const Dataset dataset = robot_data(4);
  const TrainingData<float> data(dataset, settings);
  Learner<float> learner(settings, data, std::make_shared<ThreadPool>(1));
  const std::vector<float> before = values_of(learner.networks().online);
  while (!learner.finished()) learner.advance();
  const std::vector<float> after = values_of(learner.networks().online);
  const auto& entries = learner.networks().online.entries();
  const std::size_t flow = entries[static_cast<std::size_t>(learner.networks().values_end())].offset;
  const auto split = static_cast<std::ptrdiff_t>(flow);
  CHECK(std::equal(before.begin(), before.begin() + split, after.begin()));
  CHECK(!std::equal(before.begin() + split, before.end(), after.begin() + split));
  CHECK(find(learner.report(), "loss_flow") > 0);
}

TEST_CASE("observations are normalised by the data's mean and deviation") {
  Settings settings = small_settings();
  settings.normalize_observations = true;
  const Dataset dataset = robot_data(6);
  const TrainingData<double> data(dataset, settings);
  const WindowSource<double>& source = data.source();
  const auto s = static_cast<std::size_t>(dataset.observation_dim);
  std::vector<double> sum(s), squares(s);
  std::vector<double> rows(static_cast<std::size_t>(dataset.stored_rows) * s);
  copy_out(rows.data(), source.observations, rows.size() * sizeof(double));
  for (const Episode& episode : dataset.episodes)
    for (std::int64_t row = episode.first; row < episode.first + episode.length; ++row)
      for (std::size_t j = 0; j < s; ++j) {
        const double x = rows[static_cast<std::size_t>(row) * s + j];
        sum[j] += x;
        squares[j] += x * x;
      }
  for (std::size_t j = 0; j < s; ++j) {
    CHECK(std::abs(sum[j] / static_cast<double>(dataset.rows)) < 1e-9);
    // 0.001 is added to the deviation, whose least value here is about 0.1.
    CHECK(squares[j] / static_cast<double>(dataset.rows) == Approx(1).margin(0.03));
  }
}

TEST_CASE("a run of the full size on a data set like BallRun stays below 400 MB") {
  // In a process of its own, so that its greatest size is its own. Sanitizers add shadow memory.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return;
#endif
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    bool small = false;
    {
      Settings settings;
      settings.schedule = Schedule::joint;
      const Dataset dataset = robot_data(900);  // 90,000 rows of 7 and 2 numbers
      const TrainingData<float> data(dataset, settings);
      Learner<float> learner(settings, data, std::make_shared<ThreadPool>(2));
      learner.advance();
      learner.advance();
      std::ifstream status("/proc/self/status");
      for (std::string line; std::getline(status, line);)
        if (line.rfind("VmHWM:", 0) == 0) small = std::stol(line.substr(6)) < 400 * 1024;
    }
    _exit(small ? 0 : 1);
  }
  int state = 0;
  REQUIRE(waitpid(child, &state, 0) == child);
  CHECK(state == 0);
}
