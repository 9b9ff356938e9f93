// Training runs: stopped and resumed without a trace, refused when something changed, stopped when diverging.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "allowed_settings.h"
#include "base/error.h"
#include "base/philox.h"
#include "cpu_precisions.h"
#include "data/dsrl.h"
#include "on_cpu.h"
#include "policy/policy.h"
#include "scratch_folder.h"
#include "storage/generations.h"
#include "training/run.h"

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
  for (std::size_t i = 24 * 4; i < n * 4; i += 25 * 4)  // what an episode ends in is not the next one's start
    for (std::size_t k = 0; k < 4; ++k) columns.next_observations[i + k] = uniform(4, i + k);
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
  for (const Precision precision : cpu_precisions())
    for (const Schedule schedule : {Schedule::joint, Schedule::sequential}) {
      const std::string base =
          std::string(schedule == Schedule::joint ? "joint-" : "sequential-") + precision_name(precision);
      RunOptions whole = fixture.options(base, schedule);
      whole.device = cpu_device(1, precision);
      REQUIRE(run(whole) == RunEnd::finished);
      const std::uint64_t total = schedule == Schedule::joint ? 24 : 44;
      for (const std::uint64_t first :
           {std::uint64_t{1}, std::uint64_t{7}, std::uint64_t{8}, std::uint64_t{20}, total - 1}) {
        RunOptions options = fixture.options(base + std::to_string(first), schedule);
        options.device = whole.device;
        REQUIRE(run(options, first) == RunEnd::stopped);
        options.device = cpu_device(2, precision);  // the rest on other threads, in two further parts
        REQUIRE(run(options, first + 2) == (first + 2 < total ? RunEnd::stopped : RunEnd::finished));
        options.device = cpu_device(4, precision);
        REQUIRE(run(options) == RunEnd::finished);
        require_same_run(whole.folder, options.folder);
      }
    }
}

namespace {

/// What goes with a published method, in sizes of a test.
void choose_published_method(Settings& s, const char* method) {
  s.method = method;
  s.chunk_length = s.num_candidates = 1;
  s.activation = Activation::relu;
  s.timeouts = Timeouts::terminal;
  s.vae_hidden = {12, 12};
}

}  // namespace

