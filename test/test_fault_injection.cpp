// System calls and allocations of whole commands made to fail one after the other: what was there before is
// whole, nothing half-written stays, and the exit status tells the kind. A sample of the calls;
// R2PAC_THOROUGH=1000 takes every one.
#include <cstdint>
#include <cstring>
#include <iostream>
#include <map>
#include <set>

#include "folder_state.h"
#include "thorough.h"
#include "verbs_that_write.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

struct Fault {
  std::string call;
  int error_number;
  std::set<int> codes;  ///< what a command may end with
};

const std::set<int> kReading = {0, 2, 3, 4, 5, 8}, kWriting = {0, 8};

/// EMFILE and EFBIG are not waited for, unlike a full disk.
std::vector<Fault> faults() {
  return {{"open", EMFILE, kReading},      {"read", EIO, kReading},      {"write", EFBIG, {0, 3, 8}},
          {"fsync", EROFS, kWriting},      {"rename", EACCES, kWriting}, {"close", EINTR, {0}},
          {"ftruncate", EPERM, {0, 3, 8}}, {"mkdir", EACCES, kWriting},  {"flock", ENOLCK, {0, 3}},
          {"opendir", EMFILE, {0, 5, 8}},  {"mmap", ENOMEM, kReading},   {"malloc", ENOMEM, kReading}};
}

/// Runs commands with faults, and counts the calls of each kind.
class Injector {
 public:
  explicit Injector(const SmallRun& f) : file_(f.path("count")) {}

  ProgramResult run(const std::vector<std::string>& arguments, const std::string& call, long k,
                    int error_number, const char* how) const {
    std::ofstream(file_, std::ios::binary) << std::string(8, '\0');
    return run_program(arguments, {"LD_PRELOAD=" R2PAC_INJECT_FAULTS, "R2PAC_FAULT_COUNT=" + file_,
                                   "R2PAC_FAULT=" + call + ":" + std::to_string(k) + ":" +
                                       std::to_string(error_number) + ":" + how});
  }
  /// Calls of the last run.
  long count() const {
    const std::string bytes = content(file_);
    std::int64_t number = 0;
    if (bytes.size() == sizeof number) std::memcpy(&number, bytes.data(), sizeof number);
    return number;
  }

 private:
  std::string file_;
};

/// Numbers below n, at most `most`, the first and the last among them.
std::vector<long> sample(long n, long most) {
  std::vector<long> numbers;
  most = std::min(most, n);
  for (long i = 0; i < most; ++i) numbers.push_back(most == 1 ? 0 : i * (n - 1) / (most - 1));
  return numbers;
}

/// What every command owes its user, whatever failed.
void check_end(const ProgramResult& result, const Fault& fault) {
  INFO(result.err);
  CHECK(fault.codes.contains(result.status));
  CHECK(result.err.find("internal error") == std::string::npos);
  if (result.status != 0) CHECK(result.err.find("error: ") != std::string::npos);
}

int tries = 0;

/// Makes sampled calls of a command fail. `prepare` puts the old state there, `check` judges what is left.
template <class Prepare, class Check>
void inject(const Injector& injector, const std::vector<std::string>& arguments, Prepare prepare,
            Check check) {
  for (const Fault& fault : faults()) {
    prepare();
    REQUIRE(injector.run(arguments, fault.call, -1, 0, "once").status == 0);
    const long calls = injector.count();
    for (const char* how : {"once", "for-good"})
      for (const long k : sample(calls, 2 * thorough())) {
        INFO(fault.call << " " << k << " of " << calls << " fails " << how);
        prepare();
        const ProgramResult result = injector.run(arguments, fault.call, k, fault.error_number, how);
        check_end(result, fault);
        check(result);
        ++tries;
      }
  }
}

}  // namespace

TEST_CASE("a command whose calls fail leaves each output old or new, and no temporary file") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  REQUIRE(
      run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "2", "--flow-steps", "2"}).status ==
      0);
  const std::string out = f.path("out");
  const Injector injector(f);
  tries = 0;
  for (const WritingVerb& verb : writing_verbs(f, f.run, out)) {
    INFO(verb.name);
    fs::create_directories(out);
    REQUIRE(run_program(verb.arguments).status == 0);
    std::map<std::string, std::string> whole;
    for (const std::string& file : verb.outputs) whole[file] = content(file);
    inject(
        injector, verb.arguments,
        [&] {
          fs::remove_all(out);
          fs::create_directories(out + "/report");
          for (const std::string& file : verb.outputs) std::ofstream(file) << "old";
        },
        [&](const ProgramResult& result) {
          for (const std::string& file : verb.outputs) {
            const std::string now = content(file);
            const bool is_new = now == whole[file];
            CHECK((is_new || now == "old"));
            if (result.status == 0) CHECK(is_new);
          }
          CHECK_FALSE(has_temporary(out));
        });
  }
  std::cout << "commands with a failing call: " << tries << "\n";
}

