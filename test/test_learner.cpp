// The learner's options that no other test reaches, and its memory.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>

#include "allowed_settings.h"
#include "entry_values.h"
#include "kernels/reduce.h"
#include "on_cpu.h"
#include "tools/data_make.h"
#include "training/learner.h"

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

Dataset robot_data(int episodes) { return make_dataset(reach_avoid_columns(episodes, 0), "robot"); }

std::vector<float> values_of(const Parameters<float>& parameters) {
  return entry_values(parameters, parameters.values());
}

double find(const std::vector<std::pair<std::string, double>>& report, const std::string& name) {
  for (const auto& [key, value] : report)
    if (key == name) return value;
  FAIL("no " << name);
  return 0;
}

}  // namespace

TEST_CASE("with timeouts as terminals the threshold is the limit as a discounted value") {
  struct Case {
    double cost_limit, cost_scale, discount, threshold;
  };
  // limit * scale * (1 - discount^100) / ((1 - discount) 100) by hand, for the robot's 100 steps an episode.
  for (const auto& [cost_limit, cost_scale, discount, threshold] :
       {Case{5, 1, 0.99, 3.1698383}, Case{5, 0.5, 0.99, 1.5849191}, Case{10, 1, 0.95, 1.9881589},
        Case{0, 1, 0.99, 0}}) {
    Settings settings = small_settings();
    settings.threshold = Threshold::limit;
    settings.timeouts = Timeouts::terminal;
    settings.cost_limit = cost_limit;
    settings.cost_scale = cost_scale;
    settings.discount = discount;
    const TrainingData<double> data(robot_data(4), settings, *on_cpu());
    Learner<double> learner(settings, data, on_cpu());
    const double before = learner.scalars().at("threshold");
    CHECK(before == Approx(threshold).epsilon(1e-7));  // the digits given above
    learner.advance();
    CHECK(learner.finish());
    CHECK(learner.scalars().at("threshold") == before);  // no quantile takes its place
  }
}

TEST_CASE("windows over a genuine end, and with timeouts as terminals over any end, have mask 0") {
  // Two episodes: seven rows with a genuine end, six with a timeout. Rewards 1, 2, 3, ...
  DsrlColumns columns{.rows = 13,
                      .observation_dim = 2,
                      .action_dim = 1,
                      .observations = std::vector<float>(26),
                      .next_observations = std::vector<float>(26),
                      .actions = std::vector<float>(13, 0.5f),
                      .rewards = {},
                      .costs = std::vector<float>(13, 1),
                      .terminals = std::vector<std::uint8_t>(13),
                      .timeouts = std::vector<std::uint8_t>(13),
                      .lost = {}};
  for (int i = 1; i <= 13; ++i) columns.rewards.push_back(static_cast<float>(i));
  columns.terminals[6] = columns.timeouts[12] = 1;
  for (const std::size_t end : {6u, 12u})
    columns.next_observations[2 * end] = columns.next_observations[2 * end + 1] = 9;
  Settings settings = small_settings();
  settings.chunk_length = 3;
  settings.discount = 0.5;
  for (const bool pad : {false, true})
    for (const bool timeouts : {false, true}) {
      settings.pad_terminals = pad;
      settings.timeouts = timeouts ? Timeouts::terminal : Timeouts::bootstrap;
      const TrainingData<double> data(make_dataset(columns, "two episodes", pad ? 3 : 1), settings,
                                      *on_cpu());
      // Starts 0 to 4, with padding also 5 and 6, and 7 to 10 in the second episode, which is never padded.
      std::vector<double> masks = {1, 1, 1, 1, 0};
      // 1 + 2/2 + 3/4 and so on; beyond the end there is neither reward nor cost nor action.
      std::vector<double> rewards = {2.75, 4.5, 6.25, 8, 9.75}, costs(5, 1.75), last_action(5, 0.5);
      if (pad) {
        masks.insert(masks.end(), {0, 0});
        rewards.insert(rewards.end(), {6 + 3.5, 7});
        costs.insert(costs.end(), {1.5, 1});
        last_action.insert(last_action.end(), {0, 0});
      }
      masks.insert(masks.end(), {1, 1, 1, timeouts ? 0.0 : 1.0});
      rewards.insert(rewards.end(), {15, 16.75, 18.5, 20.25});
      costs.insert(costs.end(), 4, 1.75);
      last_action.insert(last_action.end(), 4, 0.5);
      REQUIRE(data.windows() == masks.size());
      const int n = static_cast<int>(masks.size());
      Buffer<double> room(static_cast<std::size_t>(n) * 10);
      double* next = room.data();
      const auto view = [&](int cols) {
        const View<double> v{next, 0, 1, n, cols};
        next += n * cols;
        return v;
      };
      const View<double> actions = view(3), reward = view(1), cost = view(1), mask = view(1);
      const WindowBatch<double> batch{view(2), actions, view(2), reward, cost, mask};
      const std::uint32_t first = 0;
      run_rows<double>(GatherWindowsInOrder<double>{data.source(), &first, 0, batch}, n);
      for (int r = 0; r < n; ++r) {
        INFO("padding " << pad << ", timeouts " << timeouts << ", window " << r);
        const auto i = static_cast<std::size_t>(r);
        CHECK(mask.row(r)[0] == masks[i]);
        CHECK(reward.row(r)[0] == rewards[i]);
        CHECK(cost.row(r)[0] == costs[i]);
        CHECK(actions.row(r)[2] == last_action[i]);
      }
    }
}

