// The report: scores read with suspicion, summed up over seeds, written as text.
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "failure.h"
#include "report/gnuplot.h"
#include "report/input.h"
#include "report/table.h"
#include "report/text.h"
#include "scores_json.h"
#include "scratch_folder.h"
#include "tools/scoring.h"

using namespace r2pac;
using Json = nlohmann::json;

namespace {

ScoredPolicy parsed(const Json& json) { return parse_scores(json.dump(), "a/eval.json"); }

/// Two seeds of BallRun, whose cost limit is 5.
std::vector<ScoredPolicy> two_seeds() {
  return {parsed(scores_json("BallRun", 0, {10, 30}, {0, 5})),
          parsed(scores_json("BallRun", 1, {40, 40}, {5, 10}))};
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a row is the mean and spread of the seeds' means, worked by hand") {
  const ReportTable table = make_table(two_seeds());
  REQUIRE(table.rows.size() == 1);
  const TableRow& row = table.rows[0];
  CHECK(row.task == "BallRun");
  CHECK(row.variant.empty());
  CHECK(row.checkpoint == "last");
  CHECK(row.cost_limit == 5);
  CHECK(row.seeds == 2);
  CHECK(row.episodes == 4);
  CHECK(row.episode_return.mean == Approx(30));  // of 20 and 40
  CHECK(*row.episode_return.deviation == Approx(std::sqrt(200.0)));
  CHECK(row.normalized_return->mean == Approx(0.3));
  CHECK(*row.normalized_return->deviation == Approx(std::sqrt(0.02)));
  CHECK(row.episode_cost.mean == Approx(5));     // of 2.5 and 7.5
  CHECK(row.normalized_cost.mean == Approx(1));  // of 0.5 and 1.5
  CHECK(*row.normalized_cost.deviation == Approx(std::sqrt(0.5)));
  CHECK(row.safe_seeds == 1);
  CHECK(row.share_within_limit == Approx(0.75));
  CHECK(row.share_interval.low < 0.75);
  CHECK(row.share_interval.high > 0.75);
}

TEST_CASE("one seed has no spread, and one without bounds no normalised return") {
  Json json = scores_json("BallRun", 0, {10, 30}, {0, 4});
  json.erase("normalized_return");
  const TableRow row = make_table({parsed(json)}).rows.at(0);
  CHECK(!row.normalized_return);
  CHECK(!row.normalized_cost.deviation);
  CHECK(row.share_interval.low == Approx(std::sqrt(0.025)));  // all of two
  CHECK(row.share_interval.high == 1);
}

TEST_CASE("scores of one seed on other episodes count as one seed, on the same episodes as a mistake") {
  std::vector<ScoredPolicy> scores = two_seeds();
  Json more = scores_json("BallRun", 0, {80}, {8});
  more["rows"][0]["seed"] = 7;
  scores.push_back(parsed(more));
  const TableRow row = make_table(scores).rows.at(0);
  CHECK(row.seeds == 2);
  CHECK(row.episodes == 5);
  CHECK(row.episode_return.mean == Approx(40));  // of (10 + 30 + 80) / 3 and 40
  scores.push_back(scores[0]);
  const std::string error = failure([&] { make_table(scores); });
  CHECK(error.starts_with("2 | "));
  CHECK(has(error, " | a/eval.json and a/eval.json | "));
}

TEST_CASE("a variant is what differs beyond seed, task and preset") {
  std::vector<ScoredPolicy> scores = two_seeds();
  // Another task with other preset values of alpha and penalty, and another interval of logging.
  scores.push_back(parsed(scores_json("CarRun", 5, {1}, {0}, {"log_every=10"})));
  ReportTable table = make_table(scores);
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].variant.empty());
  CHECK(table.rows[1].variant.empty());
  CHECK(table.row_of == std::vector<std::size_t>{0, 0, 1});

  scores.push_back(parsed(scores_json("BallRun", 0, {1}, {0}, {"penalty_reading=none", "alpha=0.25"})));
  Json acting = scores_json("BallRun", 0, {2}, {0});
  acting["candidates"] = 1;
  acting["label"] = "null";
  acting["guidance"] = 1.5;
  scores.push_back(parsed(acting));
  table = make_table(scores);
  REQUIRE(table.rows.size() == 4);
  CHECK(table.rows[0].variant == "alpha=preset, penalty_reading=absorbing, candidates=16, label=1");
  CHECK(table.rows[1].variant == "alpha=0.25, penalty_reading=none, candidates=16, label=1");
  CHECK(table.rows[2].variant == "alpha=preset, penalty_reading=absorbing, candidates=1, label=null");
  CHECK(table.rows[3].task == "CarRun");

  Json other = scores_json("BallRun", 0, {2}, {0}), own = other;
  other["selection"] = own["selection"] = "region";
  other["trained_threshold"] = own["trained_threshold"] = own["threshold"] = 3.5;
  other["threshold"] = 2.25;
  table = make_table({parsed(own), parsed(other)});
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].variant.empty());
  CHECK(table.rows[1].variant == "region_bound=2.25");
  other["l"] = 2.25;
  CHECK(make_table({parsed(own), parsed(other)}).rows[1].variant == "region_bound=l");

  // One step has no candidates and no flow; what it calls safe matters all the same, and so does its flow.
  Json step = scores_json("BallRun", 0, {2}, {0}, {"actor=one-step"});
  step["candidates"] = 1;
  step["trained_threshold"] = step["threshold"] = 3.5;
  Json same = step, bounded = step, by_flow = step;
  same["train_seed"] = 1;
  same["flow_steps"] = 8;
  same["selection"] = "region";
  bounded["threshold"] = 2.25;
  by_flow["act_with"] = "flow";
  table = make_table({parsed(step), parsed(same), parsed(bounded), parsed(by_flow)});
  REQUIRE(table.rows.size() == 3);
  CHECK(table.rows[0].variant.empty());
  CHECK(table.rows[1].variant == "region_bound=2.25");
  CHECK(table.rows[2].variant == "act_with=flow");

  // A flow that saw no label imitates, whatever is set beside.
  const Json cloned =
      scores_json("BallRun", 0, {2}, {0}, {"schedule=sequential", "critic_steps=0", "label_dropout=1"});
  table = make_table({parsed(scores_json("BallRun", 0, {2}, {0})), parsed(cloned)});
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].variant.empty());
  CHECK(table.rows[1].variant == "method=cloning");
}

