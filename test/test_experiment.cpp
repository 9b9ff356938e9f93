// Experiments: their file, the plan of jobs, and what makes two runs the same run.
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "data_support.h"
#include "experiment/identity.h"
#include "experiment/plan.h"
#include "experiment/record.h"
#include "experiment/scoreboard.h"
#include "failure.h"
#include "report/grid_text.h"
#include "scores_json.h"
#include "settings/methods.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

/// Two data sets with the widths of the built-in robot.
struct TwoTasks {
  ScratchFolder folder;
  TwoTasks() {
    write_dsrl(folder / "a.hdf5", make_columns({{12, false}, {9, true}}, 7, 2, 1));
    write_dsrl(folder / "b.hdf5", make_columns({{15, false}}, 7, 2, 2));
  }
  Plan plan(const std::string& text, PlanOptions options = {}) const {
    options.data = folder.path.string();
    return make_plan(parse_experiment(text, "e.toml"), options);
  }
};

const std::string kTasks =
    "tasks = [{ name = \"A\", task = \"ReachAvoid\", data = \"a.hdf5\" },\n"
    "         { name = \"B\", task = \"ReachAvoid\", data = \"b.hdf5\" }]\n";
const std::string kTwoByTwo =
    kTasks +
    "seeds = [0, 1]\nmethods = [\"cloning\", \"r2pac\"]\n"
    "settings = { schedule = \"joint\", hidden = [16, 16], batch = 32, steps = 50 }\n"
    "score = { episodes = 2 }\n";

/// The ids of a plan's jobs of a kind.
std::set<std::string> ids(const Plan& plan, const std::string& kind) {
  std::set<std::string> found;
  for (const Job& job : plan.jobs)
    if (job.kind == kind) found.insert(job.id);
  return found;
}

std::size_t common(const std::set<std::string>& a, const std::set<std::string>& b) {
  return static_cast<std::size_t>(std::ranges::count_if(a, [&](const auto& id) { return b.contains(id); }));
}

const Job& job_of(const Plan& plan, const std::string& id) {
  const auto found = std::ranges::find(plan.jobs, id, &Job::id);
  REQUIRE(found != plan.jobs.end());
  return *found;
}

bool has_words(const Job& job, const std::string& first, const std::string& second) {
  for (std::size_t i = 0; i + 1 < job.argv.size(); ++i)
    if (job.argv[i] == first && job.argv[i + 1] == second) return true;
  return false;
}

std::string failure_of(const std::string& text) {
  return failure([&] { parse_experiment(text, "e.toml"); });
}

/// Settings that differ from the defaults in one key, whichever value of it there is.
Settings with_another(const SettingInfo& info) {
  std::vector<std::string> values = {"true", "false", "1", "2", "3", "0.25", "0.5", "[3, 1]", "\"CarGoal1\""};
  std::istringstream words(info.range);
  for (std::string word; std::getline(words, word, ',');) {
    word.erase(0, word.find_first_not_of(' '));
    values.push_back("\"" + word + "\"");
  }
  for (const std::string& value : values) try {
      const Settings changed = parse_settings(std::string(info.key) + " = " + value, "");
      if (!differences(Settings{}, changed).empty()) return changed;
    } catch (const Error&) {  // not a value of this key
    }
  FAIL("no other value of " << info.key << " is known");
  return {};
}

}  // namespace

TEST_CASE("a plan of two tasks, methods and seeds is the one in the golden file") {
  const TwoTasks data;
  std::string lines = plan_lines(data.plan(kTwoByTwo));
  lines = replace_all(lines, data.folder.path.string(), "DATA");
  const std::string golden = bytes_of_file(R2PAC_SOURCE_DIR "/test/golden/plan.jsonl");
  if (lines != golden) write_bytes("plan.jsonl", lines);  // beside the test program, to be looked at
  CHECK(lines == golden);
}