TEST_CASE("the threshold is smoothed from the second step on") {
  Settings plain = small_settings(), smooth = small_settings();
  plain.learning_rate = smooth.learning_rate = 1e-12;  // the values stand still, only the batch changes
  smooth.threshold_ema = 0.75;
  const Dataset dataset = robot_data(4);
  const TrainingData<double> data(dataset, plain, *on_cpu());
  Learner<double> a(plain, data, on_cpu()), b(smooth, data, on_cpu());
  double expected = 0;
  for (int step = 0; step < 4; ++step) {
    a.advance();
    b.advance();
    expected = step == 0 ? a.scalars().at("threshold") : 0.75 * expected + 0.25 * a.scalars().at("threshold");
    // The learning rate moves weights by 1e-12 a step, values by some 1e-11.
    CHECK(b.scalars().at("threshold") == Approx(expected).epsilon(1e-9));
  }
}

TEST_CASE("behaviour cloning is the flow beside critics that nothing trains, bit for bit") {
  Settings settings = small_settings();
  settings.schedule = Schedule::sequential;
  settings.critic_steps = 0;
  settings.label_dropout = 1;
  const Dataset dataset = robot_data(4);
  const TrainingData<float> data(dataset, settings, *on_cpu());
  Learner<float> beside(settings, data, on_cpu());
  const std::vector<float> before = values_of(beside.networks().online);
  const std::vector<float> targets = values_of(beside.networks().follower);
  while (!beside.finished()) beside.advance();
  const std::vector<float> after = values_of(beside.networks().online);
  const Parameters<float>& online = beside.networks().online;
  const int first = beside.networks().members("velocity").group->layers.front().weight;
  const auto split = static_cast<std::ptrdiff_t>(entry_values(online, online.values(), 0, first).size());
  CHECK(std::equal(before.begin(), before.begin() + split, after.begin()));
  CHECK(!std::equal(before.begin() + split, before.end(), after.begin() + split));
  CHECK(values_of(beside.networks().follower) == targets);
  CHECK(find(beside.report(), "loss_flow") > 0);

  settings.method = "cloning";
  settings.critic_steps = -1;
  for (const Schedule schedule : {Schedule::sequential, Schedule::joint}) {
    settings.schedule = schedule;
    Learner<float> alone(settings, data, on_cpu());
    CHECK_FALSE(alone.networks().contains("q_r"));
    while (!alone.finished()) alone.advance();
    CHECK(values_of(alone.networks().online) == std::vector<float>(after.begin() + split, after.end()));
  }
}

