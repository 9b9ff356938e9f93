// Acting on a CUDA device: the graph of library products and the fused kernel against the CPU's sampler.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "acting/policy_sampler.h"
#include "allowed_settings.h"
#include "base/error.h"
#include "engine/cuda_device.cuh"
#include "entry_values.h"
#include "on_cuda.h"
#include "small_method.h"

using namespace r2pac;

namespace {

constexpr Dimensions kDimensions{5, 2, 3};
constexpr std::size_t kChunk = 6, kRows = 19;

struct Choice {
  const char* sampler;  // R2PAC_CUDA_SAMPLER
  Choice(const char* name) : sampler(name) { setenv("R2PAC_CUDA_SAMPLER", name, 1); }
  ~Choice() { unsetenv("R2PAC_CUDA_SAMPLER"); }
};

Settings small_settings() {
  Settings settings;
  settings.hidden = {24, 40, 16};
  settings.label_dim = 4;
  return settings;
}

/// Networks of any type and device with the same single-precision weights; targets unlike the critics.
template <class T>
std::unique_ptr<MethodNetworks<T>> make_networks(const Settings& settings, Device& device) {
  const MethodNetworks<float> drawn(settings, kDimensions, *on_cpu());
  auto networks = std::make_unique<MethodNetworks<T>>(settings, kDimensions, device);
  const auto set = [](Parameters<T>& to, const Parameters<float>& from, std::uint64_t lane, double size) {
    const std::vector<float> values = entry_values(from, from.values());
    std::vector<T> changed(values.begin(), values.end());
    for (std::uint32_t i = 0; i < changed.size(); ++i)
      changed[i] += static_cast<T>(
          static_cast<float>(size * static_cast<double>(random_normal(31, Purpose::test, lane, 0, i))));
    set_entry_values(to, changed);
  };
  set(networks->online, drawn.online, 80, 0.1);
  set(networks->follower, drawn.follower, 81, 0.2);
  return networks;
}

struct Answer {
  std::vector<double> chunk, cost, v_reward, v_cost;
  std::vector<double> reward, candidates, costs, rewards;  // empty if not asked for
};

/// launches: if given, those of a call that does not ask for rewards and candidates.
template <class T>
Answer ask(const Settings& settings, const std::shared_ptr<Device>& device, const SamplerOptions& options,
           std::size_t rows, int* launches = nullptr) {
  const auto networks = make_networks<T>(settings, *device);
  Sampler<T> sampler = sampler_of(*networks, options, device);
  const auto normals = [](std::size_t n, std::uint64_t lane) {
    std::vector<T> x(n);
    for (std::uint32_t i = 0; i < n; ++i) x[i] = static_cast<T>(random_normal(37, Purpose::test, lane, 0, i));
    return x;
  };
  const std::size_t many = rows * static_cast<std::size_t>(options.num_candidates);
  const bool all = launches == nullptr;
  std::vector<T> chunk(rows * kChunk), cost(rows), v_reward(rows), v_cost(rows), reward(all ? rows : 0),
      candidates(all ? many * kChunk : 0), costs(all ? many : 0), rewards(all ? many : 0);
  const std::vector<T> observations = normals(rows * 5, 1), noise = normals(many * kChunk, 2);
  sampler.sample(observations, noise, {chunk, cost, v_reward, v_cost, reward, candidates, costs, rewards});
  if (launches != nullptr) *launches = sampler.actor().launches();
  const auto doubles = [](const std::vector<T>& x) { return std::vector<double>(x.begin(), x.end()); };
  return {doubles(chunk),  doubles(cost),       doubles(v_reward), doubles(v_cost),
          doubles(reward), doubles(candidates), doubles(costs),    doubles(rewards)};
}

/// Root mean square of the errors: the greatest of a few is too much a matter of luck.
double error_of(const std::vector<double>& values, const std::vector<double>& exact) {
  double squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) squares += std::pow(values[i] - exact[i], 2);
  return std::sqrt(squares / static_cast<double>(values.size()));
}

