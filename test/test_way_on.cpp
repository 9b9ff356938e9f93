// Situations of users that end a command: the message names a way on, and the way works. None of them is an
// internal error, and none costs more memory or time than it should.
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "small_run.h"
#include "storage/generations.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void require_no_internal_error(const ProgramResult& result, int status) {
  INFO(result.err);
  CHECK(result.status == status);
  CHECK_FALSE(has(result.err, "internal error"));
  CHECK(has(result.err, "\n  to do: "));
}

/// Address space that programs may have while this lives.
class MemoryLimit {
 public:
  explicit MemoryLimit([[maybe_unused]] rlim_t bytes) {
#ifdef __SANITIZE_ADDRESS__  // reserves terabytes
    bytes = RLIM_INFINITY;
#endif
    REQUIRE(getrlimit(RLIMIT_AS, &old_) == 0);
    const rlimit less{bytes, old_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_AS, &less) == 0);
  }
  ~MemoryLimit() { setrlimit(RLIMIT_AS, &old_); }

 private:
  rlimit old_{};
};

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

/// A run that was stopped before its end, with checkpoints of steps 10 and 20 of each of its two stages' 40.
std::vector<std::string> unfinished(const SmallRun& f) {
  std::vector<std::string> command = f.train({"--schedule", "joint", "--set", "checkpoint_every=10"});
  REQUIRE(run_program(command).status == 0);
  fs::remove(f.run + "/policy.safetensors");
  fs::remove(list_generations(f.run + "/checkpoints").at(0).path);
  return command;
}

}  // namespace

TEST_CASE("a run that is not finished names its newest checkpoint, and that checkpoint serves") {
  const SmallRun f;
  const std::vector<std::string> train = unfinished(f);
  const std::string newest = list_generations(f.run + "/checkpoints").at(0).path.string();
  std::ofstream(f.path("observations")) << "[0,0,0,0,0,0,0]\n";
  const auto commands = [&](const std::string& policy) {
    return std::vector<std::vector<std::string>>{{"sample", policy, "--obs", f.path("observations")},
                                                 {"values", policy, "--data", f.data, "-o", f.path("v.csv")},
                                                 {"diagnose", policy, "--data", f.data},
                                                 {"eval", policy, "--env", "reach-avoid", "--episodes", "1"}};
  };
  for (const auto& command : commands(f.run)) {
    const ProgramResult result = run_program(command);
    require_no_internal_error(result, 5);
    CHECK(has(result.err, "the run is not finished: its newest checkpoint is of step 30"));
    CHECK(has(result.err, newest + " (`r2pac eval` takes --checkpoint 30, too)"));
  }
  for (const auto& command : commands(newest)) CHECK(run_program(command).status == 0);
  CHECK(
      run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "1", "--checkpoint", "30"}).status ==
      0);
  REQUIRE(run_program(train).status == 0);  // "continue it"
  for (const auto& command : commands(f.run)) CHECK(run_program(command).status == 0);
  fs::create_directory(f.path("empty"));
  require_no_internal_error(run_program({"sample", f.path("empty"), "--obs", "-"}), 5);
}

