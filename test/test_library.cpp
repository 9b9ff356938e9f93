// libr2pac: it answers as the command does, bit for bit, for every method; it refuses what it must and lives
// on; and it answers in time.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "envs/evaluate.h"
#include "envs/reach_avoid.h"
#include "kernels/isa.h"
#include "library/r2pac.hpp"
#include "small_run.h"

using namespace r2pac;
using Json = nlohmann::json;

namespace {

constexpr std::size_t kObservation = 7, kAction = 2;  // of the built-in robot

struct Line {
  std::vector<float> observation;
  double spent;
};

/// Observations in the robot's arena, and costs spent; number i is step i.
std::vector<Line> some_lines(std::size_t count) {
  std::vector<Line> lines(count);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < kObservation; ++j)
      lines[i].observation.push_back(0.5f * std::sin(static_cast<float>(1 + 3 * i + 7 * j)));
    lines[i].spent = 0.75 * static_cast<double>(i);
  }
  return lines;
}

/// What `r2pac sample` answers.
std::vector<Json> sampled(const ScratchFolder& folder, const std::string& policy,
                          const std::vector<Line>& lines, std::uint64_t seed,
                          std::vector<std::string> more = {}) {
  const std::string questions = folder / "questions.jsonl";
  std::ofstream out(questions);
  for (std::size_t i = 0; i < lines.size(); ++i)
    out << Json{{"observation", lines[i].observation}, {"spent", lines[i].spent}, {"step", i}}.dump() << "\n";
  out.close();
  more.insert(more.begin(), {"sample", policy, "--obs", questions, "--seed", std::to_string(seed)});
  const ProgramResult result = run_program(more);
  INFO(result.err);
  REQUIRE(result.status == 0);
  std::vector<Json> answers;
  std::istringstream text(result.out);
  for (std::string line; std::getline(text, line);) answers.push_back(Json::parse(line));
  REQUIRE(answers.size() == lines.size());
  return answers;
}

std::vector<float> numbers(const Json& nested) {
  std::vector<float> all;
  for (const Json& step : nested)
    for (const Json& number : step) all.push_back(number.get<float>());
  return all;
}

r2pac_moment moment_of(std::uint64_t seed, std::size_t step, double spent, std::uint32_t episode = 0) {
  return {seed, static_cast<std::int64_t>(step), spent, episode, 0};
}

std::size_t chunk_size(const Policy& policy) {
  return static_cast<std::size_t>(policy.facts().chunk_length * policy.facts().action_length);
}

