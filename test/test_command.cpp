// Every command of the README on a small data set: status, and the fields that programs rely on.
#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/isa.h"
#include "scratch_folder.h"
#include "small_run.h"

using namespace r2pac;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(Json::parse(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

void require_keys(const Json& json, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    INFO(key << " in " << json.dump());
    CHECK(json.contains(key));
  }
}

}  // namespace

TEST_CASE("the commands work in the order in which a user meets them") {
  const SmallRun f;
  require_keys(Json::parse(run_program({"data", "info", f.data, "--json"}).out), {"fingerprint"});
  CHECK(run_program({"data", "check", f.data}).status == 0);
  CHECK(run_program({"data", "check", f.data, "--json"}).status == 0);

  const ProgramResult trained = run_program(
      f.train({"--seed", "7", "--schedule", "joint", "--threads", "2", "--set", "log_every=10", "--json"}));
  REQUIRE(trained.status == 0);
  const std::vector<Json> lines = json_lines(trained.out);
  REQUIRE(lines.size() >= 6);
  require_keys(lines[1], {"step", "steps_per_second", "eta_seconds", "loss_q_r", "loss_q_c", "loss_v_r",
                          "loss_v_c", "loss_flow", "threshold", "unsafe", "q_r", "v_r", "grad_q_r"});
  CHECK(json_lines(content(fs::path(f.run) / "metrics.jsonl")).size() == 5);  // steps 1, 10, 20, 30, 40
  for (const char* file : {"config.toml", "manifest.json", "policy.safetensors", "timing.jsonl"})
    CHECK(fs::exists(fs::path(f.run) / file));
  const Json manifest = Json::parse(content(fs::path(f.run) / "manifest.json"));
  CHECK(run_program({"--version"}).out == "r2pac " + manifest["version"].get<std::string>() + " (" +
                                              manifest["commit"].get<std::string>() + ")\n");

  const Json score = Json::parse(
      run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "3", "--seed", "5", "--flow-steps",
                   "4", "--candidates", "2", "--guidance", "1.5", "--label", "null", "--json"})
          .out);
  require_keys(score,
               {"return_mean", "return_std", "cost_mean", "cost_std", "normalized_return", "normalized_cost",
                "cost_limit", "episodes", "seed", "action_spread", "q_cost_spread"});
  CHECK(score["episodes"] == 3);
  CHECK(score["seed"] == 5);
  CHECK(score["label"] == "null");
  CHECK(score["train_seed"] == 7);
  CHECK(score["sampler"].get<std::string>().rfind("CPU, ", 0) == 0);
  CHECK(Json::parse(content(fs::path(f.run) / "eval.json")) == score);
  REQUIRE(score["rows"].size() == 3);
  double sum = 0;
  for (const Json& row : score["rows"]) sum += row["return"].get<double>();
  CHECK(score["return_mean"].get<double>() == Approx(sum / 3));

  const std::string input = f.path("observations");
  std::ofstream(input) << "[0,0,0,0,0,0,0]\n\n{\"observation\": [0.1,0,0,0,0,0,0]}\n";
  for (const std::string& source : {input, std::string("-")}) {
    const ProgramResult sampled = run_program(
        {"sample", f.run, "--obs", source, "--seed", "1", "--candidates", "3", "--flow-steps", "4"}, {}, -1,
        input);
    const std::vector<Json> answers = json_lines(sampled.out);
    REQUIRE(answers.size() == 2);
    require_keys(answers[0], {"action", "chunk", "q_c", "q_r", "v_c", "v_r", "safe"});
    CHECK(answers[0]["action"].size() == 2);
    CHECK(answers[0]["chunk"].size() == 5);
  }

  const ProgramResult values = run_program({"values", f.run, "--data", f.data, "-o", f.path("values.csv")});
  REQUIRE(values.status == 0);
  const std::string csv = content(f.path("values.csv"));
  CHECK(csv.rfind("episode,step,v_r,v_c,q_r,q_c,label,safe\n", 0) == 0);
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + 30 * 96);

  CHECK(run_program({"trace", "--data", f.data, "--hidden", "8", "--batch", "16", "--steps", "2", "--double",
                     "-o", f.path("t.safetensors")})
            .status == 0);
  CHECK(run_program({"inspect", f.run}).status == 0);
  CHECK(run_program({"inspect", f.path("t.safetensors"), "--json"}).status == 0);
  CHECK(run_program({"config", "show", "--task", "CarGoal1"}).out.find("reward_scale = 200") !=
        std::string::npos);
}

