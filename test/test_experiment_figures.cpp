// The figures and the table of times of an experiment, from run folders and scores as jobs leave them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "data_support.h"
#include "experiment/figures.h"
#include "experiment/record.h"
#include "experiment/report.h"
#include "experiment/value_maps.h"
#include "failure.h"
#include "report/curves.h"
#include "report/names.h"
#include "scores_json.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// A table without what pads its columns.
std::string unpadded(std::string text) {
  const auto end = std::unique(text.begin(), text.end(), [](char a, char b) { return a == ' ' && b == ' '; });
  text.erase(end, text.end());
  return text;
}

/// A plan of two variants on two tasks with two seeds, whose folders are written by hand.
struct HandMade {
  ScratchFolder folder;
  Plan plan{"sweep", "Figure <4>", "mini", "sweep", {}, {}};
  fs::path out = folder.path / "sweep-mini";

  explicit HandMade(const std::string& report) {
    plan.report = report;
    fs::create_directories(out);
    for (const std::string task : {"BallRun", "CarRun"})
      for (const std::string column : {"alpha = 0.2", "ours"})
        for (const int seed : {0, 1}) {
          const std::string id = task + column + std::to_string(seed);
          Job train, score;
          train.kind = "train";
          score.kind = "score";
          train.id = "train " + id;
          score.id = "score " + id;
          train.record = (folder.path / "jobs" / (train.id + ".json")).string();
          score.record = (folder.path / "jobs" / (score.id + ".json")).string();
          train.outputs = {(run(task, column, seed) / "policy.safetensors").string()};
          score.outputs = {(run(task, column, seed) / "eval-1.json").string()};
          plan.cells.push_back({task, "Bullet", column, seed, train.id, score.id});
          plan.jobs.push_back(train);
          plan.jobs.push_back(score);
        }
  }
  fs::path run(const std::string& task, const std::string& column, int seed) const {
    return folder.path / "runs" / task / column / std::to_string(seed);
  }
  /// A run with two scores on the way, of these returns and costs.
  void begin(const std::string& task, const std::string& column, int seed, double reward, double cost,
             const std::string& processor = "a processor") const {
    const fs::path place = run(task, column, seed);
    write(place / "config.toml", settings_toml(resolve_settings({"", "", {}, {{"task", task}}})));
    const auto line = [](int step, double r, double c) {
      return "{\"step\":" + std::to_string(step) + ",\"normalized_return\":" + std::to_string(r) +
             ",\"normalized_cost\":" + std::to_string(c) + "}\n";
    };
    write(place / "evaluations.jsonl", line(1000, reward / 2, 2 * cost) + line(2000, reward, cost));
    write(place / "metrics.jsonl", "{\"step\":1,\"q_r\":0.5,\"q_c\":0.25}\n{\"step\":1000,\"q_r\":7}\n");
    write(place / "manifest.json",
          "{\"version\":\"1\",\"commit\":\"abc\",\"arguments\":[\"r2pac\",\"train\"],\"machine\":{"
          "\"processor\":"
          "\"" +
              processor +
              "\",\"device_description\":\"CPU\"},\"history\":[{\"status\":\"finished\"}],\"data\":{\"path\":"
              "\"d.hdf5\",\"fingerprint\":\"f\"},\"effort\":{\"steps\":2000,\"seconds\":" +
              std::to_string(30 + 10 * seed) +
              ",\"scoring_seconds\":4,\"gflop_per_step\":0.5,\"host_bytes\":" +
              std::to_string((seed + 1) << 20) + ",\"device_bytes\":null}}");
  }
  void finish(const std::string& task, const std::string& column, int seed, double reward,
              double cost) const {
    nlohmann::json json = scores_json(task, seed, {100 * reward}, {5 * cost});
    write(run(task, column, seed) / "eval-1.json", json.dump());
    for (const Job& job : plan.jobs)
      if (job.id == "score " + task + column + std::to_string(seed)) {
        fs::create_directories(fs::path(job.record).parent_path());
        write_record(job, {job.id, "done", 0, "", ""});
      }
  }
};

}  // namespace

