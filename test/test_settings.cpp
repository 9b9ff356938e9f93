// Settings: their table, their order of precedence, their file, and what is refused.
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "base/error.h"
#include "failure.h"
#include "scratch_folder.h"
#include "settings/methods.h"
#include "settings/settings.h"

using namespace r2pac;

namespace {

/// A value other than the default for every key, as the command line spells it.
const std::map<std::string, std::string> kOtherValues = {{"method", "cloning"},
                                                         {"form", "consistent"},
                                                         {"dead_terms", "true"},
                                                         {"task", "CarGoal1"},
                                                         {"seed", "9007199254740992"},
                                                         {"schedule", "joint"},
                                                         {"steps", "12"},
                                                         {"critic_steps", "7"},
                                                         {"distill_steps", "9"},
                                                         {"hidden", "3,1,4"},
                                                         {"actor_hidden", "5"},
                                                         {"vae_hidden", "7,6"},
                                                         {"heads", "3"},
                                                         {"batch", "9"},
                                                         {"chunk_length", "2"},
                                                         {"discount", "0.1"},
                                                         {"expectile", "0.30000000000000004"},
                                                         {"cost_expectile", "0.97"},
                                                         {"alpha", "1"},
                                                         {"penalty", "1e-300"},
                                                         {"penalty_reading", "direct"},
                                                         {"bounded_values", "false"},
                                                         {"cost_ceiling", "4"},
                                                         {"reward_scale", "200"},
                                                         {"cost_scale", "0.333"},
                                                         {"cost_limit", "0"},
                                                         {"greatest_limit", "3"},
                                                         {"threshold_ema", "0.5"},
                                                         {"backup", "feasibility"},
                                                         {"feasibility_scale", "1"},
                                                         {"threshold", "zero"},
                                                         {"hold_out", "0.1"},
                                                         {"episodes", "within-limit"},
                                                         {"timeouts", "terminal"},
                                                         {"pad_terminals", "true"},
                                                         {"normalize_observations", "true"},
                                                         {"normal_scores", "all"},
                                                         {"twin_critics", "false"},
                                                         {"layer_norm", "true"},
                                                         {"activation", "gelu_tanh"},
                                                         {"initializer", "xavier"},
                                                         {"learning_rate", "1e-5"},
                                                         {"rate_decay", "cosine"},
                                                         {"adam_beta1", "0"},
                                                         {"adam_beta2", "0.5"},
                                                         {"adam_epsilon", "1e-7"},
                                                         {"polyak", "1"},
                                                         {"actor", "gaussian"},
                                                         {"advantage_temperature", "3"},
                                                         {"weight_cap", "20"},
                                                         {"label_rule", "reward"},
                                                         {"gate_weight", "2"},
                                                         {"distill_flow_steps", "8"},
                                                         {"label_dropout", "0"},
                                                         {"label_dim", "8"},
                                                         {"act_with", "flow"},
                                                         {"guidance_scale", "1.5"},
                                                         {"flow_steps", "4"},
                                                         {"num_candidates", "1"},
                                                         {"selection", "region"},
                                                         {"label", "null"},
                                                         {"region_bound", "0.5"},
                                                         {"bound_scale", "0.15"},
                                                         {"budget", "half"},
                                                         {"log_every", "3"},
                                                         {"checkpoint_every", "5"},
                                                         {"keep_checkpoints", "3"}};

ResolvedSettings with(std::vector<std::string> overrides) {
  SettingsRequest request;
  request.overrides = std::move(overrides);
  return resolve_settings(request);
}

std::string toml_of(const Settings& settings) { return settings_toml({settings, {}}); }

}  // namespace