TEST_CASE("a damaged or shortened log costs a warning, and the run goes on") {
  const SmallRun f;
  const std::vector<std::string> more = {"--schedule",          "joint", "--set",
                                         "checkpoint_every=10", "--set", "log_every=5"};
  std::vector<std::string> train = f.train(more);
  REQUIRE(run_program(train).status == 0);
  const std::string policy = content(f.run + "/policy.safetensors"), log = content(f.run + "/metrics.jsonl");
  const auto lines = [&] {
    const std::string now = content(f.run + "/metrics.jsonl");
    return std::count(now.begin(), now.end(), '\n');
  };
  for (const std::string damage : {"gone", "empty", "cut", "a line longer", "text"}) {
    INFO(damage);
    fs::remove(f.run + "/policy.safetensors");
    fs::remove(list_generations(f.run + "/checkpoints").at(0).path);
    if (damage == "gone") fs::remove(f.run + "/metrics.jsonl");
    std::ofstream(f.run + "/metrics.jsonl", damage == "gone" ? std::ios::app : std::ios::trunc)
        << (damage == "cut"             ? log.substr(0, log.size() / 2)
            : damage == "a line longer" ? "{\"step\":0}\n" + log
            : damage == "text"          ? "not a line of ours\n" + log
                                        : "");
    const ProgramResult result = run_program(train);
    INFO(result.err);
    CHECK(result.status == 0);
    CHECK(has(result.err, "metrics.jsonl was damaged or shortened"));
    const bool same = content(f.run + "/policy.safetensors") == policy;
    CHECK(same);
    CHECK(lines() >= 2);
    CHECK(run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "1"}).status == 0);
    CHECK(run_program({"report", f.run, "-o", f.path("report"), "--no-pictures"}).status == 0);
  }
}

TEST_CASE("where all checkpoints are damaged, another folder is the way on") {
  const SmallRun f;
  const std::vector<std::string> more = {"--set", "checkpoint_every=30"};
  REQUIRE(run_program(f.train(more)).status == 0);
  for (const Generation& generation : list_generations(f.run + "/checkpoints"))
    fs::resize_file(generation.path, 100);
  const ProgramResult result = run_program(f.train(more));
  require_no_internal_error(result, 5);
  CHECK(has(result.err, "begin anew with another --out"));
  CHECK(run_program(f.train({more[0], more[1], "--out", f.path("anew")})).status == 0);
}

TEST_CASE("a manifest of any shape neither stops a run nor grows in it") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  const std::string manifest = f.run + "/manifest.json";
  for (const std::string& text :
       {"{\"history\":" + nested(100000) + "}", nested(100000), std::string("{\"history\":[[[[]]]]}"),
        std::string("{\"history\":[{\"time\":1,\"status\":2,\"step\":3}]}"), std::string("{\"history\":7}"),
        std::string("{\"effort\":{\"steps\":-1,\"seconds\":-1,\"scoring_seconds\":\"x\"}}"),
        std::string("{\"effort\":[[]]}"),
        std::string("{\"history\":[{\"time\":\"t\",\"status\":\"s\",\"step\":-1}]}"),
        std::string("\x00\xff", 2), std::string(1 << 20, '{'), std::string("")}) {
    std::ofstream(manifest) << text;
    const ProgramResult result = run_program(f.train());
    INFO(text.substr(0, 60) << " " << result.err);
    CHECK(result.status == 0);
    CHECK(fs::file_size(manifest) < 10000);
    CHECK(nlohmann::json::parse(content(manifest)).at("history").is_array());
  }
  std::string long_history = "{\"history\":[";
  for (int i = 0; i < 5000; ++i)
    long_history += std::string(i > 0 ? "," : "") +
                    "{\"time\":\"t\",\"status\":\"running\",\"step\":" + std::to_string(i) + "}";
  std::ofstream(manifest) << long_history + "]}";
  CHECK(run_program(f.train()).status == 0);
  const auto history = nlohmann::json::parse(content(manifest)).at("history");
  CHECK(history.size() <= 1010);
  CHECK(history.at(0).at("step") == 4000);
}