TEST_CASE("a policy is scored while it is trained, and each one kept can be scored again") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--schedule", "joint", "--eval-env", "reach-avoid", "--eval-every", "20",
                               "--eval-episodes", "4", "--eval-seed", "3", "--set", "checkpoint_every=20",
                               "--set", "num_candidates=2", "--set", "flow_steps=4"}))
              .status == 0);
  const std::vector<Json> scores = json_lines(content(fs::path(f.run) / "evaluations.jsonl"));
  REQUIRE(scores.size() == 2);
  CHECK(scores[0]["step"] == 20);
  CHECK(scores[0]["safe_best"] == true);
  const auto again = [&](const char* checkpoint) {
    return Json::parse(run_program({"eval", f.run, "--checkpoint", checkpoint, "--episodes", "4", "--seed",
                                    "3", "-o", f.path("again.json"), "--json"})
                           .out);
  };
  // The checkpoint of a step acts as the policy that was scored at it; the last one as the policy.
  for (const auto& [checkpoint, line] : {std::pair{"20", 0}, {"40", 1}, {"last", 1}}) {
    const Json score = again(checkpoint);
    for (const char* key : {"return_mean", "cost_mean", "step", "action_spread"})
      CHECK(score[key] == scores[static_cast<std::size_t>(line)][key]);
  }
  const std::size_t best = scores[1]["safe_best"] == true ? 1 : 0;
  CHECK(again("safe-best")["return_mean"] == scores[best]["return_mean"]);

  for (const auto& [checkpoint, text] :
       {std::pair{"30", "it has 20, 40"}, {"best", "safe-best or a number"}}) {
    const ProgramResult result = run_program({"eval", f.run, "--checkpoint", checkpoint});
    CHECK(result.status == 2);
    CHECK(result.err.find(text) != std::string::npos);
  }
  CHECK(run_program(f.train({"--out", f.path("x"), "--eval-every", "20"})).status == 2);

  SECTION("the flow alone, on the critics of that run") {
    const std::string flow = f.path("flow");
    const ProgramResult trained = run_program(f.train({"--critics", f.run, "--out", flow}));
    REQUIRE(trained.status == 0);
    CHECK(trained.out.find("taking the critics of ") != std::string::npos);
    CHECK(json_lines(content(fs::path(flow) / "metrics.jsonl")).back()["phase"] == "actor");
  }
}

