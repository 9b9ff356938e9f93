// How many threads are started: by masks, quotas and variables, in fake control groups and in real processes.
#include <sched.h>

#include <catch2/catch.hpp>

#include "base/processors.h"
#include "program.h"

using namespace r2pac;

namespace {

/// Sets a variable of this process, "" unsets it, and puts it back in the end.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Variable() { set(before_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  void set(const std::string& value) const {
    value.empty() ? unsetenv(name_) : setenv(name_, value.c_str(), 1);
  }

 private:
  const char* name_;
  std::string before_;
};

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// Lets this thread, and the processes that it starts, use one processor of those that it has.
class OneProcessor {
 public:
  OneProcessor() {
    REQUIRE(sched_getaffinity(0, sizeof before_, &before_) == 0);
    int first = 0;
    while (!CPU_ISSET(first, &before_)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  }
  ~OneProcessor() { sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_;
};

/// Threads that the program has once its device is made, when no flag says how many.
long threads_of_program(const std::vector<std::string>& environment = {}) {
  Process program({"bench", "step", "--threads", "0"}, environment);
  REQUIRE(program.prints("instruction set"));
  const std::filesystem::directory_iterator threads("/proc/" + std::to_string(program.id()) + "/task");
  return std::distance(begin(threads), end(threads));
}

}  // namespace

TEST_CASE("a quota is rounded up to whole processors") {
  CHECK(processors_of_quota("150000 100000\n") == 2);
  CHECK(processors_of_quota("200000 100000\n") == 2);
  CHECK(processors_of_quota("1000 100000") == 1);
  CHECK(processors_of_quota("9223372036854775807 1") == kMostThreads);
  for (const char* none : {"max 100000\n", "-1\n 100000\n", "", "100000", "0 100000", "100000 0",
                           "1e5 100000", "99999999999999999999 100000"})
    CHECK_FALSE(processors_of_quota(none));
}

TEST_CASE("the least quota of a control group and its ancestors counts") {
  const ScratchFolder root;
  const std::string membership = "0::/job/step\n";
  CHECK_FALSE(processors_of_control_groups(root.path, membership));
  write(root.path / "job/step/cpu.max", "max 100000\n");
  CHECK_FALSE(processors_of_control_groups(root.path, membership));
  write(root.path / "job/cpu.max", "150000 100000\n");
  write(root.path / "other/cpu.max", "50000 100000\n");
  CHECK(processors_of_control_groups(root.path, membership) == 2);
  write(root.path / "cpu.max", "700000 100000\n");
  CHECK(processors_of_control_groups(root.path, membership) == 2);
  CHECK(processors_of_control_groups(root.path, "0::/path/of/the/host\n") == 7);
  CHECK(processors_of_control_groups(root.path, "0::/\n") == 7);
  CHECK_FALSE(processors_of_control_groups(root.path, "nonsense\n"));
}

TEST_CASE("control groups of version 1 are found where they are mounted") {
  const ScratchFolder root;
  const auto quota = [&](const std::string& folder, const std::string& text) {
    write(root.path / folder / "cpu.cfs_quota_us", text);
    write(root.path / folder / "cpu.cfs_period_us", "100000\n");
  };
  quota("cpuset", "100000\n");
  quota("cpu,cpuacct", "-1\n");
  quota("cpu,cpuacct/job", "250000\n");
  const std::string membership = "11:cpuset:/job\n4:cpu,cpuacct:/job/step\n0::/\n";
  CHECK(processors_of_control_groups(root.path, membership) == 3);
  write(root.path / "unified/cpu.max", "200000 100000\n");
  CHECK(processors_of_control_groups(root.path, membership) == 2);
}

TEST_CASE("the mask, SLURM's grant and R2PAC_THREADS decide, in this order") {
  const Variable ours("R2PAC_THREADS", ""), slurm("SLURM_CPUS_PER_TASK", "");
  CHECK(usable_processors() >= 1);
  CHECK(thread_count() == usable_processors());
  slurm.set("1");
  CHECK(usable_processors() == 1);
  for (const char* unknown : {"100000", "many", "0"}) {
    slurm.set(unknown);
    const int granted = usable_processors();
    slurm.set("");
    CHECK(granted == usable_processors());
  }
  const OneProcessor mask;
  CHECK(usable_processors() == 1);
  slurm.set("5");
  CHECK(usable_processors() == 1);
  ours.set("3");
  CHECK(usable_processors() == 1);
  CHECK(thread_count() == 3);
  CHECK(thread_count(7) == 7);
}

TEST_CASE("a program sees its mask, and R2PAC_THREADS before that") {
  const Variable ours("R2PAC_THREADS", ""), slurm("SLURM_CPUS_PER_TASK", "");
  const OneProcessor mask;
  CHECK(threads_of_program() == 1);
  CHECK(threads_of_program({"R2PAC_THREADS=3"}) >= 3);  // the measurement of the peak may have its own, too
}

TEST_CASE("a number of threads that cannot be is a usage error") {
  const Variable ours("R2PAC_THREADS", "");
  for (const char* nonsense : {"0", "-1", "two", "2x", " 2", "1025", "99999999999999999999"}) {
    const ProgramResult result =
        run_program({"bench", "step", "--threads", "0"}, {std::string("R2PAC_THREADS=") + nonsense});
    CHECK(result.status == 2);
    CHECK(result.err == "error: the number of threads cannot be `" + std::string(nonsense) +
                            "`, it must be from 1 to 1024\n  where: R2PAC_THREADS\n"
                            "  to do: unset it to use all processors\n");
  }
}