TEST_CASE("checkpoints, limits, environments and data make rows of their own") {
  std::vector<ScoredPolicy> scores = two_seeds();
  const auto add = [&](const char* key, const Json& value) {
    Json json = scores_json("BallRun", 0, {1}, {0});
    json[key] = value;
    scores.push_back(parsed(json));
  };
  add("checkpoint", "safe-best");
  add("step", 400);
  ReportTable table = make_table(scores);
  REQUIRE(table.rows.size() == 3);
  CHECK(table.rows[0].checkpoint == "last");
  CHECK(table.rows[1].checkpoint == "safe-best");
  CHECK(table.rows[2].checkpoint == "step 400");
  scores.resize(2);
  add("cost_limit", 20.0);
  add("env", "cmd:mine");
  add("data_fingerprint", "ffff56789abcdef0123456789abcdef0");
  table = make_table(scores);
  REQUIRE(table.rows.size() == 4);
  CHECK(table.rows[0].variant == "data=01234567");
  CHECK(table.rows[1].variant == "kappa=20, data=01234567");
  CHECK(table.rows[2].variant == "env=cmd:mine, data=01234567");
  CHECK(table.rows[3].variant == "data=ffff5678");
}

TEST_CASE("tasks come in the benchmark's order, unknown ones last") {
  const auto scores = [](const char* task) { return parsed(scores_json(task, 0, {1}, {0})); };
  Json unknown = scores_json("BallRun", 0, {1}, {0});
  unknown["task"] = "";
  unknown["env"] = "cmd:mine";
  const ReportTable table = make_table({parsed(unknown), scores("CarRun"), scores("BallRun")});
  REQUIRE(table.rows.size() == 3);
  CHECK(table.rows[0].task == "BallRun");
  CHECK(table.rows[1].task == "CarRun");
  CHECK(table.rows[2].task == "cmd:mine");
}

