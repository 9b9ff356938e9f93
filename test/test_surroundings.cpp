// What surrounds a process: hang-ups, readers that leave, closed descriptors, names of any bytes, few
// descriptors, little memory.
#include <memory>

#include "base/descriptors.h"
#include "base/error.h"
#include "base/memory.h"
#include "folder_state.h"
#include "resource_limit.h"
#include "small_run.h"
#include "storage/generations.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

/// Runs the command through a shell: `$R` is the program, with its redirections and limits.
int shell(const std::string& command) {
  const int status = std::system(("R='" + program_path() + "'; " + command).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::string joined(const std::vector<std::string>& arguments) {
  std::string text = "\"$R\"";
  for (const std::string& argument : arguments) text += " '" + argument + "'";
  return text;
}

/// The arguments of a training with other steps.
std::vector<std::string> steps(std::vector<std::string> arguments, const std::string& number) {
  *(std::find(arguments.begin(), arguments.end(), "--steps") + 1) = number;
  return arguments;
}

}  // namespace

TEST_CASE("a hang-up saves and ends with 75, however often it is said, and nohup is heard") {
  const SmallRun f;
  Process program(steps(f.train({"--set", "log_every=10", "--set", "checkpoint_every=1000000"}), "1000000"));
  REQUIRE(program.prints("critics 10/"));
  for (const int number : {SIGHUP, SIGHUP, SIGTERM, SIGHUP}) program.signal(number);
  CHECK(program.wait().status == 75);
  CHECK(list_generations(f.run + "/checkpoints").size() == 1);

  const auto before = std::signal(SIGHUP, SIG_IGN);  // as `nohup` hands it down
  Process unmoved(steps(f.train({"--out", f.path("b"), "--set", "log_every=10"}), "1000000"));
  std::signal(SIGHUP, before);
  REQUIRE(unmoved.prints("critics 10/"));
  unmoved.signal(SIGHUP);
  sleep_ms(500);
  CHECK(unmoved.running());
  unmoved.signal(SIGTERM);
  CHECK(unmoved.wait().status == 75);
}

TEST_CASE("a training outlives the reader of its output, other commands end without a word") {
  const SmallRun f;
  const auto into_closed_pipe = [&](const std::vector<std::string>& arguments) {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    close(ends[0]);
    const ProgramResult result = run_program(arguments, {}, ends[1]);
    close(ends[1]);
    return result;
  };
  for (const std::vector<std::string>& arguments :
       {f.train(), f.train({"--json", "--out", f.path("json")})}) {
    const ProgramResult result = into_closed_pipe(arguments);
    CHECK(result.status == 0);
    CHECK(result.err.find("error") == std::string::npos);
  }
  CHECK(fs::exists(f.run + "/policy.safetensors"));
  CHECK(content(f.run + "/policy.safetensors") == content(f.path("json/policy.safetensors")));
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"data", "info", f.data}, {"train", "--help"}}) {
    const ProgramResult result = into_closed_pipe(arguments);
    CHECK(result.status == -SIGPIPE);
    CHECK(result.err.empty());
  }
  // Both outputs of one pipe, whose reader leaves in the middle.
  CHECK(shell("( " + joined(steps(f.train({"--out", f.path("both"), "--set", "log_every=10"}), "1000")) +
              " 2>&1; echo $? >" + f.path("status") + " ) | head -n 3 >/dev/null") == 0);
  CHECK(content(f.path("status")) == "0\n");
  // A full disk behind standard output is told.
  CHECK(shell(joined(f.train({"--out", f.path("full")})) + " >/dev/full 2>/dev/null") == 8);
  CHECK(fs::exists(f.path("full/policy.safetensors")));
}

TEST_CASE("standard descriptors may be closed") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--out", f.path("open")})).status == 0);
  int round = 0;
  for (const std::string closed : {"<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"}) {
    INFO(closed);
    const std::string out = f.path("closed" + std::to_string(round++));
    CHECK(shell(joined({"data", "check", f.data, "--json"}) + " " + closed + " >/dev/null") == 0);
    CHECK(shell(joined(f.train({"--out", out})) + " " + closed) == 0);
    for (const char* name : {"/policy.safetensors", "/metrics.jsonl", "/config.toml"}) {
      const bool same = content(out + name) == content(f.path("open") + name);
      CHECK(same);
    }
  }
}

TEST_CASE("a child's descriptors do not take the place of standard ones") {
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK(above_standard_descriptors(null) == null);
  CHECK(above_standard_descriptors(-1) == -1);
  const int spare = dup(STDIN_FILENO);
  close(STDIN_FILENO);
  const int low = open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(low == STDIN_FILENO);
  const int moved = above_standard_descriptors(low);
  CHECK(moved > STDERR_FILENO);
  CHECK(fcntl(STDIN_FILENO, F_GETFD) == -1);
  dup2(spare, STDIN_FILENO);
  close(spare), close(moved), close(null);
}