TEST_CASE("a plan has a training and a score for each cell, in an order that can be done, and reads back") {
  const TwoTasks data;
  const Plan plan = data.plan(kTwoByTwo);
  REQUIRE(plan.cells.size() == 8);
  CHECK(ids(plan, "train").size() == 8);
  CHECK(ids(plan, "score").size() == 8);
  REQUIRE(plan.jobs.size() == 17);
  CHECK(plan.jobs.back().kind == "report");
  std::set<std::string> records;
  for (const Job& job : plan.jobs) {
    for (const std::string& input : job.inputs) CHECK(records.contains(input));
    records.insert(job.record);
    if (job.kind != "report") CHECK(job.minutes > 0);
    CHECK(job.memory_mb > 0);
  }
  CHECK(plan_lines(read_plan(plan_lines(plan), "plan.jsonl")) == plan_lines(plan));
  for (const std::string text : {"{}", "[1]", "{\"id\": 3}", "nonsense"})
    CHECK(has(failure([&] { read_plan(text, "plan.jsonl"); }), "plan.jsonl:1"));
}

TEST_CASE(
    "a method beside the program has jobs of its own where it is installed, and else a cell that says so") {
  const TwoTasks data;
  const std::string text = kTasks + "seeds = [4]\nmethods = [\"bc\", \"cdt\"]\nsize = \"tiny\"\n";
  const Plan without = data.plan(text);
  CHECK(ids(without, "train").size() == 2);
  CHECK(without.cells[1].not_installed);
  CHECK_FALSE(without.cells[0].not_installed);
  CHECK(plan_lines(read_plan(plan_lines(without), "plan.jsonl")) == plan_lines(without));
  CHECK(read_plan(plan_lines(without), "plan.jsonl").cells[1].not_installed);
  const MethodGrid grid = scoreboard(without);
  CHECK(grid.columns == std::vector<std::string>{"BC", "CDT"});
  CHECK(has(grid_markdown(grid), "| A | - | not installed |"));

  PlanOptions installed;
  installed.baselines = true;
  const Plan plan = data.plan(text, installed);
  REQUIRE(ids(plan, "train").size() == 4);
  const Job &train = job_of(plan, plan.cells[1].train), &score = job_of(plan, plan.cells[1].score);
  CHECK(train.argv.front() == "baselines-python");
  CHECK(has_words(train, "--size", "tiny"));
  CHECK(has_words(train, "--seed", "4"));
  CHECK(has_words(train, "--task", "ReachAvoid"));
  CHECK(has_words(score, "--env", "ReachAvoid"));
  CHECK(has_words(score, "--episodes", "4"));
  CHECK(score.inputs == std::vector{train.record});
  CHECK(train.minutes > 0);
  CHECK(plan.cells[1].train != plan.cells[3].train);  // other data
  // What is its own does not change the others.
  CHECK(plan.cells[0].train == without.cells[0].train);
  for (const std::string& other : {replace_all(text, "[4]", "[5]"), replace_all(text, "tiny", "mini")})
    CHECK(data.plan(other, installed).cells[1].train != plan.cells[1].train);
  CHECK(has(failure([&] { data.plan(text + "settings = { batch = 32 }\n"); }), "takes no settings"));
}

TEST_CASE("an id depends on every setting but those of logging, and on nothing else") {
  const std::string id = training_id({}, "f", "", {}), score = scoring_id(id, {}, {}, "");
  CHECK(id.size() == 12);
  CHECK(id.find_first_not_of("0123456789abcdef") == std::string::npos);
  std::set<std::string> seen = {id};
  for (const SettingInfo& info : settings_fields()) {
    INFO(info.key);
    const Settings changed = with_another(info);
    if (info.stage == SettingStage::logging) {
      CHECK(training_id(changed, "f", "", {}) == id);
    } else {
      CHECK(seen.insert(training_id(changed, "f", "", {})).second);
    }
    CHECK((scoring_id(id, changed, {}, "") == score) == (info.stage != SettingStage::acting));
  }
  CHECK(seen.insert(training_id({}, "other data", "", {})).second);
  CHECK(seen.insert(training_id({}, "f", "other critics", {})).second);
  CHECK(seen.insert(training_id({}, "f", "", ExperimentCurve{})).second);
  CHECK(seen.insert(training_id({}, "f", "", ExperimentCurve{11, 20})).second);
  ExperimentScoring scoring;
  std::set<std::string> scores = {score, scoring_id("other", {}, {}, ""), scoring_id(id, {}, {}, "env")};
  scoring.episodes = 3;
  scores.insert(scoring_id(id, {}, scoring, ""));
  scoring.seed = 1;
  scores.insert(scoring_id(id, {}, scoring, ""));
  scoring.cost_limit = 2;
  scores.insert(scoring_id(id, {}, scoring, ""));
  CHECK(scores.size() == 6);
}