TEST_CASE("the table as Markdown, LaTeX and CSV") {
  const std::vector<ScoredPolicy> scores = two_seeds();
  const ReportTable table = make_table(scores);
  const std::string low = [&] {
    char text[16];
    std::snprintf(text, sizeof text, "%.2f", table.rows[0].share_interval.low);
    return std::string(text);
  }();
  const std::string markdown = table_markdown(table);
  CHECK(markdown.starts_with("| task    | checkpoint | normalised return | normalised cost | safe seeds |"));
  CHECK(has(markdown, "\n|---------|------------|------------------:|"));
  CHECK(has(markdown, "\n| BallRun | last       |     0.300 ± 0.141 |     1.00 ± 0.71 |        1/2 | 0.75 [" +
                          low + ", 1.00] |     5 | 30.00 ± 14.14 | 5.00 ± 3.54 |        4 |\n"));
  CHECK(!has(markdown, "variant"));
  const std::string latex = table_latex(table);
  CHECK(has(latex, "\\begin{tabular}{llrrrrrrrr}\n\\toprule\ntask & checkpoint & normalised return &"));
  CHECK(has(latex, "\\midrule\nBallRun & last & 0.300 $\\pm$ 0.141 & 1.00 $\\pm$ 0.71 & 1/2 & 0.75 [" + low));
  CHECK(has(latex, "\\\\\n\\bottomrule\n\\end{tabular}\n"));
  CHECK(has(table_csv(table), "\nBallRun,,last,2,1,4,5,0.3"));
  const std::string evaluations = evaluations_csv(table, scores);
  CHECK(std::ranges::count(evaluations, '\n') == 3);
  CHECK(has(evaluations, "\nBallRun,,last,1,100,1000,BallRun,2,5,0.4,1.5,40,0,7.5,"));
  const std::string episodes = episodes_csv(table, scores);
  CHECK(std::ranges::count(episodes, '\n') == 5);
  CHECK(has(episodes, "\nBallRun,,last,0,1,101,30,5,50,0\n"));
}

TEST_CASE("names are harmless in every language of markup") {
  CHECK(latex_text("a_b & 50% #1 {x} $y$ \\z ~ ^ <|>") ==
        "a\\_b \\& 50\\% \\#1 \\{x\\} \\$y\\$ \\textbackslash{}z \\textasciitilde{} \\textasciicircum{} "
        "\\textless{}\\textbar{}\\textgreater{}");
  CHECK(markdown_text("a|b *c* `d` <e> & $x$ [f](g) [1, 2]") ==
        "a\\|b \\*c\\* \\`d\\` &lt;e> &amp; \\$x\\$ [f]\\(g) [1, 2]");
  CHECK(latex_text("[1] *") == "{[}1] {*}");  // a row may begin with it
  CHECK(csv_text("plain") == "plain");
  CHECK(csv_text("=1+1") == "'=1+1");
  CHECK(csv_text("@x") == "'@x");
  CHECK(csv_text("-1.5e-3") == "-1.5e-3");
  CHECK(csv_text("a;=1") == "\"a;'=1\"");
  CHECK(csv_text("a, \"b\"") == "\"a, \"\"b\"\"\"");
  for (auto* text : {latex_text, markdown_text, csv_text}) CHECK(!has(text("a\n\x1b[2Jb"), "\n"));
  CHECK(gnuplot_string("it's `x` \n\"y\"\\") == "'it\u2019s `x`  \"y\"\\'");
}