TEST_CASE("every setting is in the table, reads back from its own file, and shows as a difference") {
  const std::vector<SettingInfo> table = settings_fields();
  REQUIRE(table.size() == kOtherValues.size());
  Settings all_changed;
  for (const SettingInfo& info : table) {
    INFO(info.key);
    const std::string key(info.key);
    CHECK_FALSE(info.doc.empty());
    CHECK_FALSE(info.range.empty());
    REQUIRE(kOtherValues.count(key) == 1);
    Settings changed = with({key + "=" + kOtherValues.at(key)}).values;
    if (key == "task" || key == "method" || key == "backup")  // without what goes with them
      changed = parse_settings(key + " = \"" + kOtherValues.at(key) + "\"", "");

    const std::vector<SettingDifference> found = differences(Settings{}, changed);
    REQUIRE(found.size() == 1);
    CHECK(found[0].key == key);
    CHECK(found[0].first == setting_text(Settings{}, key));
    CHECK(found[0].second == setting_text(changed, key));
    CHECK(found[0].info.stage == info.stage);
    CHECK(differences(changed, parse_settings(toml_of(changed), "")).empty());
  }
  std::vector<std::string> overrides;
  for (const auto& [key, text] : kOtherValues)
    if (key != "method" && key != "backup") overrides.push_back(key + "=" + text);
  all_changed = with(overrides).values;
  all_changed.method = kOtherValues.at("method");  // these two contradict others
  all_changed.backup = Backup::feasibility;
  CHECK(differences(Settings{}, all_changed).size() == table.size());
  CHECK(differences(all_changed, parse_settings(toml_of(all_changed), "")).empty());
  CHECK(all_changed.penalty == 1e-300);
  CHECK(all_changed.expectile == 0.30000000000000004);
  CHECK(all_changed.hidden == std::vector<int>{3, 1, 4});
}

TEST_CASE("doubles of any size come back from the file bit by bit") {
  std::mt19937_64 bits(3);
  const auto significand = [&] { return std::ldexp(static_cast<double>(bits() >> 11), -53); };
  for (int i = 0; i < 2000; ++i) {
    Settings s;
    s.alpha = significand();
    s.penalty = std::ldexp(significand(), 29 - i % 1100);  // below 1e9, down to the least there is
    s.cost_limit = std::ldexp(significand(), -i % 60);
    s.learning_rate = std::nextafter(s.penalty, 1e30);
    const Settings back = parse_settings(toml_of(s), "");
    // Equal as numbers is equal in bits here: no zero has a sign, nothing is NaN.
    REQUIRE(back.alpha == s.alpha);
    REQUIRE(back.penalty == s.penalty);
    REQUIRE(back.cost_limit == s.cost_limit);
    REQUIRE(back.learning_rate == s.learning_rate);
  }
}

TEST_CASE("the defaults are the paper's") {
  const Settings s;
  CHECK(s.steps == 600000);
  CHECK(s.resolved_critic_steps() == 600000);
  CHECK(s.hidden == std::vector<int>(4, 512));
  CHECK(s.batch == 1024);
  CHECK(s.discount == 0.99);
  CHECK(s.learning_rate == 3e-4);
  CHECK(s.polyak == 0.005);
  CHECK(s.flow_steps == 32);
  CHECK(s.num_candidates == 16);
  // The default of every key is inside its own range.
  CHECK(differences(s, parse_settings(toml_of(s), "")).empty());
}

TEST_CASE("what no trained number depends on may differ on resume") {
  const std::set<std::string_view> free = {
      "guidance_scale", "flow_steps",   "num_candidates",   "selection",
      "label",          "region_bound", "bound_scale",      "budget",
      "act_with",       "log_every",    "checkpoint_every", "keep_checkpoints"};
  for (const SettingInfo& info : settings_fields()) {
    INFO(info.key);
    CHECK(info.trains() == !free.contains(info.key));
  }
}

