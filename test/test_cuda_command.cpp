// The command on a CUDA device: each verb that computes, end to end.
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "small_run.h"

using namespace r2pac;

namespace {

const std::string kDevice = R2PAC_CUDA_DEVICE;

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

ProgramResult succeed(const std::vector<std::string>& arguments) {
  const ProgramResult result = run_program(arguments);
  INFO(result.err);
  REQUIRE(result.status == 0);
  return result;
}

/// The policy of the run answers the questions on the device as on the CPU, actions to 1e-4 and values to
/// `value_error`, and can be scored there.
void check_same_answers(const SmallRun& f, const std::vector<std::string>& questions,
                        const std::vector<std::string>& options, double value_error) {
  std::ofstream file(f.path("questions.jsonl"));
  for (const std::string& question : questions) file << question << "\n";
  file.close();
  const auto answers = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"sample", f.run, "--obs", f.path("questions.jsonl")};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::istringstream lines(succeed(arguments).out);
    std::vector<nlohmann::json> all;
    for (std::string line; std::getline(lines, line);) all.push_back(nlohmann::json::parse(line));
    return all;
  };
  const auto there = answers({"--device", kDevice}), here = answers({});
  REQUIRE(there.size() == questions.size());
  for (std::size_t i = 0; i < there.size(); ++i) {
    for (const char* value : {"v_r", "v_c", "q_r", "q_c"})
      CHECK(std::abs(there[i][value].get<double>() - here[i][value].get<double>()) < value_error);
    for (std::size_t j = 0; j < 2; ++j)
      CHECK(std::abs(there[i]["action"][j].get<double>() - here[i]["action"][j].get<double>()) < 1e-4);
  }
  succeed({"eval", f.run, "--env", "reach-avoid", "--episodes", "2", "--device", kDevice});
}

}  // namespace

TEST_CASE("train, eval, sample, values, trace and inspect work on the device as on the CPU") {
  const SmallRun f;
  for (const std::string precision : {"fp32", "bf16"}) {
    INFO(precision);
    const std::string run = f.path("run-" + precision);
    const std::vector<std::string> device = {"--device", kDevice, "--precision", precision};
    const auto with = [&](std::vector<std::string> arguments) {
      arguments.insert(arguments.end(), device.begin(), device.end());
      return arguments;
    };
    succeed(with(f.train({"--out", run, "--quiet", "--set", "flow_steps=4", "--set", "num_candidates=4"})));
    const auto manifest = nlohmann::json::parse(text_of(run + "/manifest.json"));
    CHECK(manifest["machine"]["device_description"].get<std::string>().find(precision) != std::string::npos);

    const auto score = [&](const std::vector<std::string>& arguments) {
      return nlohmann::json::parse(succeed(arguments).out);
    };
    const std::vector<std::string> eval = {"eval", run, "--env", "reach-avoid", "--episodes", "3", "--json"};
    const auto there = score(with(eval)), here = score(eval);
    CHECK(std::abs(there["return_mean"].get<double>() - here["return_mean"].get<double>()) < 0.5);

    const auto answer = [&](std::vector<std::string> arguments) {
      const auto inspected = nlohmann::json::parse(succeed({"inspect", run, "--json"}).out);
      const int width = std::stoi(inspected["metadata"]["observation_dim"].get<std::string>());
      std::string line = "[0.1";
      for (int i = 1; i < width; ++i) line += ",0.1";
      std::ofstream(f.path("observation.jsonl")) << line << "]\n";
      return nlohmann::json::parse(succeed(arguments).out);
    };
    const auto device_answer = answer(with({"sample", run, "--obs", f.path("observation.jsonl")})),
               cpu_answer = answer({"sample", run, "--obs", f.path("observation.jsonl")});
    // bfloat16 keeps 8 bits; after a few layers the values of this policy differ by some percent.
    const double tolerance = precision == "fp32" ? 1e-4 : 0.1;
    for (const char* value : {"v_r", "v_c"})
      CHECK(std::abs(device_answer[value].get<double>() - cpu_answer[value].get<double>()) <=
            tolerance * (1 + std::abs(cpu_answer[value].get<double>())));

    succeed(with({"values", run, "--data", f.data, "-o", f.path("values.csv")}));
    CHECK(text_of(f.path("values.csv")).rfind("episode,step,v_r,v_c,q_r,q_c,label,safe\n", 0) == 0);
    succeed(with({"trace", "--data", f.data, "--hidden", "8,8", "--batch", "16", "--steps", "2", "-o",
                  f.path("trace")}));
  }
}