TEST_CASE("scores with a fault are refused by file and key") {
  const auto complaint = [](const std::string& text) {
    const std::string error = failure([&] { parse_scores(text, "a/eval.json"); });
    CHECK(error.starts_with("5 | "));
    CHECK(has(error, " | a/eval.json | "));
    return error;
  };
  const Json good = scores_json("BallRun", 0, {1, 2}, {0, 1});
  const auto with = [&](const char* pointer, const Json& value) {
    Json json = good;
    json[Json::json_pointer(pointer)] = value;
    return complaint(json.dump());
  };
  for (const auto& [key, value] : good.items()) {
    Json json = good;
    json.erase(key);
    if (key == "normalized_return") continue;
    CHECK(has(complaint(json.dump()), "`" + key + "`"));
    json[key] = Json::object();
    CHECK(has(complaint(json.dump()), "`" + key + "`"));
  }
  CHECK(has(with("/rows/1/cost", "x"), "`rows[1].cost`"));
  CHECK(has(with("/rows/1/length", -1), "`rows[1].length`"));
  CHECK(has(with("/rows/0/terminated", 1), "`rows[0].terminated`"));
  CHECK(has(with("/rows/0/return", nullptr), "`rows[0].return`"));
  CHECK(has(with("/rows/0", 3), "rows[0]"));
  CHECK(has(with("/episodes", 3), "`rows`"));
  CHECK(has(with("/episodes", 0), "`episodes`"));
  CHECK(has(with("/step", 1.5), "`step`"));
  CHECK(has(with("/step", 1e300), "`step`"));
  CHECK(has(with("/cost_limit", -1), "`cost_limit`"));
  CHECK(has(with("/return_mean", 1.6), "`return_mean`"));
  CHECK(has(with("/cost_mean", 0.4), "`cost_mean`"));
  complaint("");
  complaint("[]");
  complaint("\x00\xff garbage");
  complaint(good.dump().substr(0, 500));
  complaint(std::string(1000000, '['));
  std::string infinite = good.dump();
  infinite.replace(infinite.find("\"guidance\":2.0"), 14, "\"guidance\":1e999");
  complaint(infinite);
  Json bad_settings = good;
  bad_settings["settings"] = "alpha = 7";
  const std::string error = failure([&] { parse_scores(bad_settings.dump(), "a/eval.json"); });
  CHECK(error.starts_with("4 | "));
  CHECK(has(error, "a/eval.json"));
}

TEST_CASE("a run's curves are read line by line, without a line that is still being written") {
  const ScratchFolder folder;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
  };
  const std::string path = folder.path.string();
  CHECK(failure([&] { read_report_input({path}); }).starts_with("2 | "));
  CHECK(failure([&] { read_report_input({folder / "none"}); }).starts_with("2 | "));
  write("config.toml", settings_toml(resolve_settings({"", "", {}, {{"task", "BallRun"}}})));
  write("metrics.jsonl",
        "{\"step\":1,\"phase\":\"joint\",\"v_c\":2.5}\n{\"step\":5,\"v_c\":3}\n{\"step\":9,\"v_");
  write("evaluations.jsonl", "{\"step\":5,\"normalized_cost\":0.5,\"safe_best\":true}\n");
  const ReportInput input = read_report_input({path, path});
  REQUIRE(input.runs.size() == 1);
  CHECK(input.scores.empty());
  CHECK(!input.runs[0].scored);
  CHECK(input.runs[0].curves.at("v_c") == Curve{{1, 2.5}, {5, 3}});
  CHECK(input.runs[0].curves.at("eval_normalized_cost") == Curve{{5, 0.5}});
  CHECK(!input.runs[0].curves.contains("phase"));
  CHECK(!input.runs[0].last_evaluation);  // it says too little to be a score
  for (const auto& [episodes, share] :
       {std::pair{"0", "1"}, std::pair{"2", "1.5"}, std::pair{"1000001", "1"}, std::pair{"2", "0.5"}}) {
    write("evaluations.jsonl",
          std::string("{\"step\":5,\"env\":\"e\",\"episodes\":") + episodes +
              ",\"seed\":0,\"return_mean\":1,\"return_std\":0,\"cost_mean\":0,\"cost_std\":0,"
              "\"normalized_cost\":0,\"share_within_limit\":" +
              share + "}\n");
    CHECK(read_report_input({path}).runs[0].last_evaluation.has_value() == (std::string(share) == "0.5"));
  }
  for (const char* line : {"{\"step\":-1}\n", "{}\n", "[]\n", "\n", "{\"step\":1,\"v_c\":1e999}\n"}) {
    write("metrics.jsonl", std::string("{\"step\":1}\n") + line);
    const std::string error = failure([&] { read_report_input({path}); });
    CHECK(error.starts_with("5 | "));
    CHECK(has(error, "metrics.jsonl:2 | "));
  }
  write("metrics.jsonl", "");
  write("manifest.json", "{\"data\":{\"path\":7}}");
  CHECK(has(failure([&] { read_report_input({path}); }), "`data.path`"));
}