/// Each answer's error against `exact` is at most twice that of `naive`, or a rounding of the largest value
/// where the naive error is small by chance.
void check_errors(const Answer& found, const Answer& naive, const Answer& exact, double rounding) {
  const auto check = [&](const std::vector<double>& f, const std::vector<double>& n,
                         const std::vector<double>& e) {
    if (f.empty()) return;
    double largest = 0;
    for (const double x : e) largest = std::max(largest, std::abs(x));
    CHECK(error_of(f, e) <= 2 * error_of(n, e) + largest * rounding);
  };
  check(found.chunk, naive.chunk, exact.chunk);
  check(found.cost, naive.cost, exact.cost);
  check(found.v_reward, naive.v_reward, exact.v_reward);
  check(found.v_cost, naive.v_cost, exact.v_cost);
  check(found.reward, naive.reward, exact.reward);
  check(found.candidates, naive.candidates, exact.candidates);
  check(found.costs, naive.costs, exact.costs);
  check(found.rewards, naive.rewards, exact.rewards);
}

}  // namespace

TEST_CASE("the graph of library products answers as the CPU does") {
  any_order();
  const Choice layered("layered");
  for (const int variant : {0, 1, 2, 3, 4, 5, 6, 7}) {
    INFO("variant " << variant);
    Settings settings = small_settings();
    settings.layer_norm = variant == 1;
    settings.twin_critics = variant != 2;
    if (variant == 3) settings.activation = Activation::gelu_tanh;
    if (variant == 5) settings.hidden = {17};
    SamplerOptions options{{3, variant == 0 ? 2.0 : variant == 4 ? 1.0 : 1.7, kLabelGood}, 5};
    if (variant == 2) options.flow.label = kLabelNull;
    if (variant == 5) options.num_candidates = 1;
    if (variant > 5) {  // whose flow and reward critics see a budget
      choose_allowed_method(settings, "budgeted");
      options.threshold = 1e-3, options.greatest_budget = 2;  // no state is safe: rounding turns no choice
      if (variant == 7) options.selection = Selection::region, options.threshold = -1e9;
    }
    const Answer exact = ask<double>(settings, on_cpu(), options, kRows),
                 cpu = ask<float>(settings, on_cpu(), options, kRows);
    check_errors(ask<float>(settings, on_cuda(), options, kRows), cpu, exact, 0x1p-22);
  }
}

TEST_CASE("a choice by region on the device follows the rule, and is the CPU's") {
  any_order();
  const Settings settings = small_settings();
  SamplerOptions options{{3, 2.0, kLabelGood}, 5};
  const Answer free = ask<double>(settings, on_cpu(), options, kRows);
  options.selection = Selection::region;
  int by_reward = 0, without_admissible = 0, unsafe = 0;
  for (std::vector<double> values : {free.costs, free.cost, free.v_cost}) {
    std::sort(values.begin(), values.end());  // between two of them, so that rounding turns no choice
    options.threshold = (values[values.size() / 2] + values[values.size() / 2 + 1]) / 2;
    const Answer exact = ask<double>(settings, on_cpu(), options, kRows),
                 cpu = ask<float>(settings, on_cpu(), options, kRows),
                 found = ask<float>(settings, on_cuda(), options, kRows);
    check_errors(found, cpu, exact, 0x1p-22);
    for (std::size_t i = 0; i < kRows; ++i) {
      const double *c = found.costs.data() + 5 * i, *r = found.rewards.data() + 5 * i, l = options.threshold;
      const auto best = static_cast<std::size_t>(best_by_region(c, r, 5, found.v_cost[i], l));
      CHECK(found.cost[i] == c[best]);
      CHECK(found.reward[i] == r[best]);
      for (std::size_t j = 0; j < kChunk; ++j)
        CHECK(found.chunk[i * kChunk + j] == found.candidates[(5 * i + best) * kChunk + j]);
      (found.v_cost[i] > l ? unsafe : c[best] > l ? without_admissible : by_reward) += 1;
    }
    int launches = 0;  // nothing asked for but the chunk's cost and the values: the same choice
    CHECK(ask<float>(settings, on_cuda(), options, kRows, &launches).chunk == found.chunk);
  }
  CHECK(by_reward > 0);
  CHECK(without_admissible > 0);
  CHECK(unsafe > 0);
}

