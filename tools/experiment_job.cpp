#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/installation.h"
#include "experiment/beside.h"
#include "experiment/record.h"
#include "storage/folder.h"
#include "tools/experiment.h"

namespace r2pac {
namespace {

constexpr int kResumable = static_cast<int>(ExitCode::resumable);
constexpr int kDiverged = static_cast<int>(ExitCode::diverged);
/// The status of a shell for a program that cannot be run.
constexpr int kNotFound = 127;

std::atomic<pid_t> child{0};
std::atomic<bool> told_to_stop{false};
static_assert(std::atomic<pid_t>::is_always_lock_free, "signal handlers may only touch lock-free atomics");

/// Whoever stops the wrapper may have told the job, too, to which a second SIGTERM would mean to end at once.
/// It takes any number of SIGHUP as one wish to save and stop.
void pass_on(int) {
  told_to_stop.store(true);
  if (const pid_t job = child.load(); job > 0) ::kill(job, SIGHUP);
}

/// Has a command run by the interpreter with the published code, with our package and by this program.
void use_baselines(std::vector<std::string>& argv) {
  const std::string python = baselines_python(), package = find_above("python/r2pac/score.py");
  if (python.empty() || package.empty())
    throw Error(ExitCode::usage, "the published code is not there", argv.back(),
                "install it with `./setup.sh --baselines`, and use the program of that folder");
  argv.front() = python;
  ::setenv("PYTHONPATH", std::filesystem::path(package).parent_path().parent_path().c_str(), 1);
  ::setenv("R2PAC_BINARY", own_program().c_str(), 1);
}

/// Runs a command with its output in the log; returns its exit status, or minus the signal that ended it.
int run_command(std::vector<std::string> argv, const Descriptor& log) {
  if (argv.front() == "r2pac") argv.front() = own_program();
  if (argv.front() == kBaselinesPython) use_baselines(argv);
  std::vector<char*> words;
  for (std::string& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  const pid_t parent = ::getpid();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, pass_on);
  const pid_t job = ::fork();
  if (job < 0) return -SIGKILL;  // no process to be had: to be tried again
  if (job == 0) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_DFL);
    ::prctl(PR_SET_PDEATHSIG, SIGHUP);  // a wrapper that is killed takes its job along
    if (::getppid() != parent) std::raise(SIGHUP);
    ::dup2(log.get(), STDOUT_FILENO);  // the copies hold the log while the job lives
    ::dup2(log.get(), STDERR_FILENO);
    ::execvp(words.front(), words.data());
    ::_exit(kNotFound);
  }
  child.store(job);
  if (told_to_stop.load()) pass_on(SIGTERM);
  int state = 0;
  while (::waitpid(job, &state, 0) < 0 && errno == EINTR) {
  }
  child.store(0);
  return WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
}

/// Whether the signal that ended a job says something about the job itself.
bool is_crash(int signal) {
  constexpr int kCrashes[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSYS};
  return std::ranges::find(kCrashes, signal) != std::end(kCrashes);
}

int fail(const Job& job, int status, const std::string& message) {
  std::fprintf(stderr, "%s: failed: %s\n", job.id.c_str(), message.c_str());
  write_record(job, {"", "failed", status, "", message});
  return status;
}

}  // namespace

int run_job(const JobOptions& options) {
  const Plan plan = read_plan_file(options.plan);
  const auto found = std::ranges::find(plan.jobs, options.id, &Job::id);
  if (found == plan.jobs.end() || found->record.empty())
    throw Error(ExitCode::usage, "the plan has no such job", options.id, "give an id of " + options.plan);
  const Job& job = *found;
  make_folder(std::filesystem::path(job.record).parent_path());
  const Descriptor log = hold_log(job);  // so that what is looked at now stays so
  if (const auto failure = read_record(failure_path(job.record))) {
    std::fprintf(stderr, "%s failed before (--retry-failed tries again): %s\n", job.id.c_str(),
                 failure->message.c_str());
    return std::max(failure->exit, 1);
  }
  const JobState state = state_of(job);
  if (state == JobState::done || state == JobState::diverged) return 0;
  for (const std::string& input : job.inputs) {
    const auto before = read_record(input);
    if (!before)
      throw Error(ExitCode::usage, "a job before this one is not done", input, "do that one first");
    if (before->state == "diverged") {  // so there is no policy
      write_record(job, {"", "diverged", kDiverged, "", before->message});
      return 0;
    }
  }
  const int status = run_command(job.argv, log);
  const std::string end = log_end(log_path(job.record), 3);
  if (status == kResumable || (status < 0 && !is_crash(-status))) {
    std::fprintf(stderr, "%s: stopped; the same job goes on\n", job.id.c_str());
    return kResumable;
  }
  if (status == kDiverged) {
    write_record(job, {"", "diverged", status, "", end});
    return 0;
  }
  if (status != 0) return fail(job, status < 0 ? 128 - status : status, end);
  write_record(job, {"", "done", 0, "", ""});
  if (state_of(job) != JobState::done)
    return fail(job, static_cast<int>(ExitCode::disk),
                "the job ended well but left no " + job.outputs.front());
  return 0;
}

}  // namespace r2pac