TEST_CASE("the last score of a run on its way is a row that says so, with what the line knows") {
  TrainingRun run;
  run.folder = "runs/a";
  run.settings = resolve_settings({"",
                                   "",
                                   {"schedule=joint", "steps=1000", "num_candidates=4"},
                                   {{"task", "BallRun"}, {"seed", "3"}}})
                     .values;
  run.facts.data.fingerprint = "0123";
  CHECK_THROWS_AS(score_while_training(run), InvalidArgument);
  Evaluation e;
  e.step = 1000;
  e.env = "BallRun";
  e.episodes = 8;
  e.return_mean = 40;
  e.return_std = 3;
  e.cost_mean = 2;
  e.cost_std = 1;
  e.normalized_return = 0.4;
  e.normalized_cost = 0.4;
  e.share_within_limit = 0.75;
  run.last_evaluation = e;
  TrainingRun other = run;
  other.settings.seed = 4;
  other.last_evaluation->return_mean = 60;
  std::vector<ScoredPolicy> scores = {score_while_training(run), score_while_training(other)};
  const ReportTable table = make_table(scores);
  REQUIRE(table.rows.size() == 1);
  CHECK(table.rows[0].checkpoint == "last (while training)");
  CHECK(table.rows[0].seeds == 2);
  CHECK(table.rows[0].episodes == 16);
  CHECK(table.rows[0].episode_return.mean == 50);
  CHECK(table.rows[0].normalized_cost.mean == Approx(0.4));
  CHECK(table.rows[0].share_within_limit == 0.75);
  CHECK(table.rows[0].share_interval.low < 0.75);
  CHECK(table.rows[0].share_interval.high > 0.75);
  CHECK(has(table_markdown(table), "`r2pac eval` has not scored its policy"));
  CHECK(has(evaluations_csv(table, scores), ",8,5,0.4,0.4,40,3,2,1,least-cost,4,"));
  CHECK(std::ranges::count(episodes_csv(table, scores), '\n') == 1);
  // What `eval` found is another row, a run that has not ended is at its step, and one run does not count
  // twice.
  scores.push_back(parsed(scores_json("BallRun", 3, {10, 30}, {0, 5})));
  scores[1].step = 400;
  const ReportTable three = make_table(scores);
  REQUIRE(three.rows.size() == 3);
  CHECK(three.rows[1].checkpoint == "step 400 (while training)");
  CHECK_FALSE(three.rows[2].while_training);
  scores = {scores[0], scores[0]};
  CHECK(failure([&] { make_table(scores); }).starts_with("2 | two scores have the same task"));
}

TEST_CASE("cloning has one stage, so that its last step is the end of the run") {
  Json json = scores_json("BallRun", 0, {1}, {0}, {"method=cloning", "schedule=sequential"});
  CHECK(make_table({parsed(json)}).rows.at(0).checkpoint == "last");
}

TEST_CASE("a line of scores has room for a name of any length") {
  Scores scores;
  scores.summary.env = "cmd:" + std::string(5000, 'x');
  scores.summary.normalized_return = 0.25;
  scores.normalized_return_std = 0.5;
  scores.cost_limit = 5;
  const std::string text = scores_text(scores);
  CHECK(text.starts_with(scores.summary.env + "  return 0.000 +- 0.000 (normalised 0.250 +- 0.500)  cost "));
  CHECK(text.ends_with("kappa 5)  P(cost <= kappa) 0.00 [0.00, 0.00]"));
}