TEST_CASE("what an episode has spent bounds each row's choice on the device as on the CPU") {
  any_order();
  const Settings settings = small_settings();
  const auto sampled = [&](const std::shared_ptr<Device>& device, std::span<const double> spent) {
    const auto networks = make_networks<float>(settings, *device);
    Sampler<float> sampler = sampler_of(
        *networks, {{3, 2.0, kLabelGood}, 5, Selection::region, 1e9, {BudgetRule::half, 10, 1e6}}, device);
    std::vector<float> observations(kRows * 5), noise(kRows * 5 * kChunk), chunk(kRows * kChunk);
    for (std::uint32_t i = 0; i < observations.size(); ++i)
      observations[i] = random_normal(37, Purpose::test, 1, 0, i);
    for (std::uint32_t i = 0; i < noise.size(); ++i) noise[i] = random_normal(37, Purpose::test, 2, 0, i);
    sampler.sample(observations, noise, {chunk, {}, {}, {}}, spent);
    return chunk;
  };
  std::vector<double> spent(kRows);
  for (std::size_t i = 0; i < kRows; ++i) spent[i] = i % 2 == 0 ? 0 : 11;  // everything is safe, or nothing
  const std::vector<float> mine = sampled(on_cuda(), spent), cpu = sampled(on_cpu(), spent);
  int differ = 0;  // where two candidates have nearly equal scores, rounding may choose the other
  for (std::size_t i = 0; i < kRows; ++i)
    for (std::size_t j = 0; j < kChunk; ++j)
      if (std::abs(mine[i * kChunk + j] - cpu[i * kChunk + j]) > 1e-4f) {
        ++differ;
        break;
      }
  CHECK(differ * 20 <= static_cast<int>(kRows));
  const std::vector<float> uncounted = sampled(on_cuda(), {});  // a fifth of the bound: everything is safe
  int least_cost = 0;
  for (std::size_t i = 0; i < kRows; ++i) {
    const auto row = [&](const std::vector<float>& x) { return std::span(x).subspan(i * kChunk, kChunk); };
    if (i % 2 == 0)
      CHECK(std::ranges::equal(row(mine), row(uncounted)));
    else
      least_cost += !std::ranges::equal(row(mine), row(uncounted));
  }
  CHECK(least_cost > 0);
}

TEST_CASE("two actors act on the device by what the bound leaves beyond V_c, as on the CPU") {
  any_order();
  Settings settings = small_settings();
  settings.method = "bcrl";
  settings.threshold = Threshold::limit;
  settings.layer_norm = true;
  SamplerOptions options{{}, 2, Selection::surplus, 0, {BudgetRule::discounted, 10, 0.5, 0.9, 50}};
  options.greatest_budget = 2;
  std::vector<double> spent(kRows);
  for (std::size_t i = 0; i < kRows; ++i) spent[i] = static_cast<double>(i % 12);
  struct Answers {
    std::vector<float> chunk = std::vector<float>(kRows * kChunk),
                       said = std::vector<float>(2 * kRows * kChunk), q_cost = std::vector<float>(kRows),
                       q_reward = q_cost, v_cost = q_cost, v_reward = q_cost;
  };
  const auto ask_both = [&](const std::shared_ptr<Device>& device, bool values) {
    const auto networks = make_networks<float>(settings, *device);
    Sampler<float> sampler = sampler_of(*networks, options, device);
    std::vector<float> observations(kRows * 5), noise(2 * kRows * kChunk);
    for (std::uint32_t i = 0; i < observations.size(); ++i)
      observations[i] = random_normal(37, Purpose::test, 1, 0, i);
    Answers to;
    SampleOutputs<float> out;
    out.chunk = to.chunk;
    if (values) {
      out.q_cost = to.q_cost, out.v_reward = to.v_reward, out.v_cost = to.v_cost, out.q_reward = to.q_reward;
      out.candidates = to.said;
    }
    sampler.sample(observations, noise, out, spent);
    return to;
  };
  const Answers mine = ask_both(on_cuda(), true), cpu = ask_both(on_cpu(), true);
  // Sums of some 20 numbers near 1 in another order. No surplus is so near the least one.
  for (const auto member : {&Answers::chunk, &Answers::said, &Answers::q_cost, &Answers::q_reward,
                            &Answers::v_cost, &Answers::v_reward})
    for (std::size_t i = 0; i < (mine.*member).size(); ++i)
      CHECK(std::abs((mine.*member)[i] - (cpu.*member)[i]) <= 1e-5f);
  CHECK(ask_both(on_cuda(), false).chunk == mine.chunk);  // critics change nothing
  const auto acts = [&](std::size_t i, std::size_t candidate) {
    return mine.chunk[i * kChunk] == mine.said[(2 * i + candidate) * kChunk];
  };
  std::size_t first = 0, second = 0;
  for (std::size_t i = 0; i < kRows; ++i) first += acts(i, 0), second += acts(i, 1);
  CHECK(first + second == kRows);
  CHECK(first > 0);
  CHECK(second > 0);
}

