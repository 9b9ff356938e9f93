// Experiments as they are run: killed and run again, with jobs that fail or diverge. Needs Snakemake.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "program.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Two data sets of the built-in robot.
struct Robots {
  ScratchFolder folder;
  std::string data = folder / "data";
  Robots() {
    if (!fs::exists(R2PAC_SOURCE_DIR "/.experiments/bin/snakemake")) {
      std::printf("skipped: there is no Snakemake; install it with ./setup.sh --experiments\n");
      std::exit(77);
    }
    fs::create_directory(data);
    for (const std::string name : {"a", "b"})
      REQUIRE(run_program({"data", "make", "reach-avoid", "-o", data + "/" + name + ".hdf5", "--episodes",
                           "12", "--seed", name == "a" ? "3" : "4"})
                  .status == 0);
  }
  /// The file of an experiment on both, with these further lines.
  std::string file(const std::string& lines) const {
    const std::string path = folder / "e.toml";
    std::ofstream(path)
        << "title = \"Robots\"\ntasks = [{ name = \"A\", task = \"ReachAvoid\", data = \"a.hdf5\" },\n"
           "  { name = \"B\", task = \"ReachAvoid\", data = \"b.hdf5\" }]\n"
        << lines;
    return path;
  }
  std::vector<std::string> command(const std::string& out, std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"experiment", "run",        folder / "e.toml", "--data", data,
                                      "-o",         folder / out, "--jobs",          "2",      "--peak",
                                      "50"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string table(const std::string& out) const {
    return content(folder.path / out / "e-published/table.md");
  }
};

const std::string kMatrix =
    "seeds = [0, 1]\nmethods = [\"cloning\", \"r2pac\"]\nscore = { episodes = 2 }\n"
    "settings = { hidden = [16, 16], batch = 32, steps = 50, checkpoint_every = 20, flow_steps = 2 }\n";

/// A process and all that it has started, itself or by others.
std::set<pid_t> family(pid_t root) {
  REQUIRE(root > 1);  // all processes are of the family of 0 and 1
  std::set<pid_t> members = {root};
  for (bool grown = true; grown;) {
    grown = false;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      const std::string stat = content(entry.path() / "stat");
      const std::size_t end = stat.rfind(") ");
      if (end == std::string::npos) continue;  // it has ended meanwhile
      const pid_t parent = std::stoi(stat.substr(end + 4));
      if (members.contains(parent)) grown = members.insert(std::stoi(name)).second || grown;
    }
  }
  return members;
}

std::map<std::string, std::string> records(const fs::path& out) {
  std::map<std::string, std::string> found;
  if (!fs::exists(out / "jobs")) return found;
  for (const fs::directory_entry& entry : fs::directory_iterator(out / "jobs"))
    if (entry.path().extension() == ".json") found[entry.path().filename()] = content(entry.path());
  return found;
}

}  // namespace

TEST_CASE("an experiment that is killed three times ends with the tables of one that was not") {
  const Robots robots;
  robots.file(kMatrix);
  const ProgramResult undisturbed = run_program(robots.command("whole"));
  INFO(undisturbed.err << content(robots.folder.path / "whole/e-published/snakemake.log"));
  REQUIRE(undisturbed.status == 0);
  CHECK(has(undisturbed.err, "16 of 16 jobs done"));
  REQUIRE(has(robots.table("whole"), "| A |"));

  std::mt19937 random(1);
  for (int kill = 0; kill < 3; ++kill) {
    const auto before = records(robots.folder.path / "killed");
    Process run(robots.command("killed"));
    // At a moment of its own, but after something was done, so that there is something to keep.
    for (int i = 0;
         i < 600 && run.running() && records(robots.folder.path / "killed").size() < before.size() + 2; ++i)
      sleep_ms(50);
    sleep_ms(static_cast<int>(random() % 300));
    if (!run.running()) break;  // on a fast machine it may be done
    for (const pid_t member : family(run.id())) ::kill(member, SIGKILL);
    run.wait();
    const auto after = records(robots.folder.path / "killed");
    for (const auto& [name, text] : before) CHECK(after.at(name) == text);  // it was not done again
  }
  const auto before = records(robots.folder.path / "killed");
  const ProgramResult last = run_program(robots.command("killed"));
  INFO(last.err << content(robots.folder.path / "killed/e-published/snakemake.log"));
  REQUIRE(last.status == 0);
  for (const auto& [name, text] : before) CHECK(records(robots.folder.path / "killed").at(name) == text);
  for (const char* form : {"table.md", "table.tex", "table.html", "table.csv"}) {
    INFO(form);
    CHECK(content(robots.folder.path / "killed/e-published" / form) ==
          content(robots.folder.path / "whole/e-published" / form));
  }

  SECTION("and again it starts nothing, but where something is gone") {
    const auto done = records(robots.folder.path / "killed");
    CHECK(run_program(robots.command("killed")).status == 0);
    CHECK(records(robots.folder.path / "killed") == done);
    const ProgramResult dry = run_program(robots.command("killed", {"--dry-run"}));
    CHECK(has(dry.out, "16 jobs, 16 of them done; 0.0 minutes are left"));
    const ProgramResult status = run_program({"experiment", "status", robots.folder / "killed"});
    CHECK(status.out == "Robots (size published): 16 of 16 jobs done, 0 running\n");
  }
}