TEST_CASE("the order of a file's lines, the folders and the machine change no id") {
  const TwoTasks data;
  const Plan plan = data.plan(kTwoByTwo);
  const std::string reordered =
      "score = { episodes = 2 }\nsettings = { steps = 50, batch = 32, hidden = [16, 16], schedule = "
      "\"joint\" }\n"
      "methods = [\"R2PAC\", \"cloning\"]\nseeds = [1, 0]\n" +
      kTasks + "title = \"other\"\n";
  PlanOptions options;
  options.out = "/elsewhere";
  options.peak_gflops = 7;
  options.device = "cuda";
  const Plan other = data.plan(reordered, options);
  for (const char* kind : {"train", "score"}) CHECK(ids(plan, kind) == ids(other, kind));
  CHECK(other.jobs.front().gpu == 1);
}

TEST_CASE("a changed setting, seed or data file changes its own jobs alone, a touched file none") {
  const TwoTasks data;
  const std::string variants =
      kTasks +
      "seeds = [0, 1]\nmethods = [\"r2pac\"]\nsettings = { schedule = \"joint\" }\n[variants]\n"
      "x = { alpha = 0.5 }\ny = { penalty = ";
  const auto before = ids(data.plan(variants + "3 }\n"), "train");
  REQUIRE(before.size() == 8);
  CHECK(common(before, ids(data.plan(variants + "4 }\n"), "train")) == 4);
  CHECK(common(before, ids(data.plan(replace_all(variants, "[0, 1]", "[0, 5]") + "3 }\n"), "train")) == 4);
  fs::last_write_time(data.folder / "b.hdf5", fs::file_time_type::clock::now() + std::chrono::hours(1));
  CHECK(ids(data.plan(variants + "3 }\n"), "train") == before);
  write_dsrl(data.folder / "b.hdf5", make_columns({{15, false}}, 7, 2, 3));
  CHECK(common(before, ids(data.plan(variants + "3 }\n"), "train")) == 4);
}

TEST_CASE("variants that only act otherwise are further scores of one training") {
  const TwoTasks data;
  const Plan plan = data.plan(kTasks +
                              "seeds = [0]\nmethods = [\"r2pac\"]\n[variants]\n"
                              "fast = { flow_steps = 8 }\nregion = { selection = \"region\" }\nours = {}\n");
  CHECK(ids(plan, "train").size() == 2);
  CHECK(ids(plan, "score").size() == 6);
  CHECK(has_words(job_of(plan, plan.cells[0].score), "--set", "flow_steps=8"));
  CHECK(has_words(job_of(plan, plan.cells[1].score), "--set", "selection=region"));
  CHECK(plan.cells[0].train == plan.cells[2].train);
}

TEST_CASE("variants of the actor alone take the critics of the run without them, where the schedule allows") {
  const TwoTasks data;
  const std::string text =
      kTasks +
      "seeds = [0]\nmethods = [\"r2pac\"]\n[variants]\nours = {}\n"
      "awr = { actor = \"gaussian\", penalty = 3 }\nreward = { label_rule = \"reward\" }\n";
  const Plan plan = data.plan(text);
  const Job &ours = job_of(plan, plan.cells[0].train), &awr = job_of(plan, plan.cells[1].train),
            &reward = job_of(plan, plan.cells[2].train);
  CHECK(ours.inputs.empty());
  REQUIRE(reward.inputs.size() == 1);
  CHECK(reward.inputs[0] == ours.record);
  CHECK(has_words(reward, "--critics", fs::path(ours.outputs[0]).parent_path().string()));
  // Critics with another penalty are a run of their own.
  REQUIRE(awr.inputs.size() == 1);
  CHECK(awr.inputs[0] != ours.record);
  CHECK(ids(plan, "train").size() == 8);
  CHECK(reward.minutes < ours.minutes / 2);
  const Plan joint = data.plan(replace_all(text, "methods", "settings = { schedule = \"joint\" }\nmethods"));
  for (const Job& job : joint.jobs)
    if (job.kind == "train") CHECK(job.inputs.empty());
}