TEST_CASE("what a method needs goes with it, and what contradicts it is refused") {
  const ResolvedSettings r = with({"method=cloning"});
  CHECK(r.values.label_dropout == 1);
  CHECK(r.values.label == ActingLabel::null);
  CHECK(r.values.num_candidates == 1);
  CHECK(r.origin.at("label") == "method=cloning");
  CHECK(with({"method=cloning", "guidance_scale=2"}).values.guidance_scale ==
        2);  // which acting does not ask for
  for (const char* other : {"label=1", "num_candidates=16", "label_dropout=0.1"}) {
    INFO(other);
    try {
      with({other, "method=cloning"});
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::settings);
      CHECK(std::string(error.what()).find("method") != std::string::npos);
    }
  }
  CHECK(with({"label_dropout=1.0", "method=cloning"}).values.label_dropout == 1);

  const ResolvedSettings safe = with({"method=safe-chunks"});
  CHECK(safe.values.threshold == Threshold::limit);
  CHECK(safe.values.penalty_reading == PenaltyReading::none);
  CHECK(safe.values.label_rule == LabelRule::allowed);
  CHECK(safe.values.layer_norm);
  CHECK(safe.values.normalize_observations);
  CHECK(safe.values.selection == Selection::region);
  CHECK(safe.values.budget == BudgetRule::half);
  CHECK(with({"method=safe-chunks", "budget=none"}).values.budget == BudgetRule::none);
  CHECK(with({"method=safe-chunks", "actor=one-step"}).values.actor == ActorKind::one_step);
  CHECK_THROWS_WITH(with({"method=safe-chunks", "actor=gaussian"}), Catch::Contains("actor"));
  CHECK_THROWS_WITH(with({"method=cloning", "actor=one-step"}), Catch::Contains("actor"));
  CHECK_THROWS_WITH(with({"method=safe-chunks", "penalty_reading=direct"}),
                    Catch::Contains("penalty_reading"));

  const ResolvedSettings budgeted = with({"method=budgeted"});
  std::vector<std::string> others;
  for (const SettingDifference& difference : differences(budgeted.values, safe.values))
    others.emplace_back(difference.key);
  CHECK(others == std::vector<std::string>{"method", "cost_expectile", "cost_ceiling", "rate_decay",
                                           "guidance_scale", "flow_steps", "num_candidates", "bound_scale",
                                           "budget"});
  CHECK(budgeted.values.budget == BudgetRule::remaining);
  for (const char* other :
       {"threshold=quantile", "penalty_reading=direct", "backup=feasibility", "actor=gaussian"})
    CHECK_THROWS_WITH(with({"method=budgeted", other}), Catch::Contains("budgeted"));

  CHECK(with({"backup=feasibility"}).values.threshold == Threshold::zero);
  CHECK(with({"threshold=zero", "backup=feasibility"}).values.threshold == Threshold::zero);
  CHECK_THROWS_WITH(with({"backup=feasibility", "threshold=quantile"}),
                    Catch::Contains("threshold") && Catch::Contains("quantile") && Catch::Contains("backup"));
  CHECK(with({"method=safe-chunks", "backup=feasibility"}).values.cost_ceiling == 0);
  CHECK_THROWS_WITH(with({"method=safe-chunks", "backup=feasibility", "cost_ceiling=4"}),
                    Catch::Contains("cost_ceiling") && Catch::Contains("backup"));
}

TEST_CASE("a preset of sizes comes after the task's and before everything that is given") {
  SettingsRequest request;
  request.preset = "quick";
  request.overrides = {"task=BallRun", "batch=64", "method=safe-chunks"};
  const ResolvedSettings r = resolve_settings(request);
  CHECK(r.values.hidden == std::vector<int>{128, 128, 128});
  CHECK(r.origin.at("hidden") == "preset quick");
  CHECK(r.values.batch == 64);
  CHECK(r.origin.at("batch") == "--set");
  CHECK(r.origin.at("alpha") == "preset BallRun");
  CHECK(r.values.layer_norm);
  for (const RunPreset& preset : run_presets()) CHECK_FALSE(preset.description.empty());
  CHECK(settings_of(run_preset("mini"), "r2pac") != settings_of(run_preset("mini"), "safe-chunks"));
  for (const MethodInfo& method : method_list())
    for (const char* size : {"mini", "tiny"}) CHECK(run_preset(size).is_for(method.name));
  request.preset = "navigation";
  request.overrides = {"task=PointGoal1", "method=safe-chunks", "discount=0.9"};
  const ResolvedSettings far = resolve_settings(request);
  CHECK(far.values.chunk_length == 20);
  CHECK(far.origin.at("chunk_length") == "preset navigation");
  CHECK(far.values.cost_expectile == 0.5);  // the method's own is another
  CHECK(far.values.discount == 0.9);
  CHECK(far.values.layer_norm);
  request.overrides = {"task=PointGoal1"};
  CHECK_THROWS_WITH(resolve_settings(request), Catch::Contains("navigation") && Catch::Contains("r2pac"));
  request.preset = "quik";
  CHECK_THROWS_WITH(resolve_settings(request), Catch::Contains("quik"));
}