TEST_CASE("a run of each variant that is stopped and resumed has the same end") {
  const Fixture fixture;
  const std::map<std::string, std::function<void(Settings&)>> variants = {
      {"reward", [](Settings& s) { s.label_rule = LabelRule::reward; }},
      {"gaussian", [](Settings& s) { s.actor = ActorKind::gaussian; }},
      {"weighted", [](Settings& s) { s.actor = ActorKind::weighted_flow; }},
      {"feasibility", [](Settings& s) { s.backup = Backup::feasibility, s.threshold = Threshold::zero; }},
      {"safe",
       [](Settings& s) {
         choose_allowed_method(s, "safe-chunks");
         s.layer_norm = s.normalize_observations = true;
         s.actor_hidden = {12, 8, 8};
         s.cost_expectile = 0.97;
       }},
      {"one-step",
       [](Settings& s) {
         choose_allowed_method(s, "safe-chunks");
         s.layer_norm = s.normalize_observations = true;
         s.budget = BudgetRule::half;
         s.actor = ActorKind::one_step;
         s.distill_steps = 7;
       }},
      {"budgeted",
       [](Settings& s) {
         choose_allowed_method(s, "budgeted");
         s.layer_norm = true;
       }},
      {"cloning", [](Settings& s) { s.method = "cloning", s.num_candidates = 1; }},
      {"bc", [](Settings& s) { choose_published_method(s, "bc"); }},
      {"bc-safe",
       [](Settings& s) {
         choose_published_method(s, "bc-safe");
         s.episodes = Episodes::within_limit;
         s.cost_limit = 20;
       }},
      {"cpq", [](Settings& s) { choose_published_method(s, "cpq"); }},
      {"cpq with dead terms",
       [](Settings& s) {
         choose_published_method(s, "cpq");
         s.dead_terms = true;
       }},
      {"cpq, consistent",
       [](Settings& s) {
         choose_published_method(s, "cpq");
         s.form = Form::consistent;
       }},
      {"coptidice", [](Settings& s) { choose_published_method(s, "coptidice"); }},
      {"coptidice, consistent",
       [](Settings& s) {
         choose_published_method(s, "coptidice");
         s.form = Form::consistent;
       }},
      {"caps",
       [](Settings& s) {
         choose_published_method(s, "caps");
         s.heads = 3;
         s.threshold = Threshold::limit;
       }},
      {"bcrl",
       [](Settings& s) {
         choose_published_method(s, "bcrl");
         s.threshold = Threshold::limit;
         s.layer_norm = s.normalize_observations = true;
         s.rate_decay = RateDecay::cosine;
       }},
      {"fisor",
       [](Settings& s) {
         choose_published_method(s, "fisor");
         s.num_candidates = 3;
         s.actor_hidden = {8, 8};
         s.threshold = Threshold::zero;
       }},
  };
  for (const auto& [name, change] : variants)
    for (const Schedule schedule : {Schedule::joint, Schedule::sequential}) {
      const std::string base = name + (schedule == Schedule::joint ? "-joint" : "");
      INFO(base);
      RunOptions whole = fixture.options(base, schedule), parts = fixture.options(base + "-parts", schedule);
      change(whole.settings.values), change(parts.settings.values);
      REQUIRE(run(whole) == RunEnd::finished);
      REQUIRE(run(parts, 13) == RunEnd::stopped);
      if (schedule == Schedule::sequential && whole.settings.values.actor == ActorKind::one_step)
        REQUIRE(run(parts, 47) == RunEnd::stopped);  // within its third stage
      parts.device = cpu_device(2);
      REQUIRE(run(parts) == RunEnd::finished);
      require_same_run(whole.folder, parts.folder);
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

TEST_CASE("a run that goes on for more steps ends in the bytes of one that was started with them") {
  const Fixture fixture;
  for (const Schedule schedule : {Schedule::joint, Schedule::sequential}) {
    const std::string base = schedule == Schedule::joint ? "joint" : "sequential";
    const auto longer = [&](const std::string& name) {
      RunOptions options = fixture.options(name, schedule);
      options.settings.values.steps = 41;
      return options;
    };
    REQUIRE(run(longer(base)) == RunEnd::finished);
    for (const std::uint64_t first : {3, 20, 24, 100}) {  // 24: no line of the metrics; 100: the end
      const RunOptions part = fixture.options(base + std::to_string(first), schedule);
      REQUIRE(run(part, first) == (first < 100 ? RunEnd::stopped : RunEnd::finished));
      RunOptions options = longer(base + std::to_string(first));
      CHECK(error_of(options, ExitCode::settings).find("steps was 24 and is now 41") != std::string::npos);
      options.resume = options.folder.string();
      REQUIRE(run(options) == RunEnd::finished);
      require_same_run(fixture.out(base), options.folder);
    }
    // In a folder of its own, which leaves the other as it was.
    REQUIRE(run(fixture.options(base + "-short", schedule)) == RunEnd::finished);
    const auto before = bytes_of(fixture.out(base + "-short") / "policy.safetensors");
    RunOptions elsewhere = longer(base + "-elsewhere");
    elsewhere.resume = fixture.out(base + "-short").string();
    REQUIRE(run(elsewhere) == RunEnd::finished);
    require_same_run(fixture.out(base), elsewhere.folder);
    CHECK((bytes_of(fixture.out(base + "-short") / "policy.safetensors") == before));
  }
}

TEST_CASE("another number of steps is refused where the steps that were done are not those of such a run") {
  const Fixture fixture;
  RunOptions options = fixture.options("run", Schedule::sequential);
  REQUIRE(run(options) == RunEnd::finished);
  options.resume = options.folder.string();
  const auto refusal = [&](const std::function<void(Settings&)>& change) {
    RunOptions changed = options;
    change(changed.settings.values);
    return error_of(changed, ExitCode::settings);
  };
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(has(refusal([](Settings& s) { s.critic_steps = 30; }), "`critics` has ended with 20 steps"));
  CHECK(has(refusal([](Settings& s) { s.critic_steps = -1; }), "and would now have 24"));
  CHECK(
      has(refusal([](Settings& s) { s.steps = 23; }), "has done 44 steps, more than it would now have (43)"));
  CHECK(has(refusal([](Settings& s) {
              s.steps = 41;
              s.alpha = 0.5;
            }),
            "alpha was 0.9 and is now 0.5"));
  // The same number in other words is none.
  RunOptions same = options;
  same.settings.values.steps = 41;
  same.settings.values.distill_steps = 7;  // there is no such stage
  CHECK(run(same) == RunEnd::finished);

  RunOptions cosine = fixture.options("cosine", Schedule::joint);
  cosine.settings.values.rate_decay = RateDecay::cosine;
  REQUIRE(run(cosine) == RunEnd::finished);
  cosine.resume = cosine.folder.string();
  cosine.settings.values.steps = 41;
  CHECK(has(error_of(cosine, ExitCode::settings), "rate_decay = cosine"));
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

namespace {

/// Scores that depend on the step alone: the 2nd is safe, the 3rd safe and worse, the 4th earns most and
/// costs too much.
std::optional<Evaluation> scripted_evaluation(const Policy& policy, std::vector<std::uint64_t>& asked) {
  asked.push_back(policy.step());
  const std::uint64_t k = policy.step() / 8;
  Evaluation e;
  e.env = "scripted";
  e.episodes = 1;
  e.return_mean = std::vector<double>{0, 5, 3, 2, 9}.at(k);
  e.normalized_cost = std::vector<double>{0, 2, 1, 0.5, 3}.at(k);
  return e;
}

std::vector<Evaluation> evaluations(const fs::path& folder) {
  std::vector<Evaluation> all;
  std::ifstream in(folder / "evaluations.jsonl");
  for (std::string line; std::getline(in, line);) all.push_back(parse_evaluation_line(line).value());
  return all;
}

}  // namespace

TEST_CASE("a run scores its policy and keeps the best safe one") {
  Fixture fixture;
  RunOptions options = fixture.options("scored", Schedule::joint);
  options.settings.values.steps = 32;
  options.evaluate_every = 8;
  std::vector<std::uint64_t> asked;
  options.evaluate = [&](const Policy& policy) { return scripted_evaluation(policy, asked); };
  REQUIRE(run(options) == RunEnd::finished);
  CHECK(asked == std::vector<std::uint64_t>{8, 16, 24, 32});
  REQUIRE(evaluations(options.folder).size() == 4);
  CHECK(evaluations(options.folder)[3].return_mean == 9);
  CHECK(Policy::load(options.folder / "policy-safe-best.safetensors", on_cpu()).step() == 16);
  CHECK(Policy::load(options.folder, on_cpu()).step() == 32);

  SECTION("scoring changes nothing that is trained") {
    RunOptions plain = fixture.options("plain", Schedule::joint);
    plain.settings.values.steps = 32;
    REQUIRE(run(plain) == RunEnd::finished);
    CHECK(bytes_of(plain.folder / "policy.safetensors") == bytes_of(options.folder / "policy.safetensors"));
    CHECK(bytes_of(plain.folder / "metrics.jsonl") == bytes_of(options.folder / "metrics.jsonl"));
  }
  SECTION("stopped and resumed: the same lines and files, no step scored twice") {
    RunOptions resumed = options;
    resumed.folder = fixture.out("resumed");
    asked.clear();
    REQUIRE(run(resumed, 17) == RunEnd::stopped);
    CHECK(asked == std::vector<std::uint64_t>{8, 16});
    REQUIRE(run(resumed) == RunEnd::finished);
    CHECK(asked == std::vector<std::uint64_t>{8, 16, 24, 32});
    for (const char* name : {"evaluations.jsonl", "policy.safetensors", "policy-safe-best.safetensors"})
      CHECK(bytes_of(resumed.folder / name) == bytes_of(options.folder / name));
  }
  SECTION("an environment that fails costs no step, and the step is scored when the run goes on") {
    RunOptions failing = options;
    failing.folder = fixture.out("failing");
    failing.evaluate = [&](const Policy& policy) -> std::optional<Evaluation> {
      if (policy.step() == 24) throw Error(ExitCode::environment, "the environment died");
      return scripted_evaluation(policy, asked);
    };
    CHECK_THROWS_AS(run(failing), Error);
    failing.evaluate = options.evaluate;
    asked.clear();
    REQUIRE(run(failing) == RunEnd::finished);
    CHECK(asked == std::vector<std::uint64_t>{24, 32});
    CHECK(bytes_of(failing.folder / "evaluations.jsonl") == bytes_of(options.folder / "evaluations.jsonl"));
  }
  SECTION("asked to stop while scoring: scored when the run goes on") {
    RunOptions stopped = options;
    stopped.folder = fixture.out("stopped-while-scoring");
    stopped.evaluate = [&](const Policy& policy) -> std::optional<Evaluation> {
      if (policy.step() == 16) return std::nullopt;
      return scripted_evaluation(policy, asked);
    };
    REQUIRE(run(stopped) == RunEnd::stopped);
    stopped.evaluate = options.evaluate;
    asked.clear();
    REQUIRE(run(stopped) == RunEnd::finished);
    CHECK(asked == std::vector<std::uint64_t>{16, 24, 32});
    CHECK(bytes_of(stopped.folder / "evaluations.jsonl") == bytes_of(options.folder / "evaluations.jsonl"));
  }
}

TEST_CASE("critics are not scored before the flow is trained") {
  Fixture fixture;
  RunOptions options = fixture.options("sequential", Schedule::sequential);
  options.settings.values.steps = 16;
  options.settings.values.critic_steps = 16;
  options.evaluate_every = 8;
  std::vector<std::uint64_t> asked;
  options.evaluate = [&](const Policy& policy) { return scripted_evaluation(policy, asked); };
  REQUIRE(run(options) == RunEnd::finished);
  CHECK(asked == std::vector<std::uint64_t>{24, 32});
}

TEST_CASE("the safer policy is the better one") {
  const auto scored = [](double episode_return, double cost) {
    Evaluation e;
    e.return_mean = episode_return;
    e.cost_mean = e.normalized_cost = cost;
    return e;
  };
  CHECK(safer_and_better(scored(1, 0.9), scored(5, 1.1)));
  CHECK_FALSE(safer_and_better(scored(5, 1.1), scored(1, 1.0)));
  CHECK(safer_and_better(scored(2, 1.0), scored(1, 0.0)));
  CHECK(safer_and_better(scored(1, 2.0), scored(9, 3.0)));
  CHECK_FALSE(safer_and_better(scored(2, 0.5), scored(2, 0.5)));
  Evaluation e = scored(0.1, 0.7);
  e.spread = {0.25, 3.5};
  CHECK(parse_evaluation_line(evaluation_line(e, true)) == e);
  e.normalized_return = 0.3;
  e.spread.reset();
  CHECK(parse_evaluation_line(evaluation_line(e, false)) == e);
  for (const char* line : {"", "{}", "[1]", "{\"step\": \"x\"}", "{\"step\": 1e300, \"seed\": 0}", "\xff"})
    CHECK_FALSE(parse_evaluation_line(line));
}

TEST_CASE("critics of another run are taken over") {
  Fixture fixture;
  const RunOptions joint = fixture.options("joint", Schedule::joint);
  REQUIRE(run(joint) == RunEnd::finished);
  RunOptions options = fixture.options("flow", Schedule::sequential);
  options.settings.values.critic_steps = 0;
  options.critics = joint.folder;
  REQUIRE(run(options) == RunEnd::finished);
  const SafetensorsFile before = SafetensorsFile::read(joint.folder / "policy.safetensors"),
                        after = SafetensorsFile::read(options.folder / "policy.safetensors");
  for (const StoredTensor& tensor : before.tensors())
    if (tensor.name.starts_with("q_") || tensor.name.starts_with("v_") || tensor.name == "threshold")
      CHECK(std::ranges::equal(before.bytes(tensor.name), after.bytes(tensor.name)));
  CHECK_FALSE(std::ranges::equal(before.bytes("velocity.0.weight"), after.bytes("velocity.0.weight")));

  SECTION("stopped and resumed: the same policy") {
    RunOptions resumed = options;
    resumed.folder = fixture.out("flow-resumed");
    REQUIRE(run(resumed, 7) == RunEnd::stopped);
    REQUIRE(run(resumed) == RunEnd::finished);
    CHECK(bytes_of(resumed.folder / "policy.safetensors") == bytes_of(options.folder / "policy.safetensors"));
  }
  SECTION("other settings of the critics are refused by name") {
    RunOptions other = options;
    other.folder = fixture.out("other");
    other.settings.values.discount = 0.9;
    CHECK_THROWS_WITH(run(other), Catch::Contains("discount was 0.99 and is now 0.9"));
    other.settings.values = options.settings.values;
    other.settings.values.schedule = Schedule::joint;
    CHECK_THROWS_WITH(run(other), Catch::Contains("sequential"));
  }
}

TEST_CASE("a checkpoint acts, too") {
  Fixture fixture;
  const RunOptions options = fixture.options("kept", Schedule::joint);
  REQUIRE(run(options) == RunEnd::finished);
  const Policy last = Policy::load(options.folder, on_cpu()),
               checkpoint = Policy::load(generation_path(options.folder / "checkpoints", 24), on_cpu());
  CHECK(checkpoint.step() == 24);
  CHECK(checkpoint.dimensions() == last.dimensions());
  CHECK(checkpoint.data_fingerprint() == last.data_fingerprint());
  const std::vector<float> observation = {0.1f, -0.2f, 0.3f, 0.4f};
  std::vector<float> noise(3 * 6), chunks[2] = {std::vector<float>(6), std::vector<float>(6)};
  const Policy* policies[2] = {&last, &checkpoint};
  for (int i = 0; i < 2; ++i) {
    Sampler<float> sampler = policies[i]->sampler(policies[i]->sampler_options());
    sampler.draw_noise(1, 2, 3, noise);
    sampler.sample(observation, noise, {chunks[i], {}, {}, {}});
  }
  CHECK(chunks[0] == chunks[1]);
}