TEST_CASE("a one-step actor says on the device what it says on the CPU") {
  any_order();
  Settings settings = small_settings();
  settings.actor = ActorKind::one_step;
  std::vector<double> spent(kRows);
  for (std::size_t i = 0; i < kRows; ++i) spent[i] = static_cast<double>(i % 12);
  const auto said = [&](const std::shared_ptr<Device>& device) {
    const auto networks = make_networks<float>(settings, *device);
    Sampler<float> sampler =
        sampler_of(*networks, {{}, 1, Selection::region, 5, {BudgetRule::half, 10, 1}, false, 5}, device);
    std::vector<float> observations(kRows * 5), noise(kRows * kChunk), chunk(kRows * kChunk);
    for (std::uint32_t i = 0; i < observations.size(); ++i)
      observations[i] = random_normal(37, Purpose::test, 1, 0, i);
    sampler.sample(observations, noise, {chunk, {}, {}, {}}, spent);
    return chunk;
  };
  const std::vector<float> mine = said(on_cuda()), cpu = said(on_cpu());
  for (std::size_t i = 0; i < mine.size(); ++i) CHECK(std::abs(mine[i] - cpu[i]) <= 1e-5f);
}

TEST_CASE("a device scores given chunks as the CPU does") {
  any_order();
  for (const bool budgeted : {false, true}) {
    Settings settings = small_settings();
    SamplerOptions options{{2, 2.0, kLabelGood}, 3};
    if (budgeted) {
      choose_allowed_method(settings, "budgeted");
      options.threshold = 1, options.greatest_budget = 2;
    }
    std::vector<double> observations(kRows * 5), chunks(kRows * kChunk);
    for (std::uint32_t i = 0; i < observations.size(); ++i)
      observations[i] = static_cast<double>(random_normal(37, Purpose::test, 3, 0, i));
    for (std::uint32_t i = 0; i < chunks.size(); ++i)
      chunks[i] = static_cast<double>(random_normal(37, Purpose::test, 4, 0, i));
    const auto score = [&](auto number, const std::shared_ptr<Device>& device) {
      using T = decltype(number);
      const auto networks = make_networks<T>(settings, *device);
      Sampler<T> sampler = sampler_of(*networks, options, device);
      std::vector<T> q_reward(kRows), q_cost(kRows), v_reward(kRows), v_cost(kRows), only(kRows);
      const std::vector<T> s(observations.begin(), observations.end()), a(chunks.begin(), chunks.end());
      sampler.score(s, a, q_reward, q_cost, v_reward, v_cost);
      sampler.score(s, a, only, {}, {}, {});
      CHECK(only == q_reward);
      std::vector<double> all;
      for (const auto* values : {&q_reward, &q_cost, &v_reward, &v_cost})
        all.insert(all.end(), values->begin(), values->end());
      return all;
    };
    const std::vector<double> exact = score(0.0, on_cpu());
    double largest = 0;
    for (const double x : exact) largest = std::max(largest, std::abs(x));
    CHECK(error_of(score(0.0f, on_cuda()), exact) <=
          2 * error_of(score(0.0f, on_cpu()), exact) + largest * 0x1p-22);
    // Operands of 8 bits, each off by up to 2^-9, through four layers: on the root mean square within 2^-6.
    if (budgeted) continue;       // which the fused kernel does not take
    const Choice fused("fused");  // which leaves scores to the library products
    CHECK(error_of(score(0.0f, on_cuda(Precision::bf16)), exact) <= largest * 0x1p-6);
  }
}