/// Each line's chunk and values are those of `sample`, and its action those of act and act_batch.
void check_as_sampled(Policy& policy, const std::vector<Line>& lines, const std::vector<Json>& expected,
                      std::uint64_t seed) {
  std::vector<float> observations, chunk(chunk_size(policy)), action(kAction),
      actions(kAction * lines.size());
  std::vector<r2pac_moment> moments;
  std::vector<r2pac_answer> answers(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    observations.insert(observations.end(), lines[i].observation.begin(), lines[i].observation.end());
    moments.push_back(moment_of(seed, i, lines[i].spent));
  }
  policy.act_batch(observations, moments, actions, answers);
  const auto same_answer = [&](const r2pac_answer& answer, const Json& json) {
    CHECK(answer.source == R2PAC_FULL);
    CHECK(answer.chunk_step == 0);
    if (json.contains("q_c")) {
      CHECK(answer.q_cost == json["q_c"].get<float>());
      CHECK(answer.q_reward == json["q_r"].get<float>());
      CHECK(answer.v_cost == json["v_c"].get<float>());
      CHECK(answer.v_reward == json["v_r"].get<float>());
      CHECK(answer.safe == static_cast<int>(json["safe"].get<bool>()));
      CHECK_FALSE(std::isnan(answer.bound));
    } else {
      CHECK(std::isnan(answer.q_cost));
      CHECK(answer.safe == -1);
    }
  };
  for (std::size_t i = 0; i < lines.size(); ++i) {
    INFO("line " << i);
    same_answer(answers[i], expected[i]);
    same_answer(policy.chunk(lines[i].observation, moments[i], chunk), expected[i]);
    CHECK(chunk == numbers(expected[i]["chunk"]));
    same_answer(policy.act(lines[i].observation, moments[i], action), expected[i]);
    CHECK(action == numbers(Json::array({expected[i]["action"]})));
    CHECK(
        std::equal(action.begin(), action.end(), actions.begin() + static_cast<std::ptrdiff_t>(i * kAction)));
    CHECK(r2pac_act(policy.get(), lines[i].observation.data(), kObservation, &moments[i], nullptr,
                    action.data(), kAction, nullptr) == R2PAC_OK);
    CHECK(action == numbers(Json::array({expected[i]["action"]})));
    const r2pac_answer unjudged = policy.act(lines[i].observation, moments[i], action, false);
    CHECK(std::isnan(unjudged.v_cost));
    CHECK(unjudged.safe == -1);
    CHECK(action == numbers(Json::array({expected[i]["action"]})));
    if (!expected[i].contains("q_c")) continue;
    const r2pac_answer judged = policy.values(lines[i].observation, moments[i], chunk);
    CHECK(judged.q_cost == expected[i]["q_c"].get<float>());
    CHECK(judged.q_reward == expected[i]["q_r"].get<float>());
    CHECK(judged.v_cost == expected[i]["v_c"].get<float>());
    CHECK(policy.values(lines[i].observation, moments[i]).v_reward == expected[i]["v_r"].get<float>());
  }
}

/// A policy of a few steps of training.
std::string trained(const SmallRun& f, const std::string& name, std::vector<std::string> more) {
  const std::string run = f.path(name);
  more.insert(more.end(), {"--out", run});
  std::vector<std::string> arguments = f.train(more);
  *(std::find(arguments.begin(), arguments.end(), "--steps") + 1) = "8";  // an emulator takes its time
  const ProgramResult result = run_program(arguments);
  INFO(result.err);
  REQUIRE(result.status == 0);
  return run;
}

int failure_of(const std::function<void()>& call, const std::string& text) {
  try {
    call();
  } catch (const Failure& failure) {
    CHECK_THAT(failure.what(), Catch::Contains(text));
    return failure.status();
  }
  return R2PAC_OK;
}

}  // namespace

TEST_CASE("policies of every method and actor answer as `sample` does, alone and in a batch") {
  const SmallRun f;
  const std::vector<Line> lines = some_lines(4);
  for (const char* kind :
       {"r2pac", "safe-chunks", "budgeted", "cloning", "bc", "bc-safe", "cpq", "coptidice", "caps", "bcrl",
        "fisor", "r2pac actor=gaussian", "r2pac actor=weighted-flow", "safe-chunks actor=one-step"}) {
    const std::string text = kind;
    INFO(text);
    const std::size_t blank = text.find(' ');
    std::vector<std::string> more = {"--method", text.substr(0, blank)};
    if (blank != text.npos) more.insert(more.end(), {"--set", text.substr(blank + 1)});
    const std::string run = trained(f, "run", more);
    Policy policy(run);
    CHECK(policy.facts().observation_length == kObservation);
    CHECK(policy.facts().method == text.substr(0, blank));
    check_as_sampled(policy, lines, sampled(f.folder, run, lines, 5), 5);
    std::filesystem::remove_all(run);
  }
}

