// Training runs: stopped and resumed without a trace, refused when something changed, stopped when diverging.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/philox.h"
#include "data/dsrl.h"
#include "model/policy.h"
#include "model/run.h"
#include "on_cpu.h"
#include "scratch_folder.h"
#include "storage/generations.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

/// Twelve episodes of random numbers, three of them with a genuine end.
void write_data(const fs::path& path, std::uint64_t seed) {
  DsrlColumns columns;
  columns.rows = 12 * 25;
  columns.observation_dim = 4;
  columns.action_dim = 2;
  const auto n = static_cast<std::size_t>(columns.rows);
  const auto uniform = [&](std::uint32_t array, std::size_t i) {
    return 2 * random_uniform(seed, Purpose::test, 0, array, static_cast<std::uint32_t>(i)) - 1;
  };
  for (std::size_t i = 0; i < n * 4; ++i) columns.observations.push_back(uniform(0, i));
  columns.next_observations.assign(columns.observations.begin() + 4, columns.observations.end());
  columns.next_observations.resize(n * 4, 0.25f);
  for (std::size_t i = 0; i < n * 2; ++i) columns.actions.push_back(uniform(1, i));
  for (std::size_t i = 0; i < n; ++i) {
    columns.rewards.push_back(uniform(2, i));
    columns.costs.push_back(uniform(3, i) > 0.5f ? 1.0f : 0.0f);
    const bool last = i % 25 == 24;
    columns.terminals.push_back(last && i / 25 % 4 == 0);
    columns.timeouts.push_back(last && i / 25 % 4 != 0);
  }
  write_dsrl(path.string(), columns);
}

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Fixture {
 public:
  Fixture() { write_data(data(), 1); }
  fs::path data() const { return folder_.path / "data.hdf5"; }
  fs::path out(const std::string& name) const { return folder_.path / name; }

  RunOptions options(const std::string& name, Schedule schedule) const {
    RunOptions o;
    o.device = on_cpu();
    Settings& s = o.settings.values;
    s.schedule = schedule;
    s.steps = 24;
    s.critic_steps = schedule == Schedule::sequential ? 20 : -1;
    s.hidden = {16, 16};
    s.batch = 32;
    s.chunk_length = 3;
    s.label_dim = 4;
    s.flow_steps = 4;
    s.num_candidates = 3;
    s.log_every = 5;
    s.checkpoint_every = 8;
    o.data = data();
    o.folder = out(name);
    return o;
  }

 private:
  ScratchFolder folder_;
};

/// Runs until `stop_after` steps are done in all, or to the end.
RunEnd run(const RunOptions& options, std::uint64_t stop_after = ~std::uint64_t{0},
           std::vector<std::string>* warnings = nullptr) {
  std::atomic<bool> stop{false};
  RunCallbacks callbacks;
  callbacks.note = [](const std::string&) {};
  callbacks.warn = [&](const std::string& text) {
    if (warnings != nullptr) warnings->push_back(text);
  };
  callbacks.progress = [&](std::uint64_t step, std::uint64_t) {
    if (step >= stop_after) stop = true;
  };
  callbacks.stop = &stop;
  return run_training(options, callbacks);
}

void require_same_run(const fs::path& a, const fs::path& b) {
  CHECK(bytes_of(a / "metrics.jsonl") == bytes_of(b / "metrics.jsonl"));
  const bool same_policy = bytes_of(a / "policy.safetensors") == bytes_of(b / "policy.safetensors");
  CHECK(same_policy);
  const auto newest = [](const fs::path& run) { return list_generations(run / "checkpoints").at(0).path; };
  CHECK(newest(a).filename() == newest(b).filename());
  const bool same_checkpoint = bytes_of(newest(a)) == bytes_of(newest(b));
  CHECK(same_checkpoint);
}

std::string error_of(const RunOptions& options, ExitCode code) {
  try {
    run(options);
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return error.what();
  }
  FAIL("no error");
  return {};
}

}  // namespace

TEST_CASE("a run that is stopped and resumed ends in the same bytes as one that is not") {
  const Fixture fixture;
  for (const Schedule schedule : {Schedule::joint, Schedule::sequential}) {
    const std::string base = schedule == Schedule::joint ? "joint" : "sequential";
    REQUIRE(run(fixture.options(base, schedule)) == RunEnd::finished);
    const std::uint64_t total = schedule == Schedule::joint ? 24 : 44;
    for (const std::uint64_t first :
         {std::uint64_t{1}, std::uint64_t{7}, std::uint64_t{8}, std::uint64_t{20}, total - 1}) {
      RunOptions options = fixture.options(base + std::to_string(first), schedule);
      REQUIRE(run(options, first) == RunEnd::stopped);
      options.device = cpu_device(2);  // the rest on another number of threads, in two further parts
      REQUIRE(run(options, first + 2) == (first + 2 < total ? RunEnd::stopped : RunEnd::finished));
      options.device = cpu_device(4);
      REQUIRE(run(options) == RunEnd::finished);
      require_same_run(fixture.out(base), options.folder);
    }
  }
}