TEST_CASE("names need not be UTF-8") {
  const SmallRun f;
  const std::string data = f.path("data\xff\xfe.hdf5"), run = f.path("run\xe9");
  fs::copy_file(f.data, data);
  std::vector<std::string> train = f.train({"--out", run});
  *(std::find(train.begin(), train.end(), "--data") + 1) = data;
  std::ofstream(f.path("set\xff.toml")) << "batch = 32\n";
  train.insert(train.end(), {"--config", f.path("set\xff.toml")});
  CHECK(run_program(train).status == 0);
  CHECK(run_program(train).status == 0);  // its own files can be read again
  const ProgramResult json = run_program({"eval", run, "--env", "reach-avoid", "--episodes", "1", "--json"});
  CHECK(json.status == 0);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"values", run, "--data", data, "-o", f.path("v\xff.csv")},
        {"diagnose", run, "--data", data, "-o", f.path("d\xff.json")},
        {"data", "info", data, "--json"},
        {"inspect", run, "--json"},
        {"report", run, "--no-pictures", "-o", f.path("report\xff")}}) {
    const ProgramResult result = run_program(arguments);
    INFO(arguments[0] << ": " << result.err);
    CHECK(result.status == 0);
  }
}

TEST_CASE("with few descriptors a command works or says why not, and never blames the file") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  const std::string policy = f.run + "/policy.safetensors";
  const auto with_descriptors = [](int most, const std::vector<std::string>& arguments) {
    std::unique_ptr<Process> program;
    {
      const ResourceLimit limit(RLIMIT_NOFILE, static_cast<rlim_t>(most));
      program = std::make_unique<Process>(arguments);
    }
    return program->wait();
  };
  int worked = 0, refused = 0;
  for (int limit = 4; limit <= 16; ++limit)
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"data", "info", f.data},
          {"eval", policy, "--env", "reach-avoid", "--episodes", "1"},
          {"values", policy, "--data", f.data, "-o", f.path("v.csv")},
          f.train({"--out", f.path("few" + std::to_string(limit))})}) {
      const ProgramResult result = with_descriptors(limit, arguments);
      const int status = result.status;
      const std::string& text = result.err;
      INFO(limit << " descriptors, " << arguments[0] << ": " << text);
      if (status == 127) continue;  // too few for the loader
      CHECK((status == 0 || status == 3 || status == 5 || status == 8));
      CHECK(text.find("internal error") == std::string::npos);
      CHECK(text.find("fresh copy") == std::string::npos);
      if (status != 0) CHECK(text.find("Too many open files") != std::string::npos);
      (status == 0 ? worked : refused) += 1;
    }
  CHECK(worked > 0);
  CHECK(refused > 0);
}

TEST_CASE("more memory than there is ends with 4 before the first step") {
  const SmallRun f;
  const std::string wide = "16384,16384,16384,16384,16384,16384,16384,16384";
  std::vector<std::string> arguments = f.train({"--out", f.path("wide")});
  *std::find(arguments.begin(), arguments.end(), "24,24") = wide;
  const auto begin = std::chrono::steady_clock::now();
  const ProgramResult result = run_program(arguments);
  if (available_memory().value_or(0) < (std::uint64_t{400} << 30)) {
    CHECK(result.status == 4);
    CHECK(result.err.find("GiB of memory, and ") != std::string::npos);
    CHECK_FALSE(fs::exists(f.path("wide")));
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
  }
}

TEST_CASE("claims on memory add up, and go with their owner") {
  const auto available = available_memory();
  REQUIRE(available);
  const std::size_t two_thirds = *available / 3 * 2;
  const auto claim = [](std::size_t bytes) {
    try {
      const MemoryClaim one(bytes);
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::settings);
      return false;
    }
    return true;
  };
  CHECK(claim(two_thirds));
  CHECK(claim(two_thirds));
  const MemoryClaim first(two_thirds);
  CHECK_FALSE(claim(two_thirds));
  CHECK(claim(two_thirds / 4));
}

TEST_CASE("a control group's limit on memory counts, less what it holds") {
  const ScratchFolder scratch;
  fs::create_directories(scratch.path / "a/b");
  const auto put = [&](const std::string& name, const std::string& text) {
    std::ofstream(scratch.path / name) << text;
  };
  const auto left = [&](const std::string& membership) {
    return memory_left_by_control_groups(scratch.path, membership);
  };
  CHECK_FALSE(left("0::/a/b\n"));
  put("a/b/memory.max", "max\n");
  put("a/b/memory.current", "100\n");
  CHECK_FALSE(left("0::/a/b\n"));
  put("a/memory.max", "1000\n");
  put("a/memory.current", "700\n");
  CHECK(left("0::/a/b\n") == 300u);
  put("a/memory.stat", "anon 500\nfile 200\ninactive_file 150\n");
  CHECK(left("0::/a/b\n") == 450u);
  put("a/memory.current", "5000\n");
  CHECK(left("0::/a/b\n") == 0u);
  // Version 1 has a mount for the controller.
  fs::create_directories(scratch.path / "memory/c");
  put("memory/c/memory.limit_in_bytes", "400\n");
  put("memory/c/memory.usage_in_bytes", "350\n");
  put("memory/c/memory.stat", "total_inactive_file 50\n");
  CHECK(left("5:cpu,cpuacct:/c\n4:memory:/c\n") == 100u);
}