TEST_CASE("options change how a policy acts as --set and --precision do") {
  const SmallRun f;
  const std::string run = trained(f, "run", {"--method", "safe-chunks"});
  const std::vector<Line> lines = some_lines(3);
  Policy policy(run);
  policy.set("num_candidates", "5");
  policy.set("flow_steps", "3");
  policy.set("guidance_scale", "0.5");
  CHECK(policy.facts().candidates == 5);
  CHECK(policy.facts().flow_steps == 3);
  const std::vector<std::string> flags = {"--set", "num_candidates=5",  "--set", "flow_steps=3",
                                          "--set", "guidance_scale=0.5"};
  const std::vector<Json> expected = sampled(f.folder, run, lines, 9, flags);
  check_as_sampled(policy, lines, expected, 9);
  policy.set("threads", "3");
  CHECK(policy.facts().threads == 3);
  check_as_sampled(policy, lines, expected, 9);
  if (has_bf16_products()) {
    policy.set("precision", "bf16");
    std::vector<std::string> rounded = flags;
    rounded.insert(rounded.end(), {"--precision", "bf16"});
    const std::vector<Json> other = sampled(f.folder, run, lines, 9, rounded);
    CHECK(other != expected);
    check_as_sampled(policy, lines, other, 9);
  } else {
    CHECK(failure_of([&] { policy.set("precision", "bf16"); }, "BF16") == R2PAC_DEVICE);
  }
}

TEST_CASE("episodes are those of `eval`") {
  const SmallRun f;
  for (const std::string method : {"safe-chunks", "caps", "bcrl", "budgeted"}) {
    const std::string run = trained(f, method, {"--method", method}), file = f.path("eval.json");
    REQUIRE(run_program({"eval", run, "--env", "reach-avoid", "--episodes", "5", "--seed", "3",
                         "--cost-limit", "1.5", "-o", file})
                .status == 0);
    const Json rows = Json::parse(content(file))["rows"];
    Policy policy(run);
    policy.set("cost_limit", "1.5");
    CHECK(policy.facts().cost_limit == 1.5);
    CHECK(policy.facts().reads_spent == 1);
    ReachAvoid robot(2);
    const EvaluationResult result =
        evaluate(robot, 5, 3,
                 [&](std::span<const float> observations, std::span<const std::int64_t> episode,
                     std::span<const int> step, std::span<const double> spent, std::span<float> actions) {
                   std::vector<r2pac_moment> moments;
                   for (std::size_t i = 0; i < episode.size(); ++i)
                     moments.push_back(moment_of(3, static_cast<std::size_t>(step[i]), spent[i],
                                                 static_cast<std::uint32_t>(episode[i])));
                   policy.act_batch(observations, moments, actions);
                 });
    REQUIRE(rows.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(result.episodes[i].episode_return == rows[i]["return"].get<double>());
      CHECK(result.episodes[i].episode_cost == rows[i]["cost"].get<double>());
    }
  }
}

