// Traces: complete, consistent with themselves, and the same bytes for any number of threads.
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <tuple>

#include "on_cpu.h"
#include "scratch_folder.h"
#include "storage/safetensors.h"
#include "tools/data_make.h"
#include "training/trace.h"

using namespace r2pac;

namespace {

Settings trace_settings(Schedule schedule) {
  Settings settings;
  settings.schedule = schedule;
  settings.critic_steps = schedule == Schedule::sequential ? 2 : -1;
  settings.hidden = {12, 12};
  settings.batch = 40;
  return settings;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a trace's steps follow from each other, the same bytes for any number of threads") {
  const ScratchFolder folder;
  const Dataset dataset = make_dataset(reach_avoid_columns(10, 0), "robot.hdf5");
  for (const Schedule schedule : {Schedule::joint, Schedule::sequential}) {
    const auto path = folder.path / "trace.safetensors", again = folder.path / "again.safetensors";
    write_trace<double>(trace_settings(schedule), dataset, 4, on_cpu(), path);
    write_trace<double>(trace_settings(schedule), dataset, 4, cpu_device(3), again);
    const bool same = bytes_of(path) == bytes_of(again);
    CHECK(same);

    const SafetensorsFile file = SafetensorsFile::read(path);
    CHECK(file.metadata("format") == "r2pac-trace-2");
    for (int i = 0; i < 4; ++i) {
      const std::string at = "step." + std::to_string(i) + "/";
      const bool critics = schedule == Schedule::joint || i < 2, flow = schedule == Schedule::joint || i >= 2;
      CHECK(file.contains(at + "loss/q_r") == critics);
      CHECK(file.contains(at + "loss/flow") == flow);
      CHECK(file.get<double>(at + "observations", {40, 7}).size() == 280);
      CHECK(file.get<std::uint32_t>(at + "windows", {40}).size() == 40);
      // A stage moves its own networks and no others.
      const auto moved = [&](const std::string& name) {
        const std::string before =
            i == 0 ? "initial/online/" : "step." + std::to_string(i - 1) + "/after/online/";
        const auto a = file.get<double>(before + name), b = file.get<double>(at + "after/online/" + name);
        return !std::equal(a.begin(), a.end(), b.begin(), b.end());
      };
      CHECK(moved("q_c.1.weight") == critics);
      CHECK(moved("v_r.0.bias") == critics);
      CHECK(moved("velocity.1.weight") == flow);
      if (!flow) continue;
      for (const double label : file.get<double>(at + "dropped_label"))
        CHECK((label == 0 || label == 1 || label == 2));
    }
    // An unsafe chunk has the penalty for its target; a trace in which none is unsafe would show nothing.
    const auto unsafe = file.get<double>("step.0/unsafe"), target = file.get<double>("step.0/reward_target");
    CHECK(std::count(unsafe.begin(), unsafe.end(), 1.0) > 0);
    for (std::size_t r = 0; r < unsafe.size(); ++r)
      if (unsafe[r] != 0) CHECK(target[r] == Approx(-1 / 0.01));
  }
}

TEST_CASE("a trace's critic losses follow from its values and targets") {
  const ScratchFolder folder;
  const auto path = folder.path / "trace.safetensors";
  const Dataset dataset = make_dataset(reach_avoid_columns(10, 0), "robot.hdf5");
  Settings settings = trace_settings(Schedule::joint);
  settings.twin_critics = false;
  write_trace<double>(settings, dataset, 1, on_cpu(), path);
  const SafetensorsFile file = SafetensorsFile::read(path);
  // With one critic a side, whose target begins as its copy, the recorded values are the first predictions.
  for (const auto& [value, target, loss] :
       {std::tuple("q_reward", "reward_target", "q_r"), {"q_cost", "cost_target", "q_c"}}) {
    const auto v = file.get<double>(std::string("step.0/") + value, {40});
    const auto y = file.get<double>(std::string("step.0/") + target, {40});
    double sum = 0;
    for (std::size_t r = 0; r < v.size(); ++r) sum += (y[r] - v[r]) * (y[r] - v[r]);
    // Forty squares, summed in another order.
    CHECK(file.get<double>(std::string("step.0/loss/") + loss, {1})[0] == Approx(sum / 40).epsilon(1e-13));
  }
}

TEST_CASE("a trace says how many steps it holds when training ends before it") {
  const ScratchFolder folder;
  const auto path = folder.path / "trace.safetensors";
  Settings settings = trace_settings(Schedule::sequential);
  settings.critic_steps = 1;
  settings.steps = 1;
  write_trace<float>(settings, make_dataset(reach_avoid_columns(10, 0), "robot.hdf5"), 3, on_cpu(), path);
  const SafetensorsFile file = SafetensorsFile::read(path);
  CHECK(file.metadata("steps") == "2");
  CHECK(file.contains("step.1/loss/flow"));
  CHECK_FALSE(file.contains("step.2/windows"));
}
