// A step, once recorded, and a sampler, once used, ask the system for nothing: no memory, no call.
#include <algorithm>
#include <catch2/catch.hpp>

#include "acting/policy_sampler.h"
#include "cpu_precisions.h"
#include "on_cpu.h"
#include "quiet.h"
#include "small_method.h"

using namespace r2pac;

namespace {

/// A step of a stage, wide enough for every kernel and with a short last tile.
struct Bench : MethodStep<float> {
  Bench(const std::string& stage, int threads, bool norm = false, Precision precision = Precision::fp32)
      : MethodStep(wide(norm), stage, cpu_device(threads, precision)) {}
  static Settings wide(bool norm) {
    Settings settings;
    settings.hidden = {40, 33, 37};
    settings.batch = 200;
    settings.label_dim = 4;
    settings.layer_norm = norm;
    return settings;
  }
};

/// A sampler with room for its answers.
struct Decisions {
  RandomWindows<float> data;
  std::unique_ptr<MethodNetworks<float>> nets;
  std::unique_ptr<Sampler<float>> sampler;
  std::vector<float> observations, noise, chunk, cost, v_reward, v_cost;

  Decisions(int rows, int threads) {
    Settings settings;
    settings.hidden = {40, 33};
    settings.label_dim = 4;
    nets = std::make_unique<MethodNetworks<float>>(settings, Dimensions{data.s, data.a, data.h}, *on_cpu());
    sampler = std::make_unique<Sampler<float>>(
        sampler_of(*nets, {{4, 2.0, kLabelGood}, 5, Selection::region, 0.0}, cpu_device(threads)));
    const auto n = static_cast<std::size_t>(rows), width = static_cast<std::size_t>(data.a * data.h);
    observations.assign(n * data.s, 0.3f);
    noise.resize(n * 5 * width);
    chunk.resize(n * width);
    for (auto* column : {&cost, &v_reward, &v_cost}) column->resize(n);
  }
  void act() {
    sampler->draw_noise(1, 2, 3, noise);
    sampler->sample(observations, noise, {chunk, cost, v_reward, v_cost});
  }
};

}  // namespace

TEST_CASE("the counter counts, on worker threads too") {
  if (kSanitized) return;
  ThreadPool pool(2);
  const std::vector<std::byte*> memory(2, nullptr);
  std::atomic<int> sink{0};
  const TaskGroup allocate{64, [&](int task, std::byte*) {
                             const std::vector<int> values(100, task);
                             sink += *std::max_element(values.begin(), values.end());
                           }};
  CHECK(allocations_of([&] { pool.run(allocate, memory); }) == 64);
  CHECK(allocations_of([&] { free(aligned_alloc(64, 128)); }) == 1);
}

TEST_CASE("a step allocates nothing, not even the first time it is replayed") {
  if (kSanitized) return;
  for (const char* const kind : kStages)
    for (const int threads : {1, 2})
      for (const bool norm : {false, true})
        for (const Precision precision : cpu_precisions()) {
          Bench bench(kind, threads, norm, precision);
          INFO("stage " << kind << ", threads " << threads << ", " << precision_name(precision));
          CHECK(allocations_of([&] {
                  for (int i = 0; i < 5; ++i) bench.step->run();
                }) == 0);
          CHECK(bench.progress().step == 5);
        }
}

TEST_CASE("a sampler allocates nothing after its first answer of a size") {
  if (kSanitized) return;
  for (const int threads : {1, 2})
    for (const int rows : {1, 7}) {
      Decisions actor(rows, threads);
      actor.act();
      CHECK(allocations_of([&] {
              for (int i = 0; i < 3; ++i) actor.act();
            }) == 0);
    }
}

TEST_CASE("on one thread neither a step nor an answer makes a system call") {
  if (kSanitized) return;
  const int control = fenced([] { syscall(SYS_getppid); });
  if (control == -1) {
    WARN("this kernel or container has no seccomp: not checked");
    return;
  }
  REQUIRE(control == SIGSYS);  // the fence holds
  for (const char* const kind : kStages)
    for (const Precision precision : cpu_precisions()) {
      Bench bench(kind, 1, false, precision);
      bench.step->run();
      CHECK(fenced([&] {
              for (int i = 0; i < 3; ++i) bench.step->run();
            }) == 0);
    }
  Decisions actor(3, 1);
  actor.act();
  CHECK(fenced([&] { actor.act(); }) == 0);
}