TEST_CASE("safe chunks under a limit that nothing exceeds is R2PAC without a penalty, bit for bit") {
  Settings settings = small_settings();
  settings.penalty_reading = PenaltyReading::none;
  settings.threshold = Threshold::limit;
  settings.label_rule = LabelRule::allowed;
  const Dataset dataset = robot_data(4);
  for (const Schedule schedule : {Schedule::sequential, Schedule::joint})
    for (const double limit : {1e9, 0.0}) {
      settings.schedule = schedule;
      settings.cost_limit = limit;
      const TrainingData<float> data(dataset, settings, *on_cpu());
      const auto trained = [&](const char* method) {
        settings.method = method;
        Learner<float> learner(settings, data, on_cpu());
        while (!learner.finished()) learner.advance();
        return values_of(learner.networks().online);
      };
      CHECK((trained("safe-chunks") == trained("r2pac")) == (limit == 1e9));
    }
}

TEST_CASE("a one-step actor leaves critics and flow as they are, and comes near the flow's chunks") {
  Settings settings = small_settings();
  choose_allowed_method(settings, "safe-chunks");
  settings.distill_steps = 200;
  settings.learning_rate = 3e-3;
  const Dataset dataset = robot_data(4);
  for (const Schedule schedule : {Schedule::sequential, Schedule::joint}) {
    settings.schedule = schedule;
    settings.actor = ActorKind::flow;
    const TrainingData<float> data(dataset, settings, *on_cpu());
    Learner<float> flow(settings, data, on_cpu());
    while (!flow.finished()) flow.advance();
    settings.actor = ActorKind::one_step;
    Learner<float> learner(settings, data, on_cpu());
    CHECK(learner.method().stages.back().name == "one-step");
    const std::uint64_t before = flow.total_steps();
    CHECK(learner.total_steps() == before + (schedule == Schedule::sequential ? 200 : 0));
    while (learner.step() < before) learner.advance();
    const std::vector<float> of_flow = values_of(flow.networks().online);
    const auto same = [&] {  // the one-step network comes last
      const std::vector<float> mine = values_of(learner.networks().online);
      return std::equal(of_flow.begin(), of_flow.end(), mine.begin());
    };
    CHECK(same());
    if (schedule == Schedule::joint) continue;
    learner.advance();
    const double first = find(learner.report(), "loss_imitation");
    while (!learner.finished()) learner.advance();
    CHECK(same());
    CHECK(find(learner.report(), "loss_imitation") < 0.95 * first);
    CHECK(learner.stage() == "one-step");
  }
}

TEST_CASE("a budgeted training is the same for every limit, and so are its values for the same budget") {
  Settings settings = small_settings();
  choose_allowed_method(settings, "budgeted");
  settings.greatest_limit = 8;
  const Dataset dataset = robot_data(4);
  for (const Schedule schedule : {Schedule::sequential, Schedule::joint}) {
    settings.schedule = schedule;
    const auto trained = [&](double limit) {
      settings.cost_limit = limit;
      const TrainingData<float> data(dataset, settings, *on_cpu());
      Learner<float> learner(settings, data, on_cpu());
      while (!learner.finished()) learner.advance();
      REQUIRE(learner.finish());
      const Scalars scalars = learner.scalars();
      CHECK(scalars.at("threshold") * settings.greatest_limit ==
            Approx(scalars.at("greatest_budget") * limit));
      return values_of(learner.networks().online);
    };
    const std::vector<float> five = trained(5);
    CHECK(trained(0.5) == five);
    CHECK(trained(8) == five);
    settings.greatest_limit = 16;
    CHECK(trained(5) != five);
    settings.greatest_limit = 8;
  }
}