TEST_CASE("training speaks within a second, a line an interval") {
  const SmallRun f;
  std::vector<std::string> arguments = f.train({"--schedule", "sequential", "--set", "log_every=10"});
  *std::find(arguments.begin(), arguments.end(), "40") = "100000";  // steps
  Process program(arguments);
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(program.prints("\n"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
  CHECK(program.out().rfind("training on " + f.data + " (task ReachAvoid), seed 0, ", 0) == 0);
  REQUIRE(program.prints("\ncritics 10/200000  "));
  program.signal(SIGTERM);
  const ProgramResult result = program.wait();
  CHECK(result.status == 75);
  CHECK(result.err.empty());
  // No bar where there is no terminal, and the last line says how to go on.
  CHECK(result.out.find('\r') == std::string::npos);
  CHECK(result.out.ends_with("; the same command continues\n"));
  const std::string line = result.out.substr(result.out.find("\ncritics 10/"));
  CHECK(line.find('\n', 1) <= 81);  // it fits a terminal; metrics.jsonl has the rest
  for (const char* word : {" steps/s  ETA ", "  V_r ", "  V_c "}) CHECK(line.find(word) < line.find('\n', 1));
}

TEST_CASE("data sets are a function of their seed, and a run goes on in another folder") {
  const SmallRun f;
  const auto make = [&](const std::string& name, const std::string& seed) {
    REQUIRE(
        run_program({"data", "make", "reach-avoid", "-o", f.path(name), "--episodes", "30", "--seed", seed})
            .status == 0);
    return Json::parse(run_program({"data", "info", f.path(name), "--json"}).out)["fingerprint"];
  };
  CHECK(make("same.hdf5", "3") == make("reach-avoid.hdf5", "3"));
  CHECK(make("same.hdf5", "3") != make("other.hdf5", "4"));

  const std::vector<std::string> checkpoints = {"--set", "checkpoint_every=10", "--quiet"};
  REQUIRE(run_program(f.train(checkpoints)).status == 0);
  std::vector<std::string> elsewhere = {"--out", f.path("elsewhere"), "--resume",
                                        f.run + "/checkpoints/step-000000070.safetensors"};
  elsewhere.insert(elsewhere.end(), checkpoints.begin(), checkpoints.end());
  REQUIRE(run_program(f.train(elsewhere)).status == 0);
  for (const char* file : {"/metrics.jsonl", "/policy.safetensors"}) {
    INFO(file);
    const bool same = content(f.run + file) == content(f.path("elsewhere") + file);
    CHECK(same);
  }
}

TEST_CASE("quiet training prints its last line only, and the same settings come back from config.toml") {
  const SmallRun f;
  const ProgramResult first = run_program(f.train({"--quiet"}));
  REQUIRE(first.status == 0);
  CHECK(std::count(first.out.begin(), first.out.end(), '\n') == 1);
  const ProgramResult again =
      run_program({"train", "--data", f.data, "--config", (fs::path(f.run) / "config.toml").string(), "--out",
                   f.path("again"), "--quiet"});
  REQUIRE(again.status == 0);
  const bool same = content(fs::path(f.run) / "policy.safetensors") ==
                    content(fs::path(f.path("again")) / "policy.safetensors");
  CHECK(same);
}

TEST_CASE("each instruction set and oneDNN can be forced, and an unknown one is refused") {
  const SmallRun f;
  for (const Isa isa : kIsas) {
    if (isa > current_isa()) continue;
    const std::string name = isa_name(isa);
    CHECK(run_program(f.train({"--out", f.path(name)}), {"R2PAC_ISA=" + name}).status == 0);
  }
  CHECK(run_program(f.train({"--out", f.path("onednn")}), {"R2PAC_GEMM=onednn"}).status == 0);
  CHECK(run_program(f.train({"--out", f.path("x")}), {"R2PAC_ISA=avx3"}).status == 4);
  CHECK(run_program(f.train({"--out", f.path("y")}), {"R2PAC_GEMM=mkl"}).status == 4);
}

TEST_CASE("another threshold for the choice by region can be given") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  const auto score = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"eval", f.run, "--env", "reach-avoid", "--episodes", "3", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Json json = Json::parse(run_program(arguments).out);
    return std::pair{json["rows"], json["threshold"].get<double>() - json["trained_threshold"].get<double>()};
  };
  const auto least_cost = score({}), region = score({"--select", "region"});
  CHECK(region.second == 0);
  CHECK(region.first != least_cost.first);
  // Below every value no state is safe, so that the least cost is taken.
  const auto never = score({"--select", "region", "--threshold", "-1e9"});
  CHECK(never.second < -1e8);
  CHECK(never.first == least_cost.first);
  CHECK(run_program({"eval", f.run, "--threshold", "x"}).status == 2);

  // Without one it is l, but at most the cost limit as a value.
  for (const char* limit : {"1e-3", "1e6"}) {
    const std::string run = f.path(limit);
    REQUIRE(run_program(f.train({"--out", run, "--set", "alpha=1", "--set", "learning_rate=0.01", "--set",
                                 std::string("cost_limit=") + limit}))
                .status == 0);
    const Json scores = Json::parse(run_program({"eval", run, "--episodes", "1", "--json"}).out),
               metadata = Json::parse(run_program({"inspect", run, "--json"}).out)["metadata"];
    const double l = std::stod(metadata["threshold"].get<std::string>()),
                 value = std::stod(metadata["value_limit"].get<std::string>());
    CHECK((limit == std::string("1e6")) == (l < value));
    CHECK(scores["trained_threshold"] == std::min(l, value));
    const Json checkpoint =
        Json::parse(run_program({"eval", run, "--checkpoint", "80", "--episodes", "1", "--json"}).out);
    CHECK((limit == std::string("1e-3")) == (checkpoint["trained_threshold"] == value));
  }
  CHECK(run_program({"eval", f.run, "--threshold", "nan"}).status == 2);
}

