// Traces: complete, consistent with themselves, and the same bytes for any number of threads.
#include <catch2/catch.hpp>
#include <fstream>

#include "model/trace.h"
#include "scratch_folder.h"
#include "storage/safetensors.h"
#include "tools/data_make.h"

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

TEST_CASE("a trace's steps follow from each other, and its losses from its targets") {
  const ScratchFolder folder;
  const Dataset dataset = make_dataset(reach_avoid_columns(10, 0), "robot.hdf5");
  for (const Schedule schedule : {Schedule::joint, Schedule::sequential}) {
    const auto path = folder.path / "trace.safetensors", again = folder.path / "again.safetensors";
    write_trace<double>(trace_settings(schedule), dataset, 4, std::make_shared<ThreadPool>(1), path);
    write_trace<double>(trace_settings(schedule), dataset, 4, std::make_shared<ThreadPool>(3), again);
    const bool same = bytes_of(path) == bytes_of(again);
    CHECK(same);

    const SafetensorsFile file = SafetensorsFile::read(path);
    CHECK(file.metadata("format") == "r2pac-trace-1");
    for (int i = 0; i < 4; ++i) {
      const std::string at = "step." + std::to_string(i) + "/";
      const bool critics = schedule == Schedule::joint || i < 2, flow = schedule == Schedule::joint || i >= 2;
      CHECK(file.contains(at + "loss/q_r") == critics);
      CHECK(file.contains(at + "loss/flow") == flow);
      CHECK(file.get<double>(at + "observations", {40, 7}).size() == 280);
      CHECK(file.get<std::uint32_t>(at + "windows", {40}).size() == 40);
      // A phase moves its own networks and no others.
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
    // The label of every row is what the recorded values and threshold say.
    const auto unsafe = file.get<double>("step.0/unsafe"), target = file.get<double>("step.0/reward_target");
    for (std::size_t r = 0; r < unsafe.size(); ++r)
      if (unsafe[r] != 0) CHECK(target[r] == Approx(-1 / 0.01));
  }
}
