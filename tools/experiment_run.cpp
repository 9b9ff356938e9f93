#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/installation.h"
#include "base/printable.h"
#include "base/processors.h"
#include "bench/measure.h"
#include "experiment/beside.h"
#include "experiment/record.h"
#include "experiment/report.h"
#include "storage/atomic_file.h"
#include "storage/folder.h"
#include "tools/bar.h"
#include "tools/experiment.h"
#include "tools/interruption.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kSlurmJobs = 100;

/// How many jobs of a plan are in which state. The report is none of them.
struct Tally {
  std::size_t jobs = 0, done = 0, running = 0, failed = 0;
  double minutes_left = 0;
  int first_failure = 0;  ///< its exit status
};

Tally count(const Plan& plan) {
  Tally tally;
  for (const Job& job : plan.jobs) {
    if (job.kind == "report") continue;
    ++tally.jobs;
    const JobState state = state_of(job);
    tally.done += state == JobState::done || state == JobState::diverged ? 1 : 0;
    tally.running += state == JobState::running ? 1 : 0;
    if (state == JobState::waiting || state == JobState::running) tally.minutes_left += job.minutes;
    if (state != JobState::failed) continue;
    ++tally.failed;
    if (const auto record = read_record(failure_path(job.record)); record && tally.first_failure == 0)
      tally.first_failure = std::max(1, record->exit);
  }
  return tally;
}

std::string text_of(const Tally& t, int at_a_time) {
  std::string text = std::to_string(t.done) + " of " + std::to_string(t.jobs) + " jobs done, " +
                     std::to_string(t.running) + " running";
  if (t.failed > 0) text += ", " + std::to_string(t.failed) + " failed";
  if (t.done + t.failed < t.jobs)
    text += ", about " + duration_text(60 * t.minutes_left / at_a_time) + " left";
  return text;
}

void print_plan(const Plan& plan, int at_a_time) {
  std::printf("%-9s %-6s %8s  %-12s  %s\n", "state", "kind", "minutes", "id", "job");
  for (const Job& job : plan.jobs)
    if (job.kind != "report")
      std::printf("%-9s %-6s %8.2f  %s  %s\n", state_name(state_of(job)), job.kind.c_str(), job.minutes,
                  job.id.c_str(), job.label.c_str());
  const Tally t = count(plan);
  std::printf("%zu jobs, %zu of them done; %.1f minutes are left on one core, %.1f on %d\n", t.jobs, t.done,
              t.minutes_left, t.minutes_left / at_a_time, at_a_time);
}

std::string required_file(const std::string& name) {
  const std::string path = find_above(name);
  if (path.empty())
    throw Error(ExitCode::usage, "experiments are run by Snakemake, which is not there", name,
                "install it with `./setup.sh --experiments`, and use the program of that folder");
  return path;
}

std::vector<std::string> snakemake_command(const ExperimentOptions& options, const fs::path& plan,
                                           int at_a_time) {
  const char* named = std::getenv("R2PAC_SNAKEMAKE");
  std::vector<std::string> argv = {
      named != nullptr && *named != '\0' ? named : required_file(".experiments/bin/snakemake"),
      "--snakefile",
      required_file("workflow/Snakefile"),
      "--directory",
      options.out,
      "--config",
      "plan=" + plan.string(),
      "r2pac=" + own_program(),
      "--keep-going",
      "--nolock",  // a lock of ours goes with the process that held it
      "--rerun-incomplete",
      "--scheduler",
      "greedy"};
  const std::string n = std::to_string(at_a_time);
  if (options.executor == "slurm")
    // Without a database of accounts, sacct answers nothing, and lost jobs would be waited for for ever.
    argv.insert(argv.end(), {"--executor", "slurm", "--jobs", n, "--slurm-no-account",
                             "--slurm-status-command", "squeue"});
  else
    argv.insert(argv.end(), {"--cores", n});
  return argv;
}