TEST_CASE("the CPU acts and trains in bf16 where it has the instructions") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  const std::vector<std::string> eval = {"eval", f.run, "--env", "reach-avoid", "--episodes", "3", "--json"};
  const auto with = [](std::vector<std::string> arguments, const std::string& precision) {
    arguments.insert(arguments.end(), {"--precision", precision});
    return arguments;
  };
  const ProgramResult plain = run_program(eval), rounded = run_program(with(eval, "bf16"));
  if (has_bf16_products()) {
    REQUIRE(rounded.status == 0);
    const double a = Json::parse(plain.out)["return_mean"], b = Json::parse(rounded.out)["return_mean"];
    CHECK(a != b);
    CHECK(std::abs(a - b) < 0.5);  // an episode of this robot earns some units
  } else {
    CHECK(rounded.status == 6);
  }
  const ProgramResult elsewhere = run_program(with(eval, "bf16"), {"R2PAC_ISA=baseline"});
  CHECK(elsewhere.status == 6);
  CHECK(elsewhere.err.find("AVX-512 BF16") != std::string::npos);
  CHECK(run_program(with(eval, "tf32")).status == 2);
  CHECK(run_program(with(f.train({"--out", f.path("x")}), "bf16"), {"R2PAC_ISA=baseline"}).status == 6);
  CHECK(!fs::exists(f.path("x")));
  if (!has_bf16_products()) return;
  REQUIRE(run_program(with(f.train({"--out", f.path("x")}), "bf16")).status == 0);
  const Json manifest = Json::parse(content(f.path("x") + "/manifest.json"));
  CHECK_THAT(manifest["machine"]["device_description"].get<std::string>(), Catch::Contains("bf16"));
  const auto scores = [&](const std::string& run) {
    return Json::parse(run_program({"eval", run, "--env", "reach-avoid", "--episodes", "3", "--json"})
                           .out)["return_mean"]
        .get<double>();
  };
  CHECK(scores(f.path("x")) != scores(f.run));
  // Going on in another precision is said; in the same one, or in fp32 all along, nothing is.
  const auto going_on = [&](const std::string& run, const std::string& precision) {
    const ProgramResult result =
        run_program(with(f.train({"--resume", run, "--out", f.path("on")}), precision));
    REQUIRE(result.status == 0);
    fs::remove_all(f.path("on"));
    return result.err.find("until here the run was trained in") != std::string::npos;
  };
  CHECK(going_on(f.path("x"), "fp32"));
  CHECK(going_on(f.run, "bf16"));
  CHECK(!going_on(f.path("x"), "bf16"));
  CHECK(!going_on(f.run, "fp32"));
}

TEST_CASE("what an actor does not read is said where it is given") {
  const ScratchFolder folder;
  REQUIRE(run_program({"data", "make", "reach-avoid", "-o", folder / "d.hdf5", "--episodes", "10"}).status ==
          0);
  for (const std::string method : {"caps", "bcrl", "fisor"}) {
    INFO(method);
    const std::string run = folder / method;
    REQUIRE(run_program({"train", "--data", folder / "d.hdf5", "--task", "ReachAvoid", "--out", run,
                         "--method", method, "--preset", "tiny", "--steps", "5"})
                .status == 0);
    const auto said = [&](const std::vector<std::string>& more) {
      std::vector<std::string> arguments = {"eval", run, "--env", "reach-avoid", "--episodes", "1"};
      arguments.insert(arguments.end(), more.begin(), more.end());
      const ProgramResult result = run_program(arguments);
      CHECK(result.status == 0);
      return result.err;
    };
    CHECK(said({}).find("changes nothing") == std::string::npos);
    const std::string err = said({"--select", "region", "--flow-steps", "3", "--set", "budget=half"});
    CHECK_THAT(err, Catch::Contains("warning: `flow_steps` changes nothing"));
    const bool switches = method != "fisor";
    CHECK((err.find("`selection` changes nothing") != std::string::npos) == switches);
    CHECK((err.find("`budget` changes nothing") != std::string::npos) == switches);
  }
}