TEST_CASE("a band is the mean and one deviation, over the steps that all seeds have") {
  TrainingRun a, b;
  a.curves["x"] = {{1000, 1}, {2000, 5}, {3000, 9}};
  b.curves["x"] = {{1000, 3}, {3000, 9}};
  const Band band = band_over({&a, &b}, "x", Spread::deviation);
  REQUIRE(band.size() == 2);
  CHECK(band[0].x == 1);
  CHECK(band[0].mean == 2);
  CHECK(band[0].low == Approx(2 - std::sqrt(2.0)));
  CHECK(band[0].high == Approx(2 + std::sqrt(2.0)));
  CHECK(band[1].low == 9);
  const Band range = band_over({&a, &b}, "x", Spread::range);
  CHECK(range[0].low == 1);
  CHECK(range[0].high == 3);
  CHECK(band_over({&a, &b}, "y", Spread::range).empty());
  CHECK(band_over({}, "x", Spread::range).empty());
}

TEST_CASE("an axis of costs has room for 0 and 100, and its limit is at 1") {
  CHECK(cost_height(0) == 0);
  CHECK(cost_height(-3) == 0);  // where a deviation is greater than the mean
  CHECK(cost_height(0.5) == 0.5);
  CHECK(cost_height(1) == 1);
  CHECK(cost_height(100) == Approx(3));
  for (double cost = 0.01; cost < 1000; cost *= 1.3) CHECK(cost_height(cost) < cost_height(1.1 * cost));
}

TEST_CASE("a method has one look whoever stands beside it, and R2PAC that of ours") {
  CHECK(looks_of({"R2PAC", "BC", "CPQ"}) == std::vector<std::size_t>{0, 2, 4});
  CHECK(looks_of({"CPQ", "R2PAC"}) == std::vector<std::size_t>{4, 0});
  CHECK(looks_of({"CAPS"}).front() == looks_of({"FISOR", "CDT", "R2PAC", "CAPS"}).back());
  CHECK(looks_of({"w/o V_c", "AWR actor", "ours"}) == std::vector<std::size_t>{1, 2, 0});
  CHECK(looks_of({"h = 1", "h = 3"}) == std::vector<std::size_t>{0, 1});
  // More names than colours differ in something else.
  std::vector<std::string> names, styles;
  for (int i = 0; i < 12; ++i) names.push_back("variant " + std::to_string(i));
  for (const std::size_t look : looks_of(names)) styles.push_back(line_style(look));
  std::ranges::sort(styles);
  CHECK(std::ranges::adjacent_find(styles) == styles.end());
}

TEST_CASE("legends have words for people") {
  CHECK(variant_name("r2pac", {}) == "R2PAC");
  CHECK(variant_name("coptidice", {"method=coptidice"}) == "COptiDICE");
  CHECK(variant_name("r2pac", {"chunk_length=5", "alpha=preset", "label_rule=reward"}) ==
        "R2PAC, h = 5, alpha of the task, label rule = reward");
}

TEST_CASE("a sweep has curves and bars for each task and variant, of what is there") {
  const HandMade f("sweep");
  CHECK(experiment_pictures(f.plan, method_curves(f.plan)).empty());  // nothing has begun
  for (const int seed : {0, 1}) {
    f.begin("BallRun", "alpha = 0.2", seed, 0.2 + 0.2 * seed, 3);
    f.finish("BallRun", "alpha = 0.2", seed, 0.2 + 0.2 * seed, 0.1 + 3 * seed);
  }
  f.begin("BallRun", "ours", 0, 0.5, 120);
  const MethodCurves curves = method_curves(f.plan);
  CHECK(curves.columns == std::vector<std::string>{"alpha = 0.2", "ours"});
  REQUIRE(curves.tasks.size() == 2);
  const MethodRuns& runs = curves.tasks[0].columns[0];
  CHECK(runs.runs.size() == 2);
  CHECK(runs.returns == std::vector{0.2, 0.4});
  CHECK(runs.costs == std::vector{0.1, 3.1});
  CHECK(curves.tasks[0].columns[1].returns.empty());

  const std::optional<Chart> chart = sweep_chart(curves);
  REQUIRE(chart);
  CHECK(chart->title == "Figure <4> (size mini): mean ± standard deviation of 1 to 2 training seeds");
  CHECK(chart->looks == std::vector<std::size_t>{1, 0});
  REQUIRE(chart->panels.size() == 4);  // CarRun has nothing
  CHECK(chart->panels[0].lines[0][1].mean == Approx(0.3));
  CHECK(chart->panels[0].lines[0][1].low == Approx(0.3 - std::sqrt(0.02)));
  CHECK(chart->panels[1].lines[1][1].mean == Approx(120));
  CHECK((chart->panels[1].limit && chart->panels[1].cost));
  REQUIRE(chart->panels[2].bars.size() == 2);
  CHECK(chart->panels[2].bars[0]->mean == Approx(0.3));
  CHECK_FALSE(chart->panels[2].bars[1]);
  CHECK(chart->panels[3].bars[0]->low < 0);
  CHECK((chart->panels[3].limit && chart->panels[3].cost));

  const std::vector<std::string> files = draw_experiment(f.plan, f.out.string()).files;
  CHECK(files == std::vector<std::string>{"sweep.png", "sweep.pdf"});
  CHECK(bytes_of_file(f.out / "sweep.png").starts_with("\x89PNG"));
  CHECK(bytes_of_file(f.out / "sweep.pdf").starts_with("%PDF-"));
}