TEST_CASE("the fused kernel answers in one launch as the library products of its precision do") {
  any_order();
  for (const Precision precision : {Precision::tf32, Precision::bf16})
    for (const double guidance : {2.0, 1.0}) {
      INFO("bf16 " << (precision == Precision::bf16) << ", guidance " << guidance);
      const SamplerOptions options{{3, guidance, kLabelGood}, 1};  // no choice that rounding could turn
      const Settings settings = small_settings();
      const Answer exact = ask<double>(settings, on_cpu(), options, kRows);
      Answer naive, fused;
      int launches = 0;
      {
        const Choice layered("layered");
        naive = ask<float>(settings, on_cuda(precision), options, kRows);
      }
      {
        const Choice choice("fused");
        fused = ask<float>(settings, on_cuda(precision), options, kRows, &launches);
      }
      CHECK(launches == 1);
      // The library rounds every layer's operands; the fused kernel leaves first layers and heads in fp32.
      check_errors(fused, naive, exact, 0);
    }
}

TEST_CASE("the fused kernel acts where it can, whatever else a call asks for") {
  any_order();
  const Settings settings = small_settings();
  const SamplerOptions options{{2, 2.0, kLabelGood}, 3};
  const std::shared_ptr<Device> device = on_cuda(Precision::bf16);
  const auto networks = make_networks<float>(settings, *device);
  Sampler<float> sampler = sampler_of(*networks, options, device);
  CHECK(sampler.actor().description() == "one fused kernel, bf16");
  CHECK(sampler_of(*networks, options, on_cuda()).actor().description() ==
        "a graph of library products, fp32");
  SamplerOptions by_region = options;
  by_region.selection = Selection::region;
  CHECK(sampler_of(*networks, by_region, device).actor().description() ==
        "a graph of library products, bf16");

  const std::size_t many = 3 * kRows;
  std::vector<float> observations(5 * kRows), noise(many * kChunk), chunk(kRows * kChunk),
      alone = chunk, cost(kRows), alone_cost(kRows), reward(kRows), rewards(many), costs(many),
      candidates(many * kChunk);
  for (std::uint32_t i = 0; i < observations.size(); ++i)
    observations[i] = static_cast<float>(random_normal(37, Purpose::test, 1, 0, i));
  for (std::uint32_t i = 0; i < noise.size(); ++i)
    noise[i] = static_cast<float>(random_normal(37, Purpose::test, 2, 0, i));
  sampler.sample(observations, noise, {alone, alone_cost, {}, {}});
  sampler.sample(observations, noise, {chunk, cost, {}, {}, reward, candidates, costs, rewards});
  CHECK(chunk == alone);
  CHECK(cost == alone_cost);
  int others = 0;  // choices of another candidate than the first
  for (std::size_t i = 0; i < kRows; ++i) {
    const auto best = static_cast<std::size_t>(least_cost(costs.data() + 3 * i, 3));
    CHECK(cost[i] == costs[3 * i + best]);
    CHECK(reward[i] == rewards[3 * i + best]);
    for (std::size_t j = 0; j < kChunk; ++j)
      CHECK(chunk[i * kChunk + j] == candidates[(3 * i + best) * kChunk + j]);
    others += best != 0;
  }
  CHECK(others > 0);
  std::vector<float> of_chosen(kRows);  // the critics' own word on the chosen chunks
  sampler.score(observations, chunk, of_chosen, {}, {}, {});
  CHECK(of_chosen == reward);

  const auto error = [&](const char* wanted, const std::shared_ptr<Device>& on,
                         const SamplerOptions& asked = SamplerOptions{{2, 2.0, kLabelGood}, 3}) {
    const Choice choice(wanted);
    try {
      const auto nets = make_networks<float>(settings, *on);
      sampler_of(*nets, asked, on);
    } catch (const Error& e) {
      CHECK(e.code() == ExitCode::settings);
      return std::string(e.what());
    }
    return std::string("nothing was thrown");
  };
  CHECK(error("fused", on_cuda()).find("cannot run this policy") != std::string::npos);
  CHECK(error("fused", device, by_region).find("by least cost only") != std::string::npos);
  CHECK(error("fast", device).find("unknown sampler `fast`") != std::string::npos);
}

