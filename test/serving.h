// A trained policy, and servers of it at sockets of their own.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "serving_client.h"
#include "small_run.h"

namespace r2pac {

/// A policy of a few steps of training, and what `r2pac sample` answers.
struct ServedRun : SmallRun {
  static constexpr std::size_t kObservation = 7, kAction = 2;  // of the built-in robot

  explicit ServedRun(std::vector<std::string> more = {}) {
    const ProgramResult result = run_program(train(std::move(more)));
    INFO(result.err);
    REQUIRE(result.status == 0);
  }
  std::string policy() const { return run + "/policy.safetensors"; }
  std::string socket() const { return path("s"); }

  /// Questions in the robot's arena; number i is step i. counted: whether the cost spent is told.
  static std::vector<ActQuestion> questions(std::size_t count, std::uint64_t seed, bool counted = true) {
    std::vector<ActQuestion> all(count);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < kObservation; ++j)
        all[i].observation.push_back(0.5f * std::sin(static_cast<float>(1 + 3 * i + 7 * j + seed)));
      all[i].fields.seed = seed;
      all[i].fields.step = static_cast<std::int64_t>(i);
      all[i].fields.spent = counted ? 0.75 * static_cast<double>(i) : static_cast<double>(NAN);
      all[i].fields.judged = 1;
    }
    return all;
  }
  /// What `sample` says to questions of one seed.
  std::vector<nlohmann::json> sampled(const std::string& of, const std::vector<ActQuestion>& asked) const {
    const std::string file = path("questions.jsonl");
    std::ofstream out(file);
    for (const ActQuestion& question : asked) {
      nlohmann::json line = {{"observation", question.observation}, {"step", question.fields.step}};
      if (!std::isnan(question.fields.spent)) line["spent"] = question.fields.spent;
      out << line.dump() << "\n";
    }
    out.close();
    const ProgramResult result =
        run_program({"sample", of, "--obs", file, "--seed", std::to_string(asked.front().fields.seed)});
    INFO(result.err);
    REQUIRE(result.status == 0);
    std::vector<nlohmann::json> answers;
    std::istringstream text(result.out);
    for (std::string line; std::getline(text, line);) answers.push_back(nlohmann::json::parse(line));
    REQUIRE(answers.size() == asked.size());
    return answers;
  }
  std::vector<float> sampled_action(const std::string& of, const ActQuestion& question) const {
    return sampled(of, {question})[0]["action"].get<std::vector<float>>();
  }
};

/// A server that answers.
struct RunningServer : Process {
  /// flags  besides the policy; the socket is that of the run if they name none
  RunningServer(const ServedRun& f, std::vector<std::string> flags = {})
      : Process(arguments(f, std::move(flags))) {
    INFO("the server says nothing");
    REQUIRE(warns("serving ", 60000));
  }
  static std::vector<std::string> arguments(const ServedRun& f, std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"serve", f.policy(), "--threads", "2", "--socket", f.socket()});
    return flags;
  }
  /// Ends it by SIGTERM, which must go well, and returns its last words.
  std::string end() {
    signal(SIGTERM);
    const ProgramResult result = wait();
    INFO(result.err);
    REQUIRE(result.status == 0);
    CHECK(result.out.empty());
    return result.err.substr(std::min(result.err.find("stopped\n"), result.err.size()));
  }
};

}  // namespace r2pac