TEST_CASE("a grid of curves has the tasks as columns, return above cost") {
  const HandMade f("curves");
  for (const std::string task : {"BallRun", "CarRun"})
    for (const int seed : {0, 1}) f.begin(task, "ours", seed, 0.5, 0.5);
  const std::optional<Chart> chart = curve_grid(method_curves(f.plan));
  REQUIRE(chart);
  CHECK(chart->columns == 2);
  REQUIRE(chart->panels.size() == 4);
  CHECK(chart->panels[0].title == "BallRun");
  CHECK(chart->panels[1].title == "CarRun");
  CHECK(chart->panels[0].y_label == "normalised return");
  CHECK((chart->panels[2].limit && chart->panels[3].limit));
  CHECK(draw_experiment(f.plan, f.out.string()).files.front() == "curves.png");

  // More tasks than stand side by side: the second row of tasks begins below the first row's costs.
  MethodCurves many = method_curves(f.plan);
  while (many.tasks.size() < 8) many.tasks.push_back(many.tasks[0]);
  many.tasks.push_back({"nothing yet", std::vector<MethodRuns>(2)});
  const std::optional<Chart> wide = curve_grid(many);
  REQUIRE(wide);
  CHECK(wide->columns == 6);
  CHECK(wide->panels.size() == 24);
  CHECK(wide->panels[12].y_label == "normalised return");
  CHECK_FALSE(has_points(wide->panels[14]));
  CHECK_FALSE(curve_grid({"t", {"ours"}, {{"BallRun", std::vector<MethodRuns>(1)}}}));
}

TEST_CASE("curves of critics are those of the metrics") {
  const HandMade f("q-curves");
  f.begin("BallRun", "ours", 0, 0.5, 0.5);
  const std::optional<Chart> chart = critic_chart(method_curves(f.plan));
  REQUIRE(chart);
  REQUIRE(chart->panels.size() == 2);
  CHECK(chart->panels[0].lines[1].size() == 2);
  CHECK(chart->panels[0].lines[1][1].mean == 7);
  CHECK(chart->panels[1].lines[1].size() == 1);
  CHECK(draw_experiment(f.plan, f.out.string()).files.front() == "q-curves.png");
}

TEST_CASE("a picture of the data needs no run, and leaves out what is not there") {
  HandMade f("composition");
  CHECK(experiment_pictures(f.plan, method_curves(f.plan)).empty());
  const std::string file = f.folder / "SafetyBallRun-v0-80-940.hdf5";
  write_dsrl(file, make_columns({{12, false}, {9, true}}, 7, 2, 1));
  for (Job& job : f.plan.jobs)
    if (job.kind == "train")
      job.argv = {"r2pac",   "train",  "--task",
                  "BallRun", "--data", job.id.starts_with("train Ball") ? file : f.folder / "none.hdf5"};
  const std::vector<std::string> files = draw_experiment(f.plan, f.out.string()).files;
  CHECK(files == std::vector<std::string>{"composition.png", "composition.pdf"});
  CHECK(bytes_of_file(f.out / "composition.png").starts_with("\x89PNG"));
}