TEST_CASE("a training whose calls fail can be continued to the same bytes") {
  const SmallRun f;
  const auto train = [&](const std::string& name) {
    return f.train({"--out", f.path(name), "--threads", "1", "--set", "log_every=20", "--set",
                    "checkpoint_every=30", "--set", "num_candidates=2", "--set", "flow_steps=2"});
  };
  REQUIRE(run_program(train("straight")).status == 0);
  // A run that was stopped half-way, to be resumed.
  REQUIRE(run_program(train("half")).status == 0);
  fs::remove(f.path("half/policy.safetensors"));
  for (const auto& entry : fs::directory_iterator(f.path("half/checkpoints")))
    if (entry.path().filename() != "step-000000060.safetensors") fs::remove(entry.path());
  REQUIRE(fs::exists(f.path("half/checkpoints/step-000000060.safetensors")));
  const Injector injector(f);
  tries = 0;
  for (const bool resumed : {false, true}) {
    inject(
        injector, train("faulty"),
        [&] {
          fs::remove_all(f.path("faulty"));
          if (resumed) fs::copy(f.path("half"), f.path("faulty"), fs::copy_options::recursive);
        },
        [&](const ProgramResult& result) {
          INFO((resumed ? "resumed" : "new"));
          if (fs::exists(f.path("faulty"))) CHECK_FALSE(has_temporary(f.path("faulty")));
          if (result.status != 0) REQUIRE(run_program(train("faulty")).status == 0);
          for (const char* name : {"/metrics.jsonl", "/policy.safetensors", "/config.toml"}) {
            const bool same = content(f.path("faulty") + name) == content(f.path("straight") + name);
            INFO(name);
            CHECK(same);
          }
        });
  }
  std::cout << "trainings with a failing call: " << tries << "\n";
}

TEST_CASE("a disk that is full for a moment costs a training time and nothing else") {
  const SmallRun f;
  const auto arguments = f.train({"--threads", "1", "--set", "checkpoint_every=20"});
  REQUIRE(
      run_program(f.train({"--threads", "1", "--set", "checkpoint_every=20", "--out", f.path("straight")}))
          .status == 0);
  const Injector injector(f);
  for (const auto& [call, error_number] : {std::pair("fsync", EIO), std::pair("rename", ENOSPC)}) {
    fs::remove_all(f.run);
    REQUIRE(injector.run(arguments, call, -1, 0, "once").status == 0);
    const long last = injector.count() - 2;
    fs::remove_all(f.run);
    const ProgramResult result = injector.run(arguments, call, last, error_number, "once");
    CHECK(result.status == 0);
    CHECK(result.err.find(std::strerror(error_number)) != std::string::npos);
    CHECK(result.err.find("; trying again in 1 s\n") != std::string::npos);
    CHECK_FALSE(has_temporary(f.run));
    const bool same =
        content(f.run + "/policy.safetensors") == content(f.path("straight/policy.safetensors"));
    CHECK(same);
  }
}

TEST_CASE("a signal ends the wait for a full disk") {
  const SmallRun f;
  const Injector injector(f);
  std::ofstream(f.path("count"), std::ios::binary) << std::string(8, '\0');
  Process program(f.train({"--set", "checkpoint_every=10"}),
                  {"LD_PRELOAD=" R2PAC_INJECT_FAULTS, "R2PAC_FAULT_COUNT=" + f.path("count"),
                   "R2PAC_FAULT=fsync:12:" + std::to_string(ENOSPC) + ":for-good"});
  REQUIRE(program.warns("; trying again in 1 s"));
  const auto sent = std::chrono::steady_clock::now();
  program.signal(SIGTERM);
  const ProgramResult result = program.wait();
  CHECK(result.status == 8);
  CHECK(result.err.find("error: cannot write the file: No space left on device") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - sent < std::chrono::seconds(2));
}

TEST_CASE("a disk that stays full ends a training with 8 after five more tries") {
  if (thorough() == 1) return;  // it takes half a minute
  const SmallRun f;
  const Injector injector(f);
  const ProgramResult result =
      injector.run(f.train({"--set", "checkpoint_every=10"}), "fsync", 12, EIO, "for-good");
  CHECK(result.status == 8);
  for (const char* pause : {"1 s", "2 s", "4 s", "8 s", "15 s"})
    CHECK(result.err.find(std::string("; trying again in ") + pause + "\n") != std::string::npos);
  CHECK_FALSE(has_temporary(f.run));
  CHECK(run_program(f.train({"--set", "checkpoint_every=10"})).status == 0);
}