TEST_CASE("what cannot be used is refused, and the policy lives on") {
  const SmallRun f;
  const std::string run = trained(f, "run", {"--method", "r2pac"});
  Policy policy(run);
  CHECK(std::string(r2pac_last_error(policy.get())).empty());
  const Line line = some_lines(1).front();
  const r2pac_moment now = moment_of(1, 0, NAN);
  std::vector<float> before(kAction), action(kAction, 7.0f), bad = line.observation;
  policy.act(line.observation, now, before);
  const auto refused = [&](int status, const std::string& text, const std::function<void()>& call) {
    INFO(text);
    CHECK(failure_of(call, text) == status);
    CHECK(action == std::vector<float>(kAction, 7.0f));
  };
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    bad[3] = value;
    refused(R2PAC_OBSERVATION, "not finite, at 3", [&] { policy.act(bad, now, action); });
    const std::vector<r2pac_moment> moments(2, now);
    std::vector<float> two = line.observation, actions(2 * kAction);
    two.insert(two.end(), bad.begin(), bad.end());
    refused(R2PAC_OBSERVATION, "of row 1 holds", [&] { policy.act_batch(two, moments, actions); });
    CHECK(actions == std::vector<float>(2 * kAction));
  }
  for (const std::size_t length : {std::size_t{0}, kObservation - 1, kObservation + 1})
    refused(R2PAC_OBSERVATION, "the observation has",
            [&] { policy.act(std::vector<float>(length), now, action); });
  refused(R2PAC_USAGE, "the action has 1",
          [&] { policy.act(line.observation, now, std::span(action).first(1)); });
  refused(R2PAC_USAGE, "step", [&] { policy.act(line.observation, {1, -1, 0, 0, 0}, action); });
  refused(R2PAC_USAGE, "infinite", [&] { policy.act(line.observation, moment_of(1, 0, INFINITY), action); });
  for (const double seconds : {0.0, -1.0, static_cast<double>(NAN)})
    refused(R2PAC_USAGE, "seconds above 0", [&] {
      policy.act(line.observation, now, {std::chrono::duration<double>(seconds), before}, action);
    });
  const r2pac_deadline nothing_safe{1, nullptr};
  CHECK(r2pac_act(policy.get(), line.observation.data(), kObservation, &now, &nothing_safe, action.data(),
                  kAction, nullptr) == R2PAC_USAGE);
  r2pac_answer unsized{};
  CHECK(r2pac_act(policy.get(), line.observation.data(), kObservation, &now, nullptr, action.data(), kAction,
                  &unsized) == R2PAC_USAGE);
  refused(R2PAC_OPTION, "did you mean", [&] { policy.set("num_candidate", "3"); });
  refused(R2PAC_OPTION, "cannot be", [&] { policy.set("num_candidates", "none"); });
  refused(R2PAC_OPTION, "settled by training", [&] { policy.set("discount", "0.5"); });
  refused(R2PAC_OPTION, "threads", [&] { policy.set("threads", "0"); });
  refused(R2PAC_OPTION, "does not know the limit", [&] { policy.set("cost_limit", "1"); });
  refused(R2PAC_OPTION, "fp32 or bf16", [&] { policy.set("precision", "tf32"); });
  refused(R2PAC_USAGE, "the chunk has 3",
          [&] { policy.values(line.observation, now, std::vector<float>(3)); });
  policy.act(line.observation, now, action);
  CHECK(action == before);

  for (auto* call : {&r2pac_last_error}) CHECK_FALSE(std::string(call(nullptr)).empty());
  CHECK(r2pac_act(nullptr, bad.data(), kObservation, &now, nullptr, action.data(), kAction, nullptr) ==
        R2PAC_USAGE);
  CHECK(r2pac_set_option(policy.get(), nullptr, "1") == R2PAC_USAGE);
  CHECK(r2pac_info(policy.get(), nullptr) == R2PAC_USAGE);
  r2pac_reset(nullptr);
  r2pac_close(nullptr);

  const std::string none = trained(f, "cloning", {"--method", "cloning"});
  Policy cloning(none);
  CHECK(cloning.facts().has_critics == 0);
  CHECK(std::isnan(cloning.facts().region_end));
  CHECK(failure_of([&] { cloning.values(line.observation, now); }, "no values") == R2PAC_USAGE);
}

TEST_CASE("a file that is no policy is refused with a message, however little room it has") {
  const SmallRun f;
  const std::string file = trained(f, "run", {"--method", "r2pac"}) + "/policy.safetensors";
  CHECK(failure_of([&] { Policy policy(f.path("missing")); }, "missing") == R2PAC_POLICY);
  CHECK(failure_of([&] { Policy policy(f.data); }, "HDF5") == R2PAC_POLICY);
  std::string bytes = content(file);
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream(f.path("damaged"), std::ios::binary) << bytes;
  CHECK(failure_of([&] { Policy policy(f.path("damaged")); }, "checksum") == R2PAC_POLICY);
  r2pac_policy* policy = reinterpret_cast<r2pac_policy*>(&bytes);
  char error[8] = "1234567";
  CHECK(r2pac_open(f.path("damaged").c_str(), &policy, error, 4) == R2PAC_POLICY);
  CHECK(policy == nullptr);
  CHECK(std::string(error) == "the");
  CHECK(error[4] == '5');
  CHECK(r2pac_open(f.path("damaged").c_str(), &policy, nullptr, 0) == R2PAC_POLICY);
  CHECK(r2pac_open(nullptr, &policy, error, sizeof error) == R2PAC_USAGE);
  CHECK(r2pac_open(file.c_str(), nullptr, error, sizeof error) == R2PAC_USAGE);
}

