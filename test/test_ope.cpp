// `r2pac ope` on the built-in robot: its estimates against episodes that the policies drive, what it writes,
// and what it refuses.
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "data_support.h"
#include "engine/device.h"
#include "envs/reach_avoid.h"
#include "small_run.h"
#include "tools/scoring.h"

namespace r2pac {
namespace {

struct Sums {
  double reward = 0, cost = 0;
};

/// Means over episodes of the robot that the policy drives, discounted. 400 episodes: standard errors of some
/// 2 %.
Sums driven(const std::string& run, double discount) {
  constexpr int kEpisodes = 400;
  const Policy policy = Policy::load(run, cpu_device(1));
  Sampler<float> sampler = policy.sampler(policy.sampler_options());
  const BatchPolicy act = acting_policy(sampler, policy.dimensions(), 0);
  ReachAvoid robot(kEpisodes);
  robot.reset(17, 0);
  std::vector<std::int64_t> episodes(kEpisodes);
  for (std::size_t e = 0; e < kEpisodes; ++e) episodes[e] = static_cast<std::int64_t>(e);
  std::vector<double> spent(kEpisodes);
  std::vector<float> actions(kEpisodes * reach_avoid::kActionDim);
  Sums sums;
  double weight = 1.0 / kEpisodes;
  for (int t = 0; t < reach_avoid::kEpisodeSteps; ++t, weight *= discount) {
    act(robot.observations(), episodes, std::vector<int>(kEpisodes, t), spent, actions);
    robot.step(actions);
    for (std::size_t e = 0; e < kEpisodes; ++e) {
      sums.reward += weight * robot.rewards()[e];
      sums.cost += weight * robot.costs()[e];
      spent[e] += robot.costs()[e];
    }
  }
  return sums;
}

nlohmann::json judged(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "ope");
  arguments.insert(arguments.end(), {"--json", "--threads", "1"});
  const ProgramResult result = run_program(arguments);
  CAPTURE(result.err);
  REQUIRE(result.status == 0);
  return nlohmann::json::parse(result.out);
}

}  // namespace

TEST_CASE("what policies would earn and cost on the robot is estimated from the data alone") {
  const SmallRun f;
  const std::string data = f.path("more.hdf5");
  REQUIRE(
      run_program({"data", "make", "reach-avoid", "-o", data, "--episodes", "200", "--seed", "5"}).status ==
      0);
  const auto train = [&](const char* method, const char* limit) {
    const std::string run = f.path(method);
    REQUIRE(
        run_program({"train", "--data", data, "--method", method, "--hidden", "64,64", "--batch", "256",
                     "--steps", "3000", "--set", std::string("cost_limit=") + limit, "--out", run, "--quiet"})
            .status == 0);
    return run;
  };
  const std::string reckless = train("bc", "5"), careful = train("bc-safe", "5");
  Sums estimated[2], truth[2];
  double far[2];
  int i = 0;
  for (const std::string& run : {reckless, careful}) {
    const auto json = judged({run, "--data", data, "--hidden", "64,64", "--members", "4"});
    truth[i] = driven(run, json["discount"]);
    estimated[i] = {json["policy_return"]["mean"], json["policy_cost"]["mean"]};
    CAPTURE(run, json.dump());
    // Small networks and 200 episodes: a seventh of the return of some 5. A cost counts steps in a hazard,
    // whose edge is sharp: a third of the reckless driver's 9.
    CHECK(estimated[i].reward == Approx(truth[i].reward).margin(0.75));
    CHECK(estimated[i].cost == Approx(truth[i].cost).margin(3));
    for (const auto& [name, value] :
         {std::pair{"policy_return", truth[i].reward}, {"policy_cost", truth[i].cost}}) {
      CHECK(json[name]["interval"][0] <= value);
      CHECK(json[name]["interval"][1] >= value);
    }
    far[i] = json["far_action_share"];
    CHECK(json["horizon"] == 100);
    // Eq. 42 by hand: kappa 5 over 100 steps at a discount of 0.99.
    CHECK(json["limit"].get<double>() == Approx(5 * (1 - std::pow(0.99, 100)) / (0.01 * 100)));
    ++i;
  }
  // The reckless one does as the drivers do on average. The careful one learned from those that keep the
  // limit, often the mean of two ways.
  CHECK(far[0] < 0.2);
  CHECK(far[1] > far[0]);
  CHECK(truth[0].cost > truth[1].cost + 5);
  CHECK(estimated[0].cost > estimated[1].cost + 5);
}

TEST_CASE("ope says in words and in a file what it found, with the same bits for any number of threads") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--method", "safe-chunks"})).status == 0);  // which keeps a budget
  const std::vector<std::string> quick = {"ope",       f.run, "--data",   f.data, "--episodes", "10",
                                          "--members", "4",   "--hidden", "16",   "--steps",    "60"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), quick.begin(), quick.end());
    return run_program(more);
  };
  const std::string out = f.path("ope.json");
  const ProgramResult said = with({"-o", out});
  REQUIRE(said.status == 0);
  for (const char* part : {"return ", "cost ", "limit ", "10 episodes", "transitions a second", "farther"})
    CHECK(said.out.find(part) != std::string::npos);
  const auto json = nlohmann::json::parse(content(out));
  CHECK(json["format"] == "r2pac-ope-1");
  CHECK(json["episodes"] == 10);
  CHECK(json["rows"] == 1000);
  CHECK(nlohmann::json::parse(with({"--json", "--threads", "3"}).out) == json);
  CHECK(nlohmann::json::parse(with({"--json", "--seed", "1"}).out) != json);
  const auto half = nlohmann::json::parse(with({"--json", "--horizon", "50"}).out);
  CHECK(half["rows"] == 500);
  CHECK(half["data_return_sum"] < json["data_return_sum"]);
}

TEST_CASE("ope refuses data that cannot judge a policy") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--method", "bc"})).status == 0);
  const auto refused = [&](const std::string& data, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"ope", f.run, "--data", data, "--steps", "10"});
    return run_program(more);
  };
  const auto written = [&](const char* name, const DsrlColumns& columns) {
    write_dsrl(f.path(name), columns);
    return f.path(name);
  };
  constexpr int kObservation = reach_avoid::kObservationDim;
  const ProgramResult widths = refused(written("widths.hdf5", make_columns({{20, false}, {20, false}})));
  CHECK(widths.status == 3);
  CHECK(widths.err.find("observations of 3") != std::string::npos);
  const ProgramResult no_end =
      refused(written("no_end.hdf5", make_columns({{40, false, false}}, kObservation)));
  CHECK(no_end.status == 3);
  CHECK(no_end.err.find("one episode") != std::string::npos);
  DsrlColumns columns = make_columns({{20, false}, {20, false}}, kObservation);
  columns.rewards[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK(refused(written("nan.hdf5", columns)).status == 3);
  CHECK(refused(f.path("none.hdf5")).status == 3);
  CHECK(refused(f.data, {"--members", "1"}).status == 2);
  CHECK(refused(f.data, {"--discount", "1"}).status == 2);
  CHECK(refused(f.data, {"-o", f.data}).status == 2);
  CHECK(refused(f.data, {"-o", f.path("no/folder.json")}).status == 8);
  CHECK(run_program({"ope", f.data, "--data", f.data}).status == 5);
}

}  // namespace r2pac