TEST_CASE("a map of values needs a finished run without the penalty and one with it, of one seed") {
  HandMade f("umap");
  for (Job& job : f.plan.jobs) job.argv = {"r2pac", job.kind, "--data", "ball.hdf5"};
  const auto finish = [&](const std::string& column, int seed, const std::string& penalty) {
    f.begin("BallRun", column, seed, 0.5, 0.5);
    const fs::path run = f.run("BallRun", column, seed);
    const ResolvedSettings settings = resolve_settings({"", "", {}, {{"penalty_reading", penalty}}});
    write(run / "config.toml", settings_toml(settings));
    write(run / "policy.safetensors", "");
    for (const Job& job : f.plan.jobs)
      if (job.id == "train BallRun" + column + std::to_string(seed)) {
        fs::create_directories(fs::path(job.record).parent_path());
        write_record(job, {job.id, "done", 0, "", ""});
      }
  };
  finish("alpha = 0.2", 0, "none");
  finish("ours", 1, "absorbing");
  CHECK(value_maps(f.plan).maps.empty());
  const std::vector<std::string> missing = value_maps(f.plan).missing;
  REQUIRE(missing.size() == 2);
  CHECK(has(missing[0], "BallRun: no seed has a finished training"));
  CHECK(has(missing[1], "CarRun"));

  finish("alpha = 0.2", 1, "none");
  ValueMaps maps = value_maps(f.plan);
  REQUIRE(maps.maps.size() == 1);
  CHECK(maps.maps[0].task == "BallRun");
  CHECK(maps.maps[0].plain == f.run("BallRun", "alpha = 0.2", 1).string());
  CHECK(maps.maps[0].penalised == f.run("BallRun", "ours", 1).string());
  CHECK(maps.maps[0].data == "ball.hdf5");
  CHECK(draw_value_maps(maps, f.out.string(), "").empty());
  REQUIRE(maps.missing.size() == 2);
  CHECK(has(maps.missing[1], "./setup.sh --umap"));
  CHECK(has(failure([&] { draw_value_maps(maps, f.out.string(), "/bin/false"); }), "the map of BallRun"));
  CHECK(draw_value_maps(maps, f.out.string(), "/bin/true") ==
        std::vector<std::string>{"umap-BallRun.png", "umap-BallRun.pdf"});
}

TEST_CASE("a table of times has a row for each method and machine, and says what is scaled") {
  const HandMade f("timing");
  for (const int seed : {0, 1}) f.begin("BallRun", "ours", seed, 0.5, 0.5);
  f.begin("BallRun", "alpha = 0.2", 0, 0.5, 0.5);
  f.begin("BallRun", "alpha = 0.2", 1, 0.5, 0.5, "another | processor");
  const std::vector<TimingRow> rows = experiment_timing(f.plan, method_curves(f.plan));
  REQUIRE(rows.size() == 3);
  CHECK(rows[2].name == "ours");
  CHECK(rows[2].seeds == 2);
  CHECK(rows[2].seconds == 35);  // of 30 and 40
  CHECK(rows[2].steps == 2000);
  CHECK(rows[2].host_bytes == 2 << 20);
  CHECK_FALSE(rows[2].device_bytes);
  const ExperimentTables tables = write_experiment_tables(f.plan, f.out.string());
  CHECK(tables.files.back() == "timing.csv");
  CHECK(has(tables.markdown, bytes_of_file(f.out / "timing.md")));
  const std::string markdown = bytes_of_file(f.out / "timing.md");
  CHECK(has(unpadded(markdown), "| 2 | 2000 | 35.0 s | 4.0 s | 17.50 | 0.5 | 28.6 | 2 MiB | - | ≈ 4.9 h |"));
  CHECK(has(markdown, "another \\| processor; CPU"));
  CHECK(has(markdown, "The last column is not measured"));
  CHECK(has(bytes_of_file(f.out / "timing.tex"), "$\\approx$ 4.9 h"));
  CHECK(has(bytes_of_file(f.out / "timing.csv"),
            "\nBallRun,ours,\"a processor; CPU\",2,2000,35,4,0.5,2097152,,17500\n"));
}

TEST_CASE("a manifest with a fault is refused by its key, one of an early version has no times") {
  const HandMade f("timing");
  f.begin("BallRun", "ours", 0, 0.5, 0.5);
  const fs::path manifest = f.run("BallRun", "ours", 0) / "manifest.json";
  const nlohmann::json good = nlohmann::json::parse(bytes_of_file(manifest));
  const auto complaint = [&](const char* pointer, const nlohmann::json& value) {
    nlohmann::json json = good;
    json[nlohmann::json::json_pointer(pointer)] = value;
    write(manifest, json.dump());
    return failure([&] { method_curves(f.plan); });
  };
  CHECK(has(complaint("/effort/seconds", -1), "`effort.seconds`"));
  CHECK(has(complaint("/effort/device_bytes", "x"), "`effort.device_bytes`"));
  CHECK(has(complaint("/machine/processor", 1), "`machine.processor`"));
  CHECK(has(complaint("/arguments/0", 1), "`arguments`"));
  CHECK(has(complaint("/history", 1), "`history`"));
  nlohmann::json early = good;
  early.erase("effort");
  write(manifest, early.dump());
  CHECK(experiment_timing(f.plan, method_curves(f.plan)).empty());
  CHECK(write_experiment_tables(f.plan, f.out.string()).files.back() == "table.csv");
}