TEST_CASE("an observation line is nested and as long as it may be, or refused within that much memory") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  for (const std::string& line :
       {"{\"observation\":" + nested(100000) + "}", nested(400000), std::string(1 << 20, '['),
        std::string("{\"observation\":{\"observation\":{\"observation\":[[0]]}}}"),
        std::string(300000, '{')}) {
    std::ofstream(f.path("line")) << line << "\n";
    const ProgramResult result = run_program({"sample", f.run, "--obs", f.path("line"), "--strict"});
    INFO(result.err.substr(0, 300));
    CHECK(result.status == 3);
    CHECK(has(result.err, ", line 1\n"));
  }
  // Without an end: 300 MB and an endless file, in less memory than the first of them has.
  fs::resize_file(f.path("line"), 0);
  fs::resize_file(f.path("line"), 300 << 20);
  const MemoryLimit limit(rlim_t{512} << 20);
  for (const std::string& endless : {f.path("line"), std::string("/dev/zero")}) {
    const ProgramResult result = run_program({"sample", f.run, "--obs", endless});
    INFO(result.err);
    CHECK(result.status == 3);
    CHECK(has(result.err, "longer than a mebibyte"));
    CHECK(run_program({"sample", f.run, "--obs", "-"}, {}, -1, endless).status == 3);
  }
}

TEST_CASE("a huge file with a nonsense header is refused before it is read") {
  const ScratchFolder folder;
  const std::string path = folder / "zeros.safetensors";
  std::ofstream(path) << "";
  fs::resize_file(path, std::uintmax_t{3} << 30);  // takes no room on the disk
  const MemoryLimit limit(rlim_t{512} << 20);
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"inspect", path}, {"sample", path, "--obs", "-"}, {"eval", path, "--env", "reach-avoid"}}) {
    const ProgramResult result = run_program(command);
    require_no_internal_error(result, 5);
    CHECK(has(result.err, "the header does not begin with {"));
  }
}

TEST_CASE("what the system refuses is said with its class and a remedy") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  REQUIRE(run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "1"}).status == 0);
  require_no_internal_error(run_program({"report", f.run, "-o", f.path("report")}, {"TMPDIR=/nowhere"}), 8);
  const std::string loop = f.path("loop");
  fs::create_symlink(loop, loop);
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"sample", loop, "--obs", "-"},
           {"eval", loop, "--env", "reach-avoid"},
           {"values", loop, "--data", f.data, "-o", f.path("v.csv")},
           {"inspect", loop},
           f.train({"--out", f.path("a"), "--resume", loop}),
           f.train({"--out", f.path("b"), "--schedule", "sequential", "--critics", loop})})
    require_no_internal_error(run_program(command), 5);
  require_no_internal_error(run_program({"report", loop, "-o", f.path("report")}), 2);
  require_no_internal_error(run_program({"data", "info", loop}), 3);
  // A report whose manifest names what is no data set any more says so and goes on.
  std::ofstream(f.data) << "no data any more";
  const ProgramResult result = run_program({"report", f.run, "-o", f.path("report")});
  CHECK(result.status == 0);
  CHECK(has(result.err, "so their episodes are not drawn"));
}

TEST_CASE("without memory the program says so, whatever it was about to do") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  std::size_t refused = 0;
  const std::vector<std::string> train = {"train",    "--data",    f.data,    "--out", f.path("x"),
                                          "--hidden", "512,512",   "--batch", "512",   "--steps",
                                          "1",        "--threads", "2"};
  for (int mebibytes = 32; mebibytes <= 160; mebibytes += 8) {
    const MemoryLimit limit(static_cast<rlim_t>(mebibytes) << 20);
    for (const std::vector<std::string>& command : {std::vector<std::string>{"sample", f.run, "--obs", "-"},
                                                    train, std::vector<std::string>{"inspect", f.run}}) {
      ProgramResult result;
      try {
        result = run_program(command);
      } catch (const std::runtime_error&) {
        continue;  // not even the loader had enough
      }
      INFO(mebibytes << " " << command[0] << ": " << result.status << " " << result.err);
      if (result.status == 127 || has(result.err, "loading shared libraries")) continue;
      CHECK(result.status >= 0);
      CHECK_FALSE(has(result.err, "internal error"));
      if (result.status != 0) CHECK(result.err.starts_with("error: "));
      refused += result.status != 0;
      fs::remove_all(f.path("x"));
    }
  }
  CHECK(refused > 0);
}