TEST_CASE("bench reports rows with the peak's share") {
  const ProgramResult result = run_program({"bench", "kernels", "--json"});
  REQUIRE(result.status == 0);
  const Json json = Json::parse(result.out);
  REQUIRE(json["rows"].size() > 5);
  std::set<std::string> names;
  for (const Json& row : json["rows"]) {
    require_keys(
        row, {"name", "shape", "threads", "median_ms", "gflop", "gflops", "peak", "peak_fraction", "noisy"});
    CHECK(names.insert(row["name"].get<std::string>()).second);
    CHECK((row["gflop"] == 0) == row.contains("gigabytes_per_second"));
  }
  require_keys(json, {"version", "commit", "processor", "utc", "instruction_set", "precision"});
}

TEST_CASE("bench measures the rows that are wanted, and writes them in the form of the file's ending") {
  const ScratchFolder scratch;
  const auto bench = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "bench");
    return run_program(words);
  };
  for (const char* ending : {"md", "csv", "json"}) {
    const std::string file = scratch / (std::string("rows.") + ending);
    const ProgramResult result = bench({"kernels", "--filter", "quantile", "--trials", "1", "-o", file});
    INFO(result.err);
    REQUIRE(result.status == 0);
    const std::string text = content(file);
    CHECK(text.find("batch quantile") != std::string::npos);
    CHECK(text.find("forward") == std::string::npos);
    CHECK((ending == std::string("md")) == (text == result.out));
  }
  const Json json = Json::parse(content(scratch / "rows.json"));
  REQUIRE(json["rows"].size() == 1);
  CHECK(json["rows"][0]["trials"] >= 1);
  // Up to four times as many as asked, where they take less than half a second.
  CHECK(json["rows"][0]["trials"] <= 4);
  CHECK(bench({"kernels", "--filter", "no such row"}).status == 2);
  const ProgramResult peak = bench({"peak", "--filter", "fp32: registers", "--trials", "1", "--json"});
  REQUIRE(peak.status == 0);
  const Json peaks = Json::parse(peak.out)["rows"];
  REQUIRE(peaks.size() == 1);  // the text may reach from the name into the shape
  CHECK(peaks[0]["name"] == "multiply-adds, fp32");
  CHECK(peaks[0]["peak"] > 0);
  CHECK(bench({"peak", "--precision", "bf16"}).status == 2);
  CHECK(bench({"kernels", "--batch", "3"}).status == 2);
  CHECK(bench({"step", "--flow-steps", "3"}).status == 2);
  CHECK(bench({"step", "-o", scratch / "rows.txt"}).status == 2);
  CHECK(bench({"step", scratch / "rows.json"}).status == 2);
}

TEST_CASE("bench measures a step and an action of sizes that are named") {
  for (const std::string method : {"r2pac", "cpq"}) {
    const ProgramResult step =
        run_program({"bench", "step", "--method", method, "--preset", "tiny", "--observation", "7",
                     "--action", "3", "--trials", "1", "--json"});
    INFO(step.err);
    REQUIRE(step.status == 0);
    const Json rows = Json::parse(step.out)["rows"];
    REQUIRE(rows.size() == 1);
    CHECK(rows[0]["name"] == method + ", one step of all its parts");
    CHECK(rows[0]["shape"].get<std::string>().starts_with("obs 7, act 3, "));
    CHECK(rows[0]["gflop"] > 0);
  }
  const ProgramResult action =
      run_program({"bench", "action", "--hidden", "16,16", "--flow-steps", "3", "--trials", "1", "--json"});
  INFO(action.err);
  REQUIRE(action.status == 0);
  CHECK(Json::parse(action.out)["rows"][0]["shape"] == "1 obs, 16 candidates, 3 flow steps, 2 x 16");
}