TEST_CASE("a task without a file has no jobs, and two files of one task are refused") {
  const TwoTasks data;
  const std::string text = "tasks = [\"BallRun\"]\nseeds = [0]\nmethods = [\"r2pac\"]\nsize = \"tiny\"\n";
  const Plan none = data.plan(text);
  CHECK(none.jobs.size() == 1);
  REQUIRE(none.cells.size() == 1);
  CHECK(none.cells[0].score.empty());
  CHECK(has(grid_markdown(scoreboard(none)), "| BallRun | no data |"));
  for (const char* name : {"SafetyBallRun-v0-80-940.hdf5", "SafetyBallRun-v0-1-2.hdf5"}) {
    write_dsrl(data.folder / name, make_columns({{12, false}}, 7, 2, 1));
    if (name == std::string("SafetyBallRun-v0-80-940.hdf5")) CHECK(data.plan(text).jobs.size() == 3);
  }
  CHECK_THROWS_WITH(data.plan(text), Catch::Contains("two files are of task BallRun"));
  CHECK(has(failure([&] { make_plan(parse_experiment(text, "e.toml"), {.data = data.folder / "no"}); }),
            "no such folder"));
}

TEST_CASE("what is wrong with a column names its line") {
  const TwoTasks data;
  const auto plan_failure = [&](const std::string& rest) {
    return failure([&] { data.plan(kTasks + "seeds = [0]\n" + rest); });
  };
  CHECK(has(plan_failure("methods = [\"r2pca\"]\n"), "no method `r2pca`"));
  CHECK(has(plan_failure("methods = [\"r2pca\"]\n"), "e.toml:4:12"));
  CHECK(has(plan_failure("methods = [\"r2pca\"]\n"), "did you mean `r2pac`"));
  CHECK(has(plan_failure("methods = [\"r2pac\"]\n[variants]\nx = {}\ny = { alpah = 1 }\n"), "e.toml:7:5"));
  CHECK(has(plan_failure("methods = [\"r2pac\"]\nsettings = { alpha = 3 }\n"),
            "`alpha` cannot be `3` (column `R2PAC`)"));
  CHECK(has(plan_failure("methods = [\"cloning\"]\nsettings = { num_candidates = 4 }\n"), "num_candidates"));
}

TEST_CASE("a file's faults are told with their line, the key and what is allowed") {
  const std::string good = "tasks = [\"BallRun\"]\nseeds = [0]\nmethods = [\"r2pac\"]\n";
  CHECK(failure_of(good) == "no error");
  const std::map<std::string, std::vector<std::string>> faults = {
      {good + "seds = 3\n", {"4 | unknown key `seds`", "e.toml:4:8", "did you mean `seeds`"}},
      {good + "size = \"huge\"\n", {"`size` cannot be `huge`", "e.toml:4:8", "mini"}},
      {good + "report = \"tabel\"\n", {"`report` cannot be `tabel`"}},
      {good + "score = { episodes = 0 }\n",
       {"`episodes` must be a whole number from 1 to 1000000", "e.toml:4:"}},
      {good + "score = { cost_limit = -1 }\n", {"cost_limit"}},
      {good + "score = 3\n", {"`score` must be a table"}},
      {good + "curve = { points = 1.5 }\n", {"`points` must be a whole number"}},
      {good + "settings = { seed = 3 }\n", {"`seed` cannot be a setting"}},
      {good + "settings = { alpha = { a = 1 } }\n", {"`alpha` has a value that no setting can have"}},
      {good + "[sizes]\nbig = { steps = 3 }\n", {"unknown key `big` of `sizes`"}},
      {good + "[variants]\n", {"`variants` has no members"}},
      {"tasks = [\"BallRum\"]\nseeds = [0]\nmethods = [\"r2pac\"]\n", {"e.toml:1:10", "BallRun"}},
      {"tasks = [{ name = \"x\" }]\nseeds = [0]\nmethods = [\"r2pac\"]\n", {"neither `task` nor `data`"}},
      {"tasks = [{ data = \"x.hdf5\" }]\nseeds = [0]\nmethods = [\"r2pac\"]\n", {"where it is scored"}},
      {"tasks = [{ task = \"BallRun\", data = \"../x.hdf5\" }]\nseeds = [0]\nmethods = [\"r2pac\"]\n",
       {"leaves the data folder"}},
      {"tasks = [{ task = \"BallRun\", env = \"cmd:rm -r x\" }]\nseeds = [0]\nmethods = [\"r2pac\"]\n",
       {"would run a program"}},
      {"tasks = [\"BallRun\", \"BallRun\"]\nseeds = [0]\nmethods = [\"r2pac\"]\n", {"`BallRun` twice"}},
      {"tasks = [\"BallRun\"]\nseeds = [0, 0]\nmethods = [\"r2pac\"]\n", {"`0` twice"}},
      {"tasks = [\"BallRun\"]\nseeds = [-1]\nmethods = [\"r2pac\"]\n",
       {"`seeds` must be a whole number from 0"}},
      {"tasks = [\"BallRun\"]\nseeds = []\nmethods = [\"r2pac\"]\n",
       {"`seeds` must be a list that is not empty"}},
      {"tasks = [\"BallRun\"]\nseeds = [0]\nmethods = [{ name = \"x\" }]\n",
       {"names no method", "e.toml:3:12"}},
      {"tasks = [\"BallRun\"]\nmethods = [\"r2pac\"]\n", {"`seeds` is missing"}},
      {"tasks = [\"BallRun\"\n", {"this is not TOML"}},
      {std::string(100, '.') + " = 1\n", {"too many dots", "e.toml:1"}},
  };
  for (const auto& [text, parts] : faults) {
    INFO(text);
    const std::string found = failure_of(text);
    CHECK(found.starts_with("4 | "));
    for (const std::string& part : parts) {
      INFO(found);
      CHECK(has(found, part));
    }
  }
  CHECK(has(failure([&] { parse_experiment(good, "e.toml", "huge"); }), "2 | there is no size `huge`"));
  CHECK(has(failure([&] { read_experiment("/nowhere/e.toml"); }), "the experiment cannot be read"));
}

