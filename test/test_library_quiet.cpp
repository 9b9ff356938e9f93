// The library, acting on one thread, asks the system for nothing: no memory, no call.
#include <catch2/catch.hpp>
#include <cmath>

#include "library/r2pac.hpp"
#include "quiet.h"
#include "small_run.h"

using namespace r2pac;

namespace {

/// A policy, and every call that a robot makes, each with the result it must have.
struct Robot {
  Policy policy;
  std::vector<float> observation, bad, safe, action, chunk, observations, actions;
  std::vector<r2pac_moment> moments;
  std::vector<r2pac_answer> answers;
  bool has_critics = false;
  int wrong = 0;

  explicit Robot(const std::string& run) : policy(run) {
    const r2pac_facts facts = policy.facts();
    const auto s = static_cast<std::size_t>(facts.observation_length),
               a = static_cast<std::size_t>(facts.action_length);
    has_critics = facts.has_critics == 1;
    observation.assign(s, 0.1f);
    bad = observation;
    bad[0] = NAN;
    safe.assign(a, 0.0f);
    action = safe;
    chunk.assign(a * static_cast<std::size_t>(facts.chunk_length), 0.0f);
    constexpr std::size_t kRows = 3;
    observations.assign(kRows * s, 0.2f);
    actions.assign(kRows * a, 0.0f);
    moments.resize(kRows);
    answers.assign(kRows, R2PAC_ANSWER);
  }

  void expect(int status, int returned) { wrong += returned != status; }
  void live() {
    r2pac_policy* const p = policy.get();
    r2pac_answer answer = R2PAC_ANSWER;
    const auto act = [&](const std::vector<float>& seen, std::int64_t step, const r2pac_deadline* deadline) {
      const r2pac_moment moment{1, step, 0.5, 0, 0};
      return r2pac_act(p, seen.data(), seen.size(), &moment, deadline, action.data(), action.size(), &answer);
    };
    const r2pac_deadline ample{1e5, safe.data()}, none{1e-9, safe.data()};
    expect(R2PAC_OK, act(observation, 0, nullptr));
    expect(R2PAC_OK, act(observation, 1, &ample));
    for (std::int64_t step = 2; step < 9; ++step) expect(R2PAC_OK, act(observation, step, &none));
    expect(R2PAC_OBSERVATION, act(bad, 9, nullptr));
    expect(R2PAC_OBSERVATION, act(chunk, 9, nullptr));
    expect(R2PAC_OK, r2pac_chunk(p, observation.data(), observation.size(), moments.data(), chunk.data(),
                                 chunk.size(), &answer));
    expect(R2PAC_OK, r2pac_act_batch(p, moments.size(), observations.data(), observations.size(),
                                     moments.data(), actions.data(), actions.size(), answers.data()));
    expect(has_critics ? R2PAC_OK : R2PAC_USAGE,
           r2pac_values(p, observation.data(), observation.size(), moments.data(), chunk.data(), chunk.size(),
                        &answer));
    r2pac_reset(p);
    wrong += r2pac_last_error(p)[0] == '\0';
  }
};

}  // namespace

TEST_CASE("acting takes no memory and makes no system call") {
  if (kSanitized) return;
  const int control = fenced([] { syscall(SYS_getppid); });
  if (control == -1)
    WARN("this kernel or container has no seccomp: system calls are not checked");
  else
    REQUIRE(control == SIGSYS);  // the fence holds
  REQUIRE(allocations_of([] { delete new int; }) + allocations_of([] { free(malloc(8)); }) >
          0);  // the counter counts
  const SmallRun f;
  for (const char* method :
       {"r2pac", "safe-chunks", "budgeted", "cloning", "bc", "cpq", "coptidice", "caps", "bcrl", "fisor"}) {
    INFO(method);
    const std::string run = f.path(method);
    REQUIRE(run_program(f.train({"--method", method, "--out", run})).status == 0);
    Robot robot(run);
    CHECK(allocations_of([&] { robot.live(); }) == 0);  // not even the first time
    CHECK(robot.wrong == 0);
    if (control != -1) CHECK(fenced([&] { robot.live(); }) == 0);
  }
}