TEST_CASE("a job that fails stops itself alone, one that diverges is a result, and cells say so") {
  const Robots robots;
  robots.file(
      "seeds = [0]\nmethods = [\"cloning\"]\nscore = { episodes = 2 }\n"
      "settings = { hidden = [16, 16], batch = 32, steps = 50, flow_steps = 2 }\n[variants]\n"
      "good = {}\n\"too long\" = { chunk_length = 1000 }\n\"too fast\" = { learning_rate = 1e25 }\n");
  const ProgramResult first = run_program(robots.command("out"));
  INFO(first.err << content(robots.folder.path / "out/e-published/snakemake.log"));
  CHECK(first.status == 3);  // of data without a window of that length
  CHECK(has(first.err, "2 failed"));
  const std::string table = robots.table("out");
  const std::string ends = " | failed | diverged |\n";
  CHECK(table.find(ends) != table.rfind(ends));  // both tasks say so
  const auto records_before = records(robots.folder.path / "out");
  CHECK(run_program(robots.command("out")).status == 3);
  CHECK(records(robots.folder.path / "out") == records_before);
  const ProgramResult status = run_program({"experiment", "status", robots.folder / "out"});
  CHECK(has(status.out, "failed"));
  CHECK(has(status.out, "diverged"));
  CHECK(has(status.out, "exit status 3"));
  CHECK(run_program(robots.command("out", {"--retry-failed"})).status == 3);
  CHECK(records(robots.folder.path / "out").size() == records_before.size());
}

TEST_CASE("a stopped experiment says so, and the same command goes on") {
  const Robots robots;
  robots.file(
      "seeds = [0]\nmethods = [\"cloning\"]\nscore = { episodes = 2 }\n"
      "settings = { hidden = [16, 16], batch = 32, steps = 1000000, flow_steps = 2 }\n");
  // As a shell starts what runs in the background; the test itself may keep it so for a moment.
  std::signal(SIGINT, SIG_IGN);
  Process run(robots.command("out"));
  std::signal(SIGINT, SIG_DFL);
  const auto training = [&] {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(robots.folder.path / "out/runs"))
      if (entry.path().filename() == "metrics.jsonl") return true;
    return false;
  };
  for (int i = 0; i < 600 && !(fs::exists(robots.folder.path / "out/runs") && training()); ++i) sleep_ms(50);
  REQUIRE(training());
  run.signal(SIGTERM);
  const ProgramResult result = run.wait();
  INFO(result.err);
  CHECK(result.status == 75);
  CHECK(has(result.err, "stopped; the same command goes on"));
  CHECK(records(robots.folder.path / "out").empty());
  bool saved = false;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(robots.folder.path / "out/runs"))
    saved = saved || entry.path().parent_path().filename() == "checkpoints";
  CHECK(saved);
}

TEST_CASE("a sweep writes its file and runs it") {
  const Robots robots;
  const std::string out = robots.folder / "out";
  const ProgramResult result = run_program({"sweep",
                                            "--data",
                                            robots.data + "/a.hdf5",
                                            robots.data + "/b.hdf5",
                                            "--task",
                                            "ReachAvoid",
                                            "--seeds",
                                            "0-1",
                                            "--method",
                                            "cloning",
                                            "--set",
                                            "learning_rate=1e-3,1e-4",
                                            "--set",
                                            "hidden=16,16",
                                            "--size",
                                            "tiny",
                                            "-o",
                                            out,
                                            "--jobs",
                                            "2",
                                            "--peak",
                                            "50"});
  INFO(result.err);
  REQUIRE(result.status == 0);
  const std::string text = content(out + "/sweep.toml");
  CHECK(
      has(text,
          "\"learning_rate=1e-4, hidden=16,16\" = { \"learning_rate\" = \"1e-4\", \"hidden\" = \"16,16\" }"));
  CHECK(has(text, "seeds = [0, 1]"));
  CHECK(has(content(out + "/sweep-tiny/table.md"), "| task | learning_rate=1e-3, hidden=16,16 |"));
  CHECK(run_program({"sweep", "--data", robots.data + "/a.hdf5", "-o", out}).status == 2);  // no task
}