// A thread begins with device 0 (of the host layer's two).
TEST_CASE("any thread may make and ask a policy on any device") {
  int count = 0;
  REQUIRE(cudaGetDeviceCount(&count) == cudaSuccess);
  const SamplerOptions options{{2, 2.0, kLabelGood}, 3};
  std::vector<float> observations(5, 0.1f), noise(3 * kChunk, 0.5f);
  for (const char* name : {"fused", "layered"}) {
    INFO(name);
    const Choice choice(name);
    const auto ask_last_device = [&](auto&& step) {
      std::shared_ptr<Device> device;
      std::unique_ptr<MethodNetworks<float>> networks;
      std::unique_ptr<Sampler<float>> sampler;
      std::vector<float> chunk(kChunk), reward(1);
      step([&] { device = cuda_device(count - 1, Precision::bf16); });
      step([&] { networks = make_networks<float>(small_settings(), *device); });
      step([&] { sampler = std::make_unique<Sampler<float>>(sampler_of(*networks, options, device)); });
      step([&] { sampler->sample(observations, noise, {chunk, {}, {}, {}, reward}); });
      step([&] { sampler->sample(observations, noise, {chunk, {}, {}, {}, reward}); });
      step([&] { sampler.reset(), networks.reset(), device.reset(); });
      chunk.insert(chunk.end(), reward.begin(), reward.end());
      return chunk;
    };
    const auto here = [](auto&& step) { step(); };
    const auto in_threads = [](auto&& step) {
      std::exception_ptr failure;
      std::thread([&] {
        try {
          step();
        } catch (...) {
          failure = std::current_exception();
        }
      }).join();
      if (failure) std::rethrow_exception(failure);
    };
    const std::vector<float> answer = ask_last_device(here);
    CHECK(ask_last_device(in_threads) == answer);
    setenv("R2PAC_CUDA_EAGER", "1", 1);  // nor does it matter whether a graph is captured
    CHECK(ask_last_device(in_threads) == answer);
    unsetenv("R2PAC_CUDA_EAGER");
  }
}

TEST_CASE("new weights are seen by the next answer") {
  for (const char* name : {"fused", "layered"}) {
    INFO(name);
    const Choice choice(name);
    const std::shared_ptr<Device> device = on_cuda(Precision::bf16);
    const auto networks = make_networks<float>(small_settings(), *device);
    Sampler<float> sampler = sampler_of(*networks, {{2, 2.0, kLabelGood}, 1}, device);
    std::vector<float> observations(5, 0.1f), noise(kChunk, 0.2f), before(kChunk), after(kChunk),
        again(kChunk);
    sampler.sample(observations, noise, {before, {}, {}, {}});
    std::vector<float> weights = entry_values(networks->online, networks->online.values());
    const std::vector<float> old = weights;
    for (float& w : weights) w *= 0.5f;
    set_entry_values(networks->online, weights);
    sampler.sample(observations, noise, {after, {}, {}, {}});
    CHECK(before != after);
    set_entry_values(networks->online, old);
    sampler.sample(observations, noise, {again, {}, {}, {}});
    CHECK(before == again);
  }
}
