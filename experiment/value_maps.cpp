#include "experiment/value_maps.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/installation.h"
#include "experiment/identity.h"
#include "experiment/record.h"
#include "report/input.h"
#include "report/page.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

/// The finished trainings of a task, by seed.
struct Trainings {
  std::map<std::int64_t, std::string> plain, penalised;  ///< run folders
  std::string data;
};

/// Runs a program to its end, with what it prints on stderr; returns its exit status, or minus the signal
/// that ended it.
int run_to_end(std::vector<std::string> argv) {
  std::vector<char*> words;
  for (std::string& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t child = 0;
  const int fault = ::posix_spawn(&child, words.front(), &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (fault != 0)
    throw Error(ExitCode::usage, std::string("the program cannot be started: ") + std::strerror(fault),
                argv.front(), "make it again with `./setup.sh --umap`");
  int state = 0;
  while (::waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
}

}  // namespace

ValueMaps value_maps(const Plan& plan) {
  std::vector<std::string> tasks;
  std::map<std::string, Trainings> trained;
  for (const PlannedCell& cell : plan.cells) {
    if (!trained.contains(cell.task)) tasks.push_back(cell.task);
    Trainings& runs = trained[cell.task];
    if (cell.train.empty()) continue;
    const Job& job = *std::ranges::find(plan.jobs, cell.train, &Job::id);
    if (state_of(job) != JobState::done) continue;
    const fs::path folder = fs::path(job.outputs.at(0)).parent_path();
    std::error_code fault;
    if (!fs::exists(folder / "config.toml", fault)) continue;  // of a method beside the program
    const bool plain = read_training_run(folder.string()).settings.penalty_reading == PenaltyReading::none;
    (plain ? runs.plain : runs.penalised).emplace(cell.seed, folder.string());
    runs.data = word_after(job, "--data");
  }
  ValueMaps maps;
  for (const std::string& task : tasks) {
    const Trainings& runs = trained[task];
    const auto both =
        std::ranges::find_if(runs.plain, [&](const auto& run) { return runs.penalised.contains(run.first); });
    if (both != runs.plain.end())
      maps.maps.push_back({task, both->second, runs.penalised.at(both->first), runs.data});
    else
      maps.missing.push_back("no map of " + task +
                             ": no seed has a finished training with the penalty and one without");
  }
  return maps;
}

std::string umap_python() { return find_above(".umap/bin/python3"); }

std::vector<std::string> draw_value_maps(ValueMaps& maps, const std::string& folder,
                                         const std::string& python) {
  if (python.empty()) {
    if (!maps.maps.empty())
      maps.missing.emplace_back("no maps: what draws them is not installed; `./setup.sh --umap` does it");
    return {};
  }
  ::setenv("R2PAC_BINARY", own_program().c_str(), 1);  // whose verb `values` is asked
  std::vector<std::string> files;
  for (const ValueMap& map : maps.maps) {
    std::vector<std::string> argv = {python,        "-m",          "r2pac.value_map", "--plain", map.plain,
                                     "--penalised", map.penalised, "--data",          map.data,  "--out"};
    for (const char* ending : {".png", ".pdf"}) {
      files.push_back("umap-" + file_name(map.task) + ending);
      argv.push_back((fs::path(folder) / files.back()).string());
    }
    const int status = run_to_end(argv);
    if (status != 0)
      throw Error(ExitCode::environment, "the map of " + map.task + " was not drawn", shell_line(argv),
                  "see the message above");
  }
  return files;
}

}  // namespace r2pac
