// Calibrated bounds: the rule on numbers worked by hand, its promise on the built-in robot's kind of chance,
// and the command that moves a policy's bound.
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/philox.h"
#include "data/dataset.h"
#include "small_run.h"
#include "training/calibration.h"

using namespace r2pac;

TEST_CASE("a bound is the last of those that pass from the least cost on") {
  CHECK(chunks_needed(0.1) == 9);
  CHECK(chunks_needed(0.25) == 3);
  CHECK(chunks_needed(0.3) == 3);
  // Of limit 1: four hits at 0.1 .. 0.4, a miss at 0.5, hits at 0.6 .. 0.9, then misses.
  std::vector<CalibrationUnit> units;
  for (const auto& [q, realized] : {std::pair{0.9, 1.0},
                                    {0.1, 0.0},
                                    {0.5, 2.0},
                                    {0.3, 0.0},
                                    {0.2, 1.0},
                                    {0.6, 0.0},
                                    {0.4, 0.5},
                                    {0.8, 0.0},
                                    {0.7, 0.0},
                                    {1.0, 3.0},
                                    {1.1, 3.0}})
    units.push_back({q, realized});
  // At a quarter: 3 units want (0 + 1) / 4; 0.5 has (1 + 1) / 6 and fails, which ends the search.
  const auto quarter = calibrated_bound(units, 1, 0.25);
  REQUIRE(quarter.has_value());
  CHECK(quarter->bound == 0.4);
  CHECK(quarter->chunks == 4);
  CHECK(quarter->covered == 4);
  const auto third =
      calibrated_bound(units, 1, 1.0 / 3);  // 0.9: (1 + 1) / 10; 1.0: (2 + 1) / 11; 1.1: (3 + 1) / 12
  REQUIRE(third.has_value());
  CHECK(third->bound == 1.1);
  CHECK(third->chunks == 11);
  CHECK(third->covered == 8);
  CHECK_FALSE(calibrated_bound(units, 1, 0.1).has_value());  // 9 units, one of them a miss
  CHECK_FALSE(calibrated_bound({}, 1, 0.5).has_value());
  units.push_back({0.4, 9.0});  // of equal Q_c all count: 5 units, one miss
  CHECK(calibrated_bound(units, 1, 0.25)->bound == 0.3);
}

TEST_CASE("a new chunk below the bound misses no more often than was promised") {
  // Q_c is a noisy view of the cost to come, as critics' is. Over many data sets of 60 episodes the mean miss
  // rate of new chunks below the bound is at most the promised one, but for chance: its standard error is
  // some 0.002.
  const auto draw = [](std::uint64_t set, std::uint32_t i) {
    const double cost = std::exp(static_cast<double>(random_normal(11, Purpose::test, set, i, 0))),
                 noise = static_cast<double>(random_normal(11, Purpose::test, set, i, 1));
    return CalibrationUnit{cost + 0.5 * noise, cost};
  };
  double misses = 0, sets = 0;
  for (std::uint64_t set = 0; set < 3000; ++set) {
    std::vector<CalibrationUnit> units;
    for (std::uint32_t i = 0; i < 60; ++i) units.push_back(draw(set, i));
    const auto bound = calibrated_bound(units, 1, 0.2);
    if (!bound) continue;
    double below = 0, beyond = 0;
    for (std::uint32_t i = 60; i < 360; ++i) {
      const CalibrationUnit unit = draw(set, i);
      if (unit.q_cost <= bound->bound) ++below, beyond += unit.realized > 1;
    }
    if (below > 0) misses += beyond / below, ++sets;
  }
  REQUIRE(sets > 1000);
  CHECK(misses / sets < 0.2 + 0.01);
  CHECK(misses / sets > 0.05);  // and it is not idle caution
}

TEST_CASE("calibrate moves a policy's bound, says what it rests on, and leaves the file where it cannot") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--hold-out", "0.5", "--method", "safe-chunks", "--set", "critic_steps=300",
                               "--set", "cost_limit=40"}))
              .status == 0);
  const std::string out = f.path("moved.safetensors");
  const ProgramResult moved =
      run_program({"calibrate", f.run, "--data", f.data, "--miss-rate", "0.3", "-o", out});
  REQUIRE(moved.status == 0);
  CHECK(moved.out.find("kept aside: 15 episodes") != std::string::npos);
  REQUIRE(moved.out.find("calibrated: region_bound") != std::string::npos);
  const ProgramResult scored =
      run_program({"eval", out, "--env", "reach-avoid", "--episodes", "1", "--json"});
  REQUIRE(scored.status == 0);
  const double bound = nlohmann::json::parse(scored.out)["threshold"].get<double>();
  const std::string printed = moved.out.substr(moved.out.find("region_bound ") + 13);
  constexpr double kBoundScale = 0.25;  // of safe chunks, which act within that share of it
  CHECK(bound == Approx(kBoundScale * std::stod(printed)).epsilon(1e-3));  // printed with four digits

  const std::string before = content(f.run + "/policy.safetensors");
  const ProgramResult strict = run_program({"calibrate", f.run, "--data", f.data, "--miss-rate", "0.01"});
  CHECK(strict.status == 0);
  CHECK(strict.out.find("stays as it is") != std::string::npos);
  CHECK(content(f.run + "/policy.safetensors") == before);

  REQUIRE(run_program(f.train({"--out", f.path("whole")})).status == 0);
  const ProgramResult whole = run_program({"calibrate", f.path("whole"), "--data", f.data});
  CHECK(whole.status == 2);
  CHECK(whole.err.find("--hold-out") != std::string::npos);
}

TEST_CASE("one training serves several limits") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--method", "safe-chunks"})).status == 0);
  const std::string picture = f.path("frontier.png");
  const ProgramResult said = run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "2",
                                          "--cost-limit", "0.5,5,20", "--picture", picture});
  REQUIRE(said.status == 0);
  CHECK(said.out.find("does not know the limit") == std::string::npos);
  CHECK(content(picture).substr(1, 3) == "PNG");

  // A panel for each limit in a moving picture, of the built-in robot alone.
  const std::string gif = f.path("limits.gif");
  REQUIRE(run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "2", "--cost-limit", "0.5,5",
                       "--gif", gif, "-o", f.path("two.json")})
              .status == 0);
  CHECK(content(gif).substr(0, 6) == "GIF89a");
  CHECK(run_program({"eval", f.run, "--gif", f.path("x.png")}).status == 2);
  CHECK(run_program({"eval", f.run, "--env", "cmd:true", "--episodes", "1", "--gif", gif}).status != 0);
  const auto json = nlohmann::json::parse(content(f.run + "/frontier.json"));
  REQUIRE(json["scores"].size() == 3);
  const auto bound = [&](std::size_t i) { return json["scores"][i]["threshold"].get<double>(); };
  CHECK(json["scores"][0]["cost_limit"] == 0.5);
  CHECK(bound(1) == Approx(10 * bound(0)));
  CHECK(bound(2) == Approx(4 * bound(1)));
  // The score at the trained limit is the plain one.
  REQUIRE(run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "2"}).status == 0);
  CHECK(nlohmann::json::parse(content(f.run + "/eval.json"))["rows"] == json["scores"][1]["rows"]);

  REQUIRE(run_program(f.train({"--out", f.path("r2pac")})).status == 0);
  CHECK(
      run_program({"eval", f.path("r2pac"), "--env", "reach-avoid", "--episodes", "1", "--cost-limit", "1,2"})
          .out.find("does not know the limit") != std::string::npos);
  CHECK(run_program({"eval", f.run, "--env", "reach-avoid", "--cost-limit", "1,-2"}).status == 2);
}