TEST_CASE("late, the last chunk's actions follow, then the safe one") {
  const SmallRun f;
  const std::vector<float> safe = {0.25f, -0.5f};
  const std::vector<float> observation = some_lines(1).front().observation;
  constexpr std::chrono::duration<double> kAmple(1e5), kNone(1e-9);  // no machine is that slow, or that fast
  for (const char* method : {"r2pac", "fisor", "bc", "caps"}) {
    INFO(method);
    Policy policy(trained(f, method, {"--method", method}));
    const auto h = static_cast<std::size_t>(policy.facts().chunk_length);
    std::vector<float> chunk(chunk_size(policy)), action(kAction);
    policy.chunk(observation, moment_of(1, 2, 0), chunk);
    policy.reset();
    const auto late = [&](std::size_t step, std::uint32_t episode = 0, std::uint64_t seed = 1) {
      action.assign(kAction, 9.0f);
      return policy.act(observation, moment_of(seed, step, 0, episode), {kNone, safe}, action);
    };
    CHECK(late(0).source == R2PAC_SAFE_ACTION);  // there is no chunk yet
    CHECK(action == safe);
    const r2pac_answer full = policy.act(observation, moment_of(1, 2, 0), {kAmple, safe}, action);
    CHECK(full.source == R2PAC_FULL);
    CHECK(full.flow_steps == policy.facts().flow_steps);
    CHECK(full.candidates == policy.facts().candidates);
    CHECK(std::equal(action.begin(), action.end(), chunk.begin()));
    for (std::size_t k = 1; k < h; ++k) {
      const r2pac_answer answer = late(2 + k);
      CHECK(answer.source == R2PAC_CHUNK);
      CHECK(answer.chunk_step == static_cast<int>(k));
      CHECK(answer.flow_steps == 0);
      CHECK(answer.safe == -1);
      CHECK(
          std::equal(action.begin(), action.end(), chunk.begin() + static_cast<std::ptrdiff_t>(k * kAction)));
    }
    CHECK(late(2 + h).source == R2PAC_SAFE_ACTION);  // the chunk has ended
    CHECK(late(2).source == R2PAC_SAFE_ACTION);      // of this step nothing is left but what was done
    CHECK(late(1).source == R2PAC_SAFE_ACTION);
    CHECK(late(3, 1).source == R2PAC_SAFE_ACTION);  // another episode
    CHECK(late(3, 0, 2).source == R2PAC_SAFE_ACTION);
    CHECK(late(3).source == (h > 1 ? R2PAC_CHUNK : R2PAC_SAFE_ACTION));
    policy.reset();
    CHECK(late(3).source == R2PAC_SAFE_ACTION);
    CHECK(late(3).chunk_step == -1);
    CHECK(action == safe);
  }
}

TEST_CASE("several threads act with a policy each") {
  const SmallRun f;
  const std::string run = trained(f, "run", {"--method", "budgeted"});
  const std::vector<Line> lines = some_lines(4);
  std::vector<std::vector<float>> found(4);
  {
    std::vector<std::jthread> threads;
    for (auto& actions : found)
      threads.emplace_back([&] {
        Policy policy(run);  // opened side by side
        for (std::size_t i = 0; i < lines.size(); ++i) {
          std::vector<float> action(kAction);
          policy.act(lines[i].observation, moment_of(3, i, lines[i].spent), action);
          actions.insert(actions.end(), action.begin(), action.end());
        }
      });
  }
  for (const auto& actions : found) CHECK(actions == found.front());
  CHECK(found.front().size() == kAction * lines.size());
}