TEST_CASE("sizes decide how much is scored, and have settings of their own") {
  const std::string text =
      "tasks = [\"paper17\"]\nseeds = [4, 5]\nmethods = [\"r2pac\", { method = \"r2pac\", name = \"z\", "
      "steps = 9 }]\n"
      "settings = { steps = 7, batch = 8 }\ncurve = { points = 10, episodes = 20 }\n[sizes]\nmini = { steps "
      "= 8 }\n";
  const Experiment published = parse_experiment(text, "e.toml"),
                   mini = parse_experiment(text, "e.toml", "mini"),
                   tiny = parse_experiment(text, "e.toml", "tiny");
  CHECK(published.tasks.size() == 17);
  CHECK(published.seeds == std::vector<std::int64_t>{4, 5});
  CHECK(tiny.seeds == std::vector<std::int64_t>{4});
  CHECK(tiny.scoring.episodes == 4);
  CHECK(mini.scoring.episodes == 20);
  CHECK(mini.curve->points == 5);
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  CHECK(published.columns[0].settings == Pairs{{"batch", "8"}, {"steps", "7"}});
  CHECK(mini.columns[0].settings == Pairs{{"batch", "8"}, {"steps", "8"}});
  CHECK(mini.columns[1].settings == Pairs{{"batch", "8"}, {"steps", "9"}});
}

TEST_CASE("a part of an experiment is chosen by task, method, variant and seed") {
  const std::string text =
      "tasks = [\"BallRun\", \"CarRun\"]\nseeds = [0, 1]\nmethods = [\"r2pac\", \"cloning\", \"nothing\"]\n";
  const auto only = [&](const std::vector<std::string>& kept) {
    Experiment e = parse_experiment(text, "e.toml");
    keep_only(e, kept);
    return std::to_string(e.tasks.size()) + std::to_string(e.columns.size()) + std::to_string(e.seeds.size());
  };
  CHECK(only({}) == "232");
  CHECK(only({"task=BallRun,seed=0"}) == "131");
  CHECK(only({"method=R2PAC,method=cloning", "seed=1"}) == "221");
  CHECK(only({"variant=Flow cloning"}) == "212");
  for (const char* bad : {"task=AntRun", "tusk=BallRun", "task", "task=", ""})
    CHECK(has(failure([&] { only({bad}); }), "2 | "));
}

TEST_CASE("every file of experiments/ makes a plan, or names a method that is not there yet") {
  const TwoTasks data;
  std::size_t files = 0;
  const std::set<std::string> later = {"bc", "bc-safe", "cpq", "coptidice"};
  for (const fs::directory_entry& entry : fs::directory_iterator(R2PAC_SOURCE_DIR "/experiments"))
    for (const char* size : kSizes) {
      INFO(entry.path().string() << " " << size);
      Experiment e = read_experiment(entry.path().string(), size);
      std::erase_if(e.columns, [&](const ExperimentColumn& c) {
        return later.contains(c.method) &&
               std::ranges::none_of(method_list(), [&](const auto& m) { return m.name == c.method; });
      });
      REQUIRE_FALSE(e.columns.empty());
      e.tasks = {{"A", "ReachAvoid", "a.hdf5", ""}};
      const Plan plan = make_plan(e, {.data = data.folder.path.string()});
      CHECK(plan.cells.size() == e.columns.size() * e.seeds.size());
      ++files;
    }
  CHECK(files == 14 * std::size(kSizes));
}