TEST_CASE("one budgeted training on the device acts for several limits, there and on the CPU") {
  const SmallRun f;
  for (const std::string schedule : {"joint", "sequential"}) {
    const std::string run = f.path(schedule);
    succeed(f.train({"--out", run, "--quiet", "--method", "budgeted", "--schedule", schedule, "--device",
                     kDevice, "--set", "flow_steps=4", "--set", "num_candidates=4"}));
    const auto answer = [&](const std::string& spent, const std::vector<std::string>& more) {
      std::ofstream(f.path("question.jsonl"))
          << R"({"observation": [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], "spent": )" << spent << "}\n";
      std::vector<std::string> arguments = {"sample", run, "--obs", f.path("question.jsonl")};
      arguments.insert(arguments.end(), more.begin(), more.end());
      return nlohmann::json::parse(succeed(arguments).out);
    };
    for (const std::string spent : {"0", "9"}) {
      const auto there = answer(spent, {"--device", kDevice}), here = answer(spent, {});
      for (const char* value : {"v_r", "v_c"})
        CHECK(std::abs(there[value].get<double>() - here[value].get<double>()) < 1e-4);
    }
    CHECK(answer("0", {})["v_r"] != answer("9", {})["v_r"]);
    CHECK(answer("0", {})["v_c"] == answer("9", {})["v_c"]);
    const auto scores = nlohmann::json::parse(succeed({"eval", run, "--env", "reach-avoid", "--episodes", "2",
                                                       "--cost-limit", "2,5", "--device", kDevice, "--json"})
                                                  .out);
    CHECK(scores["scores"].size() == 2);
  }
}

TEST_CASE("caps and bcrl train on the device and switch there as on the CPU") {
  const SmallRun f;
  const std::string method = GENERATE("caps", "bcrl");
  succeed(f.train({"--out", f.run, "--quiet", "--method", method, "--device", kDevice, "--task",
                   "reach-avoid", "--set", "initializer=torch"}));
  std::vector<std::string> questions;
  for (const char* so_far : {"\"spent\": 0", "\"spent\": 0, \"step\": 99", "\"spent\": 99", "\"step\": 50"})
    questions.push_back(R"({"observation": [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], )" + std::string(so_far) +
                        "}");
  check_same_answers(f, questions, {}, 1e-4);
}

TEST_CASE("fisor trains on the device and denoises there as on the CPU") {
  const SmallRun f;
  succeed(f.train({"--out", f.run, "--quiet", "--method", "fisor", "--device", kDevice, "--task",
                   "reach-avoid", "--set", "actor_hidden=12,12", "--set", "num_candidates=3"}));
  std::vector<std::string> questions;
  for (const std::string x : {"0.1", "-0.3", "0.7"})
    questions.push_back("[" + x + ", 0.1, 0.1, 0.2, 0.1, 0.1, " + x + "]");
  check_same_answers(f, questions, {"--candidates", "1"}, 1e-3);
}

#ifdef R2PAC_CUDA_HOST
TEST_CASE("a device whose memory is full says how much was needed and what to lower") {
  const SmallRun f;
  const ProgramResult result = run_program(f.train({"--device", kDevice}), {"R2PAC_CUDA_HOST_MEMORY=300000"});
  CHECK(result.status == 6);
  CHECK(result.err.find("the GPU's memory is full: ") != std::string::npos);
  CHECK(result.err.find("lower --batch or --hidden") != std::string::npos);
}
#endif

TEST_CASE("a batch beyond the device's quantile is refused by name") {
  const SmallRun f;
  const ProgramResult result = run_program({"train", "--data", f.data, "--out", f.run, "--hidden", "8",
                                            "--batch", "8193", "--steps", "1", "--device", kDevice});
  CHECK(result.status == 4);
  CHECK(result.err.find("8192") != std::string::npos);
}

TEST_CASE("a device in double precision, and others that cannot be, are refused") {
  const SmallRun f;
  const auto status = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"trace", "--data", f.data, "--steps", "1", "-o", f.path("t")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments).status;
  };
  CHECK(status({"--device", kDevice, "--double"}) == 2);
  CHECK(status({"--device", "cuda:x"}) == 2);
  CHECK(status({"--device", "gpu"}) == 2);
  CHECK(status({"--device", "cpu", "--precision", "tf32"}) == 2);
  CHECK(status({"--device", kDevice, "--precision", "fp64"}) == 2);
  CHECK(status({"--device", "cuda:999"}) == 6);
}
