// Steps that a device takes at once, for each method: the bits of steps one after the other. In the check
// build the host layer also proves that branches of the graphs do not race.
#include <catch2/catch.hpp>
#include <random>

#include "entry_values.h"
#include "on_cuda.h"
#include "settings/methods.h"
#include "settings/settings.h"
#include "training/learner.h"

using namespace r2pac;

namespace {

constexpr int kEpisodes = 6, kSteps = 30, kObservation = 5, kAction = 2;

/// Episodes of random numbers, whose rewards and costs follow the first observations and actions.
Dataset random_episodes() {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  DsrlColumns columns;
  columns.rows = kEpisodes * kSteps;
  columns.observation_dim = kObservation;
  columns.action_dim = kAction;
  for (int episode = 0; episode < kEpisodes; ++episode) {
    std::vector<float> now(kObservation);
    for (float& value : now) value = uniform(random);
    for (int t = 0; t < kSteps; ++t) {
      std::vector<float> action(kAction), next(kObservation);
      for (float& value : action) value = uniform(random);
      for (float& value : next) value = uniform(random);
      columns.observations.insert(columns.observations.end(), now.begin(), now.end());
      columns.actions.insert(columns.actions.end(), action.begin(), action.end());
      columns.next_observations.insert(columns.next_observations.end(), next.begin(), next.end());
      columns.rewards.push_back(now[0] + action[0]);
      columns.costs.push_back(episode % 2 == 0 && now[1] > 0.5f ? 1.0f : 0.0f);
      columns.terminals.push_back(0);
      columns.timeouts.push_back(t + 1 == kSteps ? 1 : 0);
      now = next;
    }
  }
  return make_dataset(columns, "random");
}

std::vector<float> all_values(const Learner<float>& learner) {
  std::vector<float> values;
  for (const Parameters<float>* parameters : {&learner.networks().online, &learner.networks().follower}) {
    const std::vector<float> some = entry_values(*parameters, parameters->values());
    values.insert(values.end(), some.begin(), some.end());
  }
  return values;
}

}  // namespace

TEST_CASE("a learner takes several steps at once with the bits of single ones, whatever the method") {
  const Dataset dataset = random_episodes();
  const auto tiny = [](std::string_view method, const std::vector<std::string>& more) {
    std::vector<std::string> overrides = {"hidden=[8,8]", "batch=8", "steps=11", "cost_limit=5"};
    overrides.insert(overrides.end(), more.begin(), more.end());
    return resolve_settings({"", "", overrides, {{"method", std::string(method)}}, "tiny"}).values;
  };
  std::vector<Settings> trials;
  for (const MethodInfo& method : method_list()) {
    trials.push_back(tiny(method.name, {}));
    const std::string other = trials.back().schedule == Schedule::joint ? "sequential" : "joint";
    if (method.name == "r2pac" || method.name == "safe-chunks" || method.name == "budgeted")
      trials.push_back(tiny(method.name, {"schedule=" + other}));
  }
  for (const Settings& settings : trials) {
    INFO(settings.method << (settings.schedule == Schedule::joint ? ", joint" : ", sequential"));
    const TrainingData<float> data(dataset, settings, *on_cuda());
    Learner<float> singly(settings, data, on_cuda()), at_once(settings, data, on_cuda());
    int launches = 0;
    while (!singly.finished()) singly.advance();
    for (; !at_once.finished(); ++launches) at_once.advance({}, 1000);
    CHECK(at_once.step() == singly.step());
    CHECK(launches < static_cast<int>(singly.step()) / 2);
    CHECK(all_values(at_once) == all_values(singly));
    CHECK(at_once.report() == singly.report());
    CHECK(at_once.scalars() == singly.scalars());
  }
}
