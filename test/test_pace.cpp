// Deadlines of decisions: how much fits in, and what is left out where not everything does.
#include <catch2/catch.hpp>

#include "acting/pace.h"
#include "policy/decision_times.h"
#include "small_method.h"

using namespace r2pac;
using namespace std::chrono_literals;

namespace {

constexpr Dimensions kDimensions{5, 2, 3};
constexpr std::size_t kChunk = 6;

/// A sampler of a method with small networks, and what it says of one observation.
struct Decider {
  std::unique_ptr<MethodNetworks<float>> networks;
  std::unique_ptr<Sampler<float>> sampler;
  std::vector<float> noise, chunk = std::vector<float>(kChunk, 9.0f), cost = {9}, candidates, costs;

  Decider(const std::string& method, SamplerOptions options, int threads) {
    Settings settings;
    settings.method = method;
    settings.hidden = {24, 24};
    settings.actor_hidden = {24, 24};
    settings.label_dim = 4;
    settings.heads = 3;
    networks = std::make_unique<MethodNetworks<float>>(settings, kDimensions, *on_cpu());
    if (!networks->acting.mean.empty())
      options.num_candidates = networks->declared(networks->acting.mean).count;
    sampler = std::make_unique<Sampler<float>>(sampler_of(*networks, options, cpu_device(threads)));
    noise.resize(sampler->noise_size());
    sampler->draw_noise(1, 2, 3, noise);
    candidates.resize(static_cast<std::size_t>(sampler->candidates()) * kChunk);
    costs.resize(static_cast<std::size_t>(sampler->candidates()));
  }
  void decide(Pace* pace) {
    const std::vector<float> observation = {0.1f, -0.2f, 0.3f, 0.4f, -0.5f};
    SampleOutputs<float> out;
    out.chunk = chunk;
    out.q_cost = cost;
    out.candidates = candidates;
    out.candidate_q_cost = costs;
    sampler->sample(observation, noise, out, {}, {}, pace);
  }
};

SamplerOptions options_of(int flow_steps, int candidates) {
  SamplerOptions options;
  options.flow.flow_steps = flow_steps;
  options.num_candidates = candidates;
  return options;
}

}  // namespace

TEST_CASE("a pace affords as many units as fit between now and the rest") {
  Pace pace;  // hours, against which the time of the test is nothing
  pace.deadline = Pace::Clock::now() + 1000h;
  pace.unit = 300h;
  pace.rest = 50h;
  CHECK(pace.affordable(5) == 3);
  CHECK(pace.affordable(2) == 2);
  pace.most = 1;
  CHECK(pace.affordable(2) == 1);
  pace.rest = 700h + 10h;
  CHECK(pace.begin(1) == 0);
  CHECK(pace.given_up);
  Pace endless;
  endless.unit = 300h;
  CHECK(endless.begin(7) == 7);
  CHECK_FALSE(endless.given_up);
  endless.note(5);
  endless.note(6);
  CHECK(endless.done == 5);
}

TEST_CASE("fewer Euler steps go the rest of the way") {
  EulerSteps<double> steps(8);
  CHECK(steps.time(3) == 0.375);
  steps.shorten(3, 2);
  CHECK(steps.count == 5);
  CHECK(steps.time(3) == 0.375);
  CHECK(steps.dt == 0.3125);
  CHECK(steps.time(4) + steps.dt == 1);
  steps.shorten(4, 1);
  CHECK(steps.count == 5);
  CHECK(steps.time(4) + steps.dt == 1);
}

TEST_CASE("a flow in a hurry is one of fewer steps, bit for bit") {
  for (const int threads : {1, 3}) {
    Decider all("r2pac", options_of(8, 4), threads), few("r2pac", options_of(3, 4), threads);
    Pace unhurried, hurried;
    hurried.most = 3;
    few.decide(nullptr);
    all.decide(&hurried);
    CHECK(hurried.done == 3);
    CHECK(all.chunk == few.chunk);
    CHECK(all.cost == few.cost);
    all.decide(nullptr);
    CHECK(all.chunk != few.chunk);
    const std::vector<float> free = all.chunk;
    all.decide(&unhurried);
    CHECK(unhurried.done == 8);
    CHECK(all.chunk == free);
  }
}

TEST_CASE("a denoiser in a hurry chooses among the first candidates") {
  for (const int threads : {1, 3}) {
    Decider decider("fisor", options_of(1, 8), threads);
    decider.decide(nullptr);
    const std::vector<float> candidates = decider.candidates, costs = decider.costs;
    for (const int most : {1, 3, 8}) {
      Pace pace;
      pace.most = most;
      decider.decide(&pace);
      const auto best = std::min_element(costs.begin(), costs.begin() + most) - costs.begin();
      CHECK(pace.done == most);
      CHECK(decider.cost.front() == costs[static_cast<std::size_t>(best)]);
      CHECK(std::equal(decider.chunk.begin(), decider.chunk.end(),
                       candidates.begin() + best * static_cast<std::ptrdiff_t>(kChunk)));
    }
  }
}

TEST_CASE("a decision that gives up leaves everything as it was") {
  for (const char* const method : {"r2pac", "fisor", "caps", "bc"})
    for (const int threads : {1, 2}) {
      INFO(method);
      Decider decider(method, options_of(4, method == std::string("bc") ? 1 : 3), threads);
      if (!decider.sampler->has_critics()) decider.cost.clear(), decider.costs.clear();
      const std::vector<float> before = decider.candidates;
      Pace late;
      late.deadline = Pace::Clock::now() - 1h;
      decider.decide(&late);
      CHECK(late.given_up);
      CHECK(decider.chunk == std::vector<float>(kChunk, 9.0f));
      CHECK(decider.candidates == before);
      decider.decide(nullptr);
      CHECK(decider.chunk != std::vector<float>(kChunk, 9.0f));
    }
}

TEST_CASE("what decisions take is followed, and a refusal to begin does not last") {
  DecisionTimes times{.unit = 2s, .rest = 4s};
  Pace pace;
  times.tell(pace);
  CHECK(pace.unit.count() == Approx(2.2));
  CHECK(pace.rest.count() == Approx(4.4));
  times.learn(3, 10s);  // as expected
  CHECK(times.slowness == 1);
  for (int i = 0; i < 100; ++i) times.learn(3, 20s);
  CHECK(times.slowness == Approx(2).epsilon(1e-5));  // (7/8)^100 of the way is left
  times.learn(1, 600s);                              // one disturbance counts little
  CHECK(times.slowness == Approx(2 + 2 / 8.0).epsilon(1e-5));
  for (int i = 0; i < 100; ++i) times.learn(0, 3s);  // begun in vain
  CHECK(times.slowness == DecisionTimes::kMost);
  for (int i = 0; i < 100; ++i) times.learn(0, 0s);  // not begun
  CHECK(times.slowness == Approx(1).epsilon(1e-4));
  for (int i = 0; i < 100; ++i) times.learn(1, 1s);
  CHECK(times.slowness == Approx(1 / DecisionTimes::kMost).epsilon(1e-3));
}