TEST_CASE("acting is what a trained policy may change") {
  Settings s;
  change_acting(s, {"num_candidates=4", "selection=region", "region_bound=2.5", "label=null"});
  CHECK(s.num_candidates == 4);
  CHECK(s.selection == Selection::region);
  CHECK(s.region_bound == 2.5);
  change_acting(s, {"region_bound=auto"});
  CHECK_FALSE(s.region_bound.has_value());
  const auto code = [&](const std::string& text) {
    try {
      change_acting(s, {text});
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::ok;
  };
  CHECK(code("alpha=0.5") == ExitCode::settings);  // settled by training
  CHECK(code("num_candidates=0") == ExitCode::settings);
  CHECK(code("num_candidates") == ExitCode::usage);
  CHECK(code("region_bound=nan") == ExitCode::settings);
  CHECK(s.num_candidates == 4);
}

TEST_CASE("files of earlier versions say one word for two choices") {
  const Settings yes = parse_settings("timeouts_are_terminal = true", ""),
                 no = parse_settings("timeouts_are_terminal = false", "");
  CHECK(yes.timeouts == Timeouts::terminal);
  CHECK(yes.threshold == Threshold::limit);
  CHECK(differences(no, Settings{}).empty());
  CHECK_THROWS_AS(parse_settings("timeouts_are_terminal = 1", ""), Error);
  CHECK_THROWS_AS(with({"timeouts_are_terminal=true"}), Error);  // in old files only
}

TEST_CASE("flag over --set over file over preset over default, and the origin is kept") {
  const ScratchFolder folder;
  const std::string file = (folder.path / "run.toml").string();
  std::ofstream(file) << "# mine\nalpha = 0.6\npenalty = 3\nseed = 4\n";
  SettingsRequest request;
  request.data_file = "/data/SafetyCarButton2-v0-300-3755.hdf5";  // not this task's published name
  ResolvedSettings r = resolve_settings(request);
  CHECK(r.values.task.empty());
  request.data_file = "/data/SafetyCarButton2Gymnasium-v0-300-3755.hdf5";
  r = resolve_settings(request);
  CHECK(r.values.task == "CarButton2");
  CHECK(r.origin.at("task") == "file name");
  CHECK(r.values.alpha == 0.5);
  CHECK(r.origin.at("alpha") == "preset CarButton2");
  CHECK(r.values.reward_scale == 200);
  CHECK(r.origin.at("discount") == "default");

  request.config_file = file;
  request.overrides = {"penalty=4", "seed=5", "penalty=5"};
  request.flags = {{"seed", "6"}, {"hidden", "16,16"}};
  r = resolve_settings(request);
  CHECK(r.values.alpha == 0.6);
  CHECK(r.origin.at("alpha") == file + ":2:9");
  CHECK(r.values.penalty == 5);  // the last --set wins
  CHECK(r.origin.at("penalty") == "--set");
  CHECK(r.values.seed == 6);
  CHECK(r.origin.at("seed") == "--seed");
  CHECK(r.values.hidden == std::vector<int>{16, 16});
  CHECK(r.values.reward_scale == 200);
  CHECK(r.origin.size() == settings_fields().size());

  // A named task beats the file's name, wherever it stands, and brings its preset below everything else.
  std::ofstream(file, std::ios::app) << "task = \"offlineballrun-V0\"\n";
  r = resolve_settings(request);
  CHECK(r.values.task == "BallRun");
  CHECK(r.values.reward_scale == 1);
  CHECK(r.values.cost_limit == 5);
  CHECK(r.values.alpha == 0.6);
  request.flags.push_back({"task", "HalfCheetahVelocity"});
  r = resolve_settings(request);
  CHECK(r.values.chunk_length == 1);
  CHECK(r.origin.at("task") == "--task");
  request.flags.push_back({"task", ""});
  CHECK(resolve_settings(request).values.reward_scale == 1);
  CHECK(resolve_settings(request).values.task.empty());
}

TEST_CASE("the written file tells meaning, range and origin") {
  std::ostringstream out;
  write_settings(out, with({"task=BallRun", "threshold_ema=0.25"}));
  CHECK(out.str().find(
            "quantile of V_c that bounds the safe region; [0, 1]  (preset BallRun)\nalpha = 0.5\n") !=
        std::string::npos);
  CHECK(out.str().find("[0, 1)  (--set)\nthreshold_ema = 0.25\n") != std::string::npos);
}

TEST_CASE("values outside their range are refused with key, value and range") {
  for (const char* text : {"batch=0",
                           "batch=65537",
                           "seed=-1",
                           "seed=9007199254740993",
                           "seed=99999999999999999999",
                           "steps=0",
                           "critic_steps=-2",
                           "discount=0",
                           "discount=1",
                           "expectile=1",
                           "alpha=-0.001",
                           "alpha=1.001",
                           "alpha=nan",
                           "alpha=inf",
                           "alpha=",
                           "alpha= 0.5",
                           "alpha=0.5x",
                           "alpha=0,5",
                           "reward_scale=0",
                           "threshold_ema=1",
                           "polyak=0",
                           "hidden=",
                           "hidden=[",
                           "hidden=0",
                           "hidden=16385",
                           "hidden=512,",
                           "hidden=5 12",
                           "hidden=1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
                           "schedule=Joint",
                           "schedule=",
                           "twin_critics=1",
                           "activation=identity",
                           "keep_checkpoints=0",
                           "batch=1e3",
                           "penalty=-1",
                           "learning_rate=0"}) {
    INFO(text);
    const std::string assignment = text, key = assignment.substr(0, assignment.find('='));
    const std::string message = failure([&] { with({assignment}); });
    CHECK(message.rfind(
              "4 | `" + key + "` cannot be `" + assignment.substr(key.size() + 1) + "` | --set | allowed: ",
              0) == 0);
  }
  CHECK(failure([] { with({"batch=0"}); }) == "4 | `batch` cannot be `0` | --set | allowed: [1, 65536]");
  SettingsRequest request;
  request.flags = {{"batch", "many"}};
  CHECK(failure([&] { resolve_settings(request); }) ==
        "2 | `batch` cannot be `many` | --batch | allowed: [1, 65536]");
}

TEST_CASE("letters beyond ASCII are text within a string, and refused outside it where they stand") {
  // One of each block of letters that toml++ takes for spaces until it looks closer.
  for (const std::string letter : {"\u00e9", "\u03b1", "\u0416", "\u2c60", "\ufb26", "\uff21"}) {
    INFO(letter);
    CHECK(failure_of_toml(letter + " = 1").find("| run.toml:1:1 |") != std::string::npos);
    CHECK(failure_of_toml("steps " + letter + " = 1").find("| run.toml:1:7 |") != std::string::npos);
    CHECK(failure_of_toml("steps = 1 " + letter).find("| run.toml:1:11 |") != std::string::npos);
    CHECK(failure_of_toml("# " + letter + "\ntask = \"" + letter + "\"").find("unknown task `" + letter + "`") !=
          std::string::npos);
    CHECK(failure_of_toml("task = \"\"\"a\\\n  " + letter + "\"\"\"").find("unknown task `a" + letter + "`") !=
          std::string::npos);
  }
}

TEST_CASE("unknown keys and tasks are refused with the nearest name") {
  CHECK(failure([] {
          with({"alfa=1"});
        }).rfind("4 | unknown key `alfa` | --set | did you mean `alpha`?", 0) == 0);
  CHECK(failure([] { with({"discout=1"}); }).find("did you mean `discount`?") != std::string::npos);
  CHECK(failure([] { with({"alpha"}); }).rfind("2 | `alpha` is not of the form key=value | --set", 0) == 0);
  CHECK(failure([] { with({"=1"}); }).rfind("2 | `=1` is not of the form key=value", 0) == 0);
  CHECK(failure([] { with({"task=BalRun"}); }) ==
        "4 | unknown task `BalRun` | --set | did you mean `BallRun`?");
  CHECK(failure_of_toml("\ntask = \"BalRun\"") ==
        "4 | unknown task `BalRun` | run.toml:2:8 | did you mean `BallRun`?");
  SettingsRequest request;
  request.flags = {{"task", "BalRun"}};
  CHECK(failure([&] { resolve_settings(request); }) ==
        "2 | unknown task `BalRun` | --task | did you mean `BallRun`?");
  CHECK(failure([] { setting_text(Settings{}, "steqs"); }).find("did you mean `steps`?") !=
        std::string::npos);
}