TEST_CASE(
    "a damaged newest checkpoint gives way to the older one, with one warning, and the end is the same") {
  const Fixture fixture;
  REQUIRE(run(fixture.options("whole", Schedule::joint)) == RunEnd::finished);
  const RunOptions options = fixture.options("damaged", Schedule::joint);
  REQUIRE(run(options, 18) == RunEnd::stopped);
  const std::vector<Generation> kept = list_generations(options.folder / "checkpoints");
  REQUIRE(kept.size() == 2);
  fs::resize_file(kept[0].path, fs::file_size(kept[0].path) / 2);
  std::vector<std::string> warnings;
  REQUIRE(run(options, ~std::uint64_t{0}, &warnings) == RunEnd::finished);
  CHECK(warnings.size() == 1);
  require_same_run(fixture.out("whole"), options.folder);
}

TEST_CASE("a checkpoint continues in another folder with the metrics so far") {
  const Fixture fixture;
  REQUIRE(run(fixture.options("one", Schedule::sequential)) == RunEnd::finished);
  REQUIRE(run(fixture.options("part", Schedule::sequential), 13) == RunEnd::stopped);
  RunOptions elsewhere = fixture.options("elsewhere", Schedule::sequential);
  elsewhere.resume = fixture.out("part").string();
  REQUIRE(run(elsewhere) == RunEnd::finished);
  require_same_run(fixture.out("one"), elsewhere.folder);
}

TEST_CASE("resuming with other data or settings is refused with the difference") {
  const Fixture fixture;
  const RunOptions options = fixture.options("run", Schedule::joint);
  REQUIRE(run(options, 10) == RunEnd::stopped);

  RunOptions settings = options;
  settings.settings.values.alpha = 0.5;
  settings.settings.values.batch = 33;
  const std::string message = error_of(settings, ExitCode::settings);
  CHECK(message.find("alpha was 0.9 and is now 0.5") != std::string::npos);
  CHECK(message.find("batch was 32 and is now 33") != std::string::npos);

  RunOptions harmless = options;
  harmless.settings.values.checkpoint_every = 5;
  CHECK(run(harmless, 12) == RunEnd::stopped);

  RunOptions data = options;
  data.data = fixture.out("other.hdf5");
  write_data(data.data, 2);
  CHECK(error_of(data, ExitCode::settings).find("other data") != std::string::npos);

  RunOptions never = options;
  never.resume = "never";
  CHECK(error_of(never, ExitCode::settings).find("already holds a run") != std::string::npos);
}

TEST_CASE("a run that diverges stops, names step and term, and keeps its last good checkpoint") {
  const Fixture fixture;
  const RunOptions good = fixture.options("run", Schedule::joint);
  REQUIRE(run(good, 10) == RunEnd::stopped);
  RunOptions bad = fixture.options("bad", Schedule::joint);
  bad.settings.values.learning_rate = 1e30;
  bad.settings.values.checkpoint_every = 1;
  const std::string message = error_of(bad, ExitCode::diverged);
  CHECK(message.find("is not finite at step") != std::string::npos);
  for (const Generation& generation : list_generations(bad.folder / "checkpoints")) {
    const SafetensorsFile file = SafetensorsFile::read(generation.path);
    for (const StoredTensor& tensor : file.tensors())
      for (const float value : file.get<float>(tensor.name)) REQUIRE(std::isfinite(value));
  }
}

TEST_CASE("a policy reproduces its own example, and a changed one is refused") {
  const Fixture fixture;
  RunOptions options = fixture.options("run", Schedule::joint);
  options.settings.values.normalize_observations = true;
  REQUIRE(run(options) == RunEnd::finished);
  const Policy policy = Policy::load(options.folder, on_cpu());
  CHECK(policy.dimensions() == Dimensions{4, 2, 3});

  // The same tensors but for one weight, written as another program would: without our checksum.
  const SafetensorsFile file = SafetensorsFile::read(policy.path());
  SafetensorsWriter writer;
  std::vector<float> weight;
  for (const StoredTensor& tensor : file.tensors()) {
    const auto bytes = file.bytes(tensor.name);
    if (tensor.name == "v_c.1.weight") {
      weight.assign(file.get<float>(tensor.name).begin(), file.get<float>(tensor.name).end());
      for (float& w : weight) w += 0.5f;
      writer.add<float>(tensor.name, tensor.shape, weight);
    } else {
      writer.add(tensor.name, tensor.type, tensor.shape, bytes.data(), bytes.size());
    }
  }
  for (const auto& [key, value] : file.metadata()) writer.metadata(key, value);
  writer.write(fixture.out("changed.safetensors"));
  try {
    Policy::load(fixture.out("changed.safetensors"), on_cpu());
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::checkpoint);
    CHECK(std::string(error.what()).find("does not reproduce its own") != std::string::npos);
  }
}