TEST_CASE("bench compare ends with 1 where a row is slower beyond its quartiles") {
  const ScratchFolder scratch;
  const auto write = [&](const std::string& name, double lower, double median, double upper,
                         const std::string& precision = "") {
    const Json row = {{"name", "forward"}, {"shape", "8 x 8"},  {"threads", 1},         {"median_ms", median},
                      {"lower_ms", lower}, {"upper_ms", upper}, {"peak_fraction", 0.5}, {"noisy", false}};
    Json file = {{"processor", "one"}, {"rows", {row}}};
    if (!precision.empty()) file["precision"] = precision;
    std::ofstream(scratch / name) << file;
    return scratch / name;
  };
  const auto compare = [&](const std::string& a, const std::string& b, const std::string& percent = "5") {
    return run_program({"bench", "compare", a, b, "--percent", percent});
  };
  const std::string before = write("before.json", 0.9, 1.0, 1.1),
                    slower = write("slower.json", 1.2, 1.3, 1.4), wide = write("wide.json", 1.0, 1.3, 1.6),
                    faster = write("faster.json", 0.6, 0.7, 0.8);
  CHECK(compare(before, slower).status == 1);
  CHECK(compare(before, slower).out.find("| slower |") != std::string::npos);
  CHECK(compare(before, slower, "40").status == 0);
  CHECK(compare(before, wide).status == 0);
  CHECK(compare(before, faster).status == 0);
  CHECK(compare(before, faster).out.find("| faster |") != std::string::npos);
  const std::string fp32 = write("fp32.json", 0.9, 1.0, 1.1, "fp32"),
                    bf16 = write("bf16.json", 0.9, 1.0, 1.1, "bf16");
  CHECK(compare(fp32, bf16).out.find("the precisions differ") != std::string::npos);
  CHECK(compare(before, bf16).out.find("differ") == std::string::npos);
  CHECK(run_program({"bench", "compare", before}).status == 2);
  for (const char* text :
       {"", "{", "[]", R"({"rows": 3})", R"({"rows": [3]})", R"({"rows": []})",
        R"({"rows": [{"name": "a", "shape": "b", "median_ms": -1, "lower_ms": 1, "upper_ms": 1}]})",
        R"({"rows": [{"name": 1, "shape": "b", "median_ms": 1, "lower_ms": 1, "upper_ms": 1}]})"}) {
    std::ofstream(scratch / "odd.json") << text;
    INFO(text);
    CHECK(compare(before, scratch / "odd.json").status == 3);
  }
}

TEST_CASE("a run that is named goes on with its own settings and data for more steps") {
  const SmallRun f;
  std::vector<std::string> whole = f.train({"--schedule", "joint", "--seed", "7", "--out", f.path("whole")});
  *(std::find(whole.begin(), whole.end(), "--steps") + 1) = "60";
  REQUIRE(run_program(whole).status == 0);
  REQUIRE(run_program(f.train({"--schedule", "joint", "--seed", "7"})).status == 0);
  const std::string before = content(f.run + "/policy.safetensors");
  const ProgramResult longer = run_program({"train", "--resume", f.run, "--set", "steps=60"});
  INFO(longer.err);
  REQUIRE(longer.status == 0);
  CHECK(longer.out.find("continuing at step 40") != std::string::npos);
  for (const char* file : {"policy.safetensors", "metrics.jsonl"})
    CHECK((content(f.run + "/" + file) == content(f.path("whole/") + file)));
  CHECK((content(f.run + "/policy.safetensors") != before));
  CHECK(run_program({"train", "--resume", f.run, "--set", "steps=70", "--set", "alpha=0.5"}).status == 4);
  CHECK(run_program({"train", "--resume", f.run, "--set", "steps=50"}).status == 4);
  for (const std::string& from : {std::string("auto"), f.path("none")}) {
    const ProgramResult refused = run_program({"train", "--resume", from});
    CHECK(refused.status == 2);
    CHECK(refused.err.find("--data is required") != std::string::npos);
  }
}