TEST_CASE("episodes kept aside are neither drawn nor counted") {
  Settings settings = small_settings();
  settings.normalize_observations = true;
  settings.hold_out = 0.5;
  const Dataset dataset = robot_data(4);
  const TrainingData<float> half(dataset, settings, *on_cpu());
  const std::vector<Episode> kept = training_episodes(dataset, settings);
  REQUIRE(kept.size() == 2);
  CHECK(half.windows() == 2 * 96);
  double sum = 0;
  for (const Episode& episode : kept)
    for (std::int64_t row = episode.first; row < episode.first + episode.length; ++row)
      sum += static_cast<double>(dataset.observations[static_cast<std::size_t>(row * 7)]);
  CHECK(static_cast<double>(half.normalization().mean[0]) == Approx(sum / 200));
}

TEST_CASE("the cost's value has an expectile of its own") {
  Settings settings = small_settings();
  settings.steps = 300;  // at first all residuals have one sign, and Adam's steps know no factor
  const Dataset dataset = robot_data(4);
  const TrainingData<float> data(dataset, settings, *on_cpu());
  const auto value_after = [&](const char* net, std::optional<double> cost_expectile) {
    settings.cost_expectile = cost_expectile;
    Learner<float> learner(settings, data, on_cpu());
    while (!learner.finished()) learner.advance();
    const auto members = learner.networks().members(net);
    const Parameters<float>& online = learner.networks().online;
    const std::vector<float> all = entry_values(online, online.values(), members.group->layers.back().bias);
    return all.at(static_cast<std::size_t>(members.first));
  };
  CHECK(value_after("v_c", settings.expectile) == value_after("v_c", std::nullopt));
  CHECK(value_after("v_c", 0.99) != value_after("v_c", std::nullopt));
  CHECK(value_after("v_c", 0.99) < value_after("v_c", 0.01));  // nearer to the least cost
}

TEST_CASE("a weighted flow whose weights are one is the cloning run, bit for bit") {
  Settings settings = small_settings();
  settings.method = "cloning";
  settings.label_dropout = 1;
  const Dataset dataset = robot_data(4);
  const TrainingData<float> data(dataset, settings, *on_cpu());
  Learner<float> cloning(settings, data, on_cpu());
  while (!cloning.finished()) cloning.advance();
  const std::vector<float> cloned = values_of(cloning.networks().online);

  settings.method = "r2pac";
  settings.actor = ActorKind::weighted_flow;
  settings.critic_steps = 0;  // so that both draw the same windows and noise
  const auto flow_after = [&](double temperature, Schedule schedule) {
    settings.advantage_temperature = temperature;
    settings.schedule = schedule;
    Learner<float> learner(settings, data, on_cpu());
    while (!learner.finished()) learner.advance();
    const Parameters<float>& online = learner.networks().online;
    return entry_values(online, online.values(),
                        learner.networks().members("velocity").group->layers.front().weight);
  };
  for (const Schedule schedule : {Schedule::sequential, Schedule::joint}) {
    CHECK(flow_after(0, schedule) == cloned);
    CHECK(flow_after(6, schedule) != cloned);
  }
}

TEST_CASE("observations are normalised by the data's mean and deviation") {
  Settings settings = small_settings();
  settings.normalize_observations = true;
  const Dataset dataset = robot_data(6);
  const TrainingData<double> data(dataset, settings, *on_cpu());
  const WindowSource<double>& source = data.source();
  const auto s = static_cast<std::size_t>(dataset.observation_dim);
  std::vector<double> sum(s), squares(s);
  std::vector<double> rows(static_cast<std::size_t>(dataset.stored_rows) * s);
  host_memory().copy_out(rows.data(), source.observations, rows.size() * sizeof(double));
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
      const Dataset dataset = robot_data(940);  // 94,000 rows of 7 and 2 numbers
      const TrainingData<float> data(dataset, settings, *on_cpu());
      Learner<float> learner(settings, data, cpu_device(2));
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