/// Starts a command in a process group of its own, so that one signal reaches all of it.
pid_t start(std::vector<std::string> argv, const fs::path& log) {
  const Descriptor out = open_descriptor(log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (!out.valid()) throw disk_error(log, "open", errno, 0);
  std::vector<char*> words;
  for (std::string& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw Error(ExitCode::environment, "no process can be started", argv.front(), "");
  if (child == 0) {
    ::setpgid(0, 0);
    // A shell starts what runs in the background with SIGINT ignored, and Snakemake would never hear us.
    for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::dup2(out.get(), STDOUT_FILENO);
    ::dup2(out.get(), STDERR_FILENO);
    ::execvp(words.front(), words.data());
    ::_exit(127);
  }
  ::setpgid(child, child);
  return child;
}

/// Shows how far the jobs are until the command ends, which it is told to when somebody interrupts. Returns
/// its status.
int watch(pid_t child, const Plan& plan, int at_a_time, const Interruption& interruption) {
  Bar bar(stderr);
  std::string last;
  bool told = false;
  int status = 0;
  auto next = Clock::now();
  for (pid_t ended = 0; (ended = ::waitpid(child, &status, WNOHANG)) != child;) {
    if (ended < 0 && errno != EINTR) break;
    if (interruption.requested() && !told) {
      told = true;
      ::kill(-child, SIGINT);
    }
    if (Clock::now() >= next) {
      const Tally tally = count(plan);
      const std::string text = text_of(tally, at_a_time);
      bar.draw(tally.done + tally.failed, tally.jobs, text);
      const std::string changes = std::to_string(tally.done) + "," + std::to_string(tally.failed);
      if (!bar.on_terminal() && changes != last) std::fprintf(stderr, "%s\n", text.c_str());
      last = changes;
      next = Clock::now() + std::chrono::seconds(1);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  bar.clear();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Plan plan_of(const ExperimentOptions& options) {
  Experiment experiment = read_experiment(options.file, options.size);
  keep_only(experiment, options.only);
  PlanOptions plan{options.data, options.out, options.device, options.peak_gflops,
                   !baselines_python().empty()};
  if (plan.peak_gflops == 0)
    plan.peak_gflops = measure_peak_gflops(
        {make_device("cpu", 1, Precision::fp32, [](const std::string&) {}), Precision::fp32});
  return make_plan(experiment, plan);
}

Plan read_plan_file(const std::string& path) {
  const auto bytes = read_file(path, std::size_t{1} << 28, ExitCode::usage);
  return read_plan({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

std::string status_text(const Plan& plan) {
  std::string text = plan.title + " (size " + plan.size + "): " + text_of(count(plan), 1);
  for (const Job& job : plan.jobs) {
    if (job.kind == "report") continue;
    const JobState state = state_of(job);
    const std::string line =
        "\n  " + std::string(state_name(state)) + "  " + job.id + "  " + job.kind + "  " + job.label;
    if (state == JobState::running) {
      text += line;
      if (job.kind == "train") {
        const std::string timing =
            log_end((fs::path(job.outputs[0]).parent_path() / "timing.jsonl").string(), 1);
        if (!timing.empty()) text += "  " + timing;
      }
    }
    if (state == JobState::failed || state == JobState::diverged)
      if (const auto record = read_record(state == JobState::failed ? failure_path(job.record) : job.record))
        text += line + "  " + record->ended + ", exit status " + std::to_string(record->exit) + ":\n" +
                record->message;
  }
  return text;
}

int run_experiment(const ExperimentOptions& given) {
  ExperimentOptions options = given;
  options.data = fs::absolute(given.data).lexically_normal().string();
  options.out = fs::absolute(given.out).lexically_normal().string();
  const Plan plan = plan_of(options);
  const int at_a_time = options.jobs > 0              ? options.jobs
                        : options.executor == "slurm" ? kSlurmJobs
                                                      : usable_processors();
  if (options.dry_run) {
    print_plan(plan, at_a_time);
    return 0;
  }
  const fs::path folder = experiment_folder(options.out, plan.experiment, plan.size),
                 file = folder / kPlanFile;
  const std::vector<std::string> command = snakemake_command(options, file, at_a_time);
  const Interruption interruption;
  const FolderLock lock(options.out);
  make_folder(fs::path(options.out) / "jobs");
  make_folder(folder);
  write_file_atomically(file, plan_lines(plan), Links::replace);
  for (const Job& job : plan.jobs)
    if (job.kind != "report") clear_record(job, options.retry_failed);
  Tally tally = count(plan);
  int status = 0;
  if (tally.done + tally.failed < tally.jobs) {
    status = watch(start(command, folder / "snakemake.log"), plan, at_a_time, interruption);
    tally = count(plan);
  }
  std::fputs(write_experiment_tables(plan, folder.string()).markdown.c_str(), stdout);
  std::fflush(stdout);
  try {
    draw_pictures(plan, folder.string());
  } catch (const Error& error) {  // the tables are there, and the jobs are what was asked for
    std::fprintf(stderr, "note: pictures are not drawn: %s; %s\n", printable(error.what()).c_str(),
                 printable(error.todo()).c_str());
  }
  std::fprintf(stderr, "%s; written to %s\n", text_of(tally, at_a_time).c_str(), folder.c_str());
  if (tally.failed > 0) {
    std::fprintf(stderr, "%s\n", status_text(plan).c_str());
    return tally.first_failure;
  }
  if (tally.done == tally.jobs) return 0;
  if (interruption.requested())
    std::fprintf(stderr, "stopped; the same command goes on\n");
  else
    std::fprintf(stderr, "Snakemake ended with status %d (%s); the same command goes on\n", status,
                 (folder / "snakemake.log").c_str());
  return static_cast<int>(ExitCode::resumable);
}

}  // namespace r2pac