TEST_CASE("runs of different tables are the same runs") {
  const TwoTasks data;
  const auto planned = [&](const std::string& file, const std::string& column) {
    Experiment e = read_experiment(R2PAC_SOURCE_DIR "/experiments/" + file + ".toml", "mini");
    std::erase_if(e.columns, [&](const ExperimentColumn& c) { return c.name != column; });
    e.tasks = {{"A", "ReachAvoid", "a.hdf5", ""}};
    e.seeds = {0};
    return make_plan(e, {.data = data.folder.path.string()}).cells.at(0);
  };
  const PlannedCell ours = planned("table1", "R2PAC");
  CHECK(planned("table1", "R2PAC (region)").train == ours.train);
  CHECK(planned("table1", "R2PAC (region)").score != ours.score);
  for (const char* table : {"table2", "fig3", "fig9", "fig10"}) {
    INFO(table);
    CHECK(planned(table, "ours").train == ours.train);
    CHECK(planned(table, "ours").score == ours.score);
  }
  for (const char* table : {"table3", "fig6", "fig11"}) CHECK(planned(table, "R2PAC").score == ours.score);
}

TEST_CASE("a table says what became of each seed") {
  const TwoTasks data;
  PlanOptions options;
  options.out = data.folder / "out";
  const Plan plan = data.plan(kTasks + "seeds = [0, 1]\nmethods = [\"r2pac\", \"cloning\"]\n", options);
  fs::create_directories(fs::path(options.out) / "jobs");
  const auto finish = [&](std::size_t cell, const std::vector<double>& returns) {
    const Job &train = job_of(plan, plan.cells[cell].train), &score = job_of(plan, plan.cells[cell].score);
    fs::create_directories(fs::path(train.outputs[0]).parent_path());
    write_bytes(train.outputs[0], "policy");
    nlohmann::json json = scores_json("ReachAvoid", plan.cells[cell].seed, returns, {0, 5});
    write_bytes(score.outputs[0], json.dump());
    for (const Job* job : {&train, &score}) write_record(*job, {"", "done", 0, "", ""});
  };
  finish(0, {1, 2});
  finish(1, {2, 3});
  finish(2, {1, 2});
  write_record(job_of(plan, plan.cells[3].train), {"", "diverged", 7, "", ""});
  write_record(job_of(plan, plan.cells[4].train), {"", "failed", 3, "", "error: no"});
  write_record(job_of(plan, plan.cells[6].train), {"", "diverged", 7, "", ""});
  write_record(job_of(plan, plan.cells[7].train), {"", "diverged", 7, "", ""});
  const MethodGrid grid = scoreboard(plan);
  REQUIRE(grid.rows.size() == 3);
  CHECK(grid.rows[0].cells[0].complete());
  CHECK(grid.rows[0].cells[0].cost.mean == Approx(0.5));
  CHECK(grid.rows[0].cells[1].scored == 1);
  CHECK(grid.rows[0].cells[1].diverged == 1);
  CHECK(grid.rows[1].cells[0].failed == 1);
  CHECK(grid.rows[1].cells[1].diverged == 2);
  const std::string markdown = write_scoreboard(plan, options.out);
  CHECK(has(markdown, "(1/2, 1 diverged)"));
  CHECK(has(markdown, "| failed | diverged |"));
  CHECK(bytes_of_file(options.out + "/table.md") == markdown);

  // A record without what it stands for, and a failure that shall be tried again, are forgotten.
  const Job& train = job_of(plan, plan.cells[0].train);
  CHECK(state_of(train) == JobState::done);
  fs::remove(train.outputs[0]);
  CHECK(state_of(train) == JobState::waiting);
  clear_record(train, false);
  CHECK_FALSE(fs::exists(train.record));
  const Job& failed = job_of(plan, plan.cells[4].train);
  clear_record(failed, false);
  CHECK(state_of(failed) == JobState::failed);
  clear_record(failed, true);
  CHECK(state_of(failed) == JobState::waiting);
}
