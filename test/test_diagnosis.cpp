// `r2pac diagnose` against numbers that are computed here from the CSV file of `r2pac values`.
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/statistics.h"
#include "data/dataset.h"
#include "small_run.h"

using namespace r2pac;
using Json = nlohmann::json;

namespace {

/// The columns of a CSV file of numbers.
std::map<std::string, std::vector<double>> read_csv(const std::string& path) {
  std::istringstream in(content(path));
  std::string line, cell;
  std::getline(in, line);
  std::vector<std::string> names;
  for (std::istringstream head(line); std::getline(head, cell, ',');) names.push_back(cell);
  std::map<std::string, std::vector<double>> columns;
  while (std::getline(in, line)) {
    std::istringstream row(line);
    for (const std::string& name : names) {
      std::getline(row, cell, ',');
      columns[name].push_back(std::stod(cell));
    }
  }
  return columns;
}

}  // namespace

TEST_CASE("a diagnosis is what the values of all windows say") {
  const SmallRun f;
  REQUIRE(
      run_program(f.train({"--hold-out", "0.2", "--set", "alpha=0.6", "--set", "critic_steps=300"})).status ==
      0);
  const std::string picture = f.path("d.png"), file = f.path("d.json");
  const ProgramResult said =
      run_program({"diagnose", f.run, "--data", f.data, "-o", file, "--picture", picture});
  REQUIRE(said.status == 0);
  const Json d = Json::parse(content(file));
  CHECK(Json::parse(run_program({"diagnose", f.run, "--data", f.data, "--json"}).out) == d);
  CHECK(content(picture).substr(1, 3) == "PNG");
  REQUIRE(d["findings"].size() >= 1);
  for (const Json& finding : d["findings"]) {
    CHECK_FALSE(finding["advice"].get<std::string>().empty());
    CHECK(said.out.find(finding["sentence"].get<std::string>()) != std::string::npos);
  }

  REQUIRE(run_program({"values", f.run, "--data", f.data, "-o", f.path("v.csv")}).status == 0);
  const auto v = read_csv(f.path("v.csv"));
  const Dataset data = load_dataset(f.data);
  const std::vector<bool> held = held_out_episodes(data.episodes.size(), 0.2);
  const std::vector<double> costs = episode_sums(data.episodes, data.costs);
  std::vector<double> advantage, reward, cost_advantage, v_held, realized_held;
  double good = 0, safe = 0;
  for (std::size_t i = 0; i < v.at("episode").size(); ++i) {
    const auto e = static_cast<std::size_t>(v.at("episode")[i]);
    const auto step = static_cast<std::int64_t>(v.at("step")[i]);
    const Episode& episode = data.episodes[e];
    const auto at = [&](const std::vector<float>& of, std::int64_t t) {
      return static_cast<double>(of[static_cast<std::size_t>(episode.first + t)]);
    };
    if (held[e]) {
      double realized = 0;
      for (std::int64_t t = episode.length - 1; t >= step; --t)
        realized = at(data.costs, t) + 0.99 * realized;
      v_held.push_back(v.at("v_c")[i]);
      realized_held.push_back(realized);
      continue;
    }
    safe += v.at("safe")[i], good += v.at("safe")[i] * v.at("label")[i];
    if (v.at("safe")[i] == 0 || step + 5 > 95 || v.at("safe")[i + 5] == 0) continue;
    advantage.push_back(v.at("q_r")[i] - v.at("v_r")[i]);
    cost_advantage.push_back(v.at("q_c")[i] - v.at("v_c")[i]);
    double sum = 0;
    for (int k = 4; k >= 0; --k) sum = at(data.rewards, step + k) + 0.99 * sum;
    reward.push_back(sum);
  }
  REQUIRE(advantage.size() > 100);
  const auto number = [&](const char* name) { return d[name].get<double>(); };
  CHECK(d["windows"] == 24 * 96);
  CHECK(d["judged"] == advantage.size());
  // The CSV's numbers have nine digits; differences of like ones have some fewer.
  CHECK(number("advantage_spread") == Approx(standard_deviation(advantage)).epsilon(1e-4));
  CHECK(number("chunk_reward_spread") == Approx(standard_deviation(reward)).epsilon(1e-6));
  CHECK(number("correlation_advantage_reward") == Approx(correlation(advantage, reward)).margin(1e-3));
  CHECK(number("correlation_advantage_cost_advantage") ==
        Approx(correlation(advantage, cost_advantage)).margin(1e-3));
  CHECK(number("good_share") == Approx(good / safe).epsilon(1e-9));
  CHECK(d["held_out"]["episodes"] == 6);
  CHECK(d["held_out"]["windows"] == v_held.size());
  CHECK(d["held_out"]["v_c_correlation"].get<double>() ==
        Approx(correlation(v_held, realized_held)).margin(1e-4));
  std::size_t in_groups = 0;
  for (const Json& group : d["training"]["groups"]) in_groups += group["windows"].get<std::size_t>();
  CHECK(in_groups == 24 * 96);
}

TEST_CASE("a diagnosis of what has no critics, and of other data, is refused") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--method", "cloning"})).status == 0);
  const ProgramResult cloning = run_program({"diagnose", f.run, "--data", f.data});
  CHECK(cloning.status == 2);
  CHECK(cloning.err.find("cloning") != std::string::npos);
  REQUIRE(run_program(f.train({"--out", f.path("r2pac")})).status == 0);
  const ProgramResult whole = run_program({"diagnose", f.path("r2pac"), "--data", f.data, "--json"});
  REQUIRE(whole.status == 0);
  CHECK(Json::parse(whole.out)["held_out"].is_null());
  CHECK(run_program({"diagnose", f.path("r2pac"), "--data", f.path("none.hdf5")}).status == 3);
  const ProgramResult drawn = run_program(
      {"diagnose", f.path("r2pac"), "--data", f.data, "-o", f.path("d.json"), "--picture", f.path("d.svg")});
  CHECK(drawn.status == 2);
  CHECK(drawn.err.find("ends in none of .png, .pdf") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(f.path("d.json")));
}
