#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "report/input.h"
#include "settings/methods.h"
#include "tools/command_line.h"
#include "tools/console.h"
#include "tools/device.h"
#include "tools/environment.h"
#include "tools/scoring.h"
#include "tools/seeds.h"
#include "tools/training.h"
#include "tools/verbs.h"
#include "training/run.h"

namespace r2pac {
namespace {

std::atomic<bool> stop_requested{false}, checkpoint_requested{false};
/// While data are read: no file was changed, so that a stop may end the program at once.
std::atomic<bool> nothing_to_save{false};
static_assert(std::atomic<bool>::is_always_lock_free, "signal handlers may only touch lock-free atomics");

constexpr char kStoppedEarly[] = "stopped before training began; the same command starts again";

void request_stop() {
  stop_requested.store(true);
  if (!nothing_to_save.load()) return;
  // Only what signal handlers may call. Simulators and readers of data end when this process has ended.
  for (const char* text : {kStoppedEarly, "\n"})
    if (write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
  _exit(static_cast<int>(ExitCode::resumable));
}

/// The first SIGINT or SIGTERM saves and stops; a second one ends the program at once.
void on_stop(int signal) {
  static std::atomic<bool> asked{false};
  request_stop();
  if (asked.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}
/// A terminal that goes away may say so several times, and by SIGTERM, too: none of these is a second wish.
void on_hang_up(int) { request_stop(); }
void on_checkpoint(int) { checkpoint_requested.store(true); }
/// Unlike SIG_IGN it is not handed down to simulators.
void on_closed_pipe(int) {}

void install_signals() {
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  const auto install = [&](int signal, void (*handler)(int)) {
    action.sa_handler = handler;
    sigaction(signal, &action, nullptr);
  };
  install(SIGINT, on_stop);
  install(SIGTERM, on_stop);
  install(SIGUSR1, on_checkpoint);
  install(SIGPIPE, on_closed_pipe);
  struct sigaction inherited {};
  sigaction(SIGHUP, nullptr, &inherited);
  if (inherited.sa_handler != SIG_IGN) install(SIGHUP, on_hang_up);  // nohup ignores it
}

struct TrainOptions {
  SettingsRequest training;
  std::string out;                   ///< "" chooses runs/<task>-seed<seed>
  std::optional<std::string> seeds;  ///< of several runs, each in out/seed<seed>
  std::string resume = "auto";
  std::string critics;           ///< run or policy whose finished critics are taken over; "" trains them
  EnvironmentFlags environment;  ///< `env` empty: no scores on the way
  std::uint64_t eval_every = 0;
  int eval_episodes = 20;
  std::uint64_t eval_seed = 0;
  DeviceFlags device;
  bool quiet = false, json = false;
  std::vector<std::string> command_line;
};

/// Whether training takes more than an hour or so on a core that multiplies and adds 5e10 times a second:
/// each weight costs some 30 of these a step and row.
bool takes_long(const Settings& settings) {
  double weights = 0;
  for (std::size_t i = 0; i + 1 < settings.hidden.size(); ++i)
    weights += static_cast<double>(settings.hidden[i]) * settings.hidden[i + 1];
  return 30 * weights * settings.batch * static_cast<double>(settings.steps) > 3600 * 5e10;
}

/// Without --data: its name is that of the run that --resume names, and so are the settings and the folder
/// that were not given.
TrainOptions with_those_of_the_run(TrainOptions options) {
  if (!options.training.data_file.empty()) return options;
  std::error_code fault;
  const bool names_a_run = options.resume != "auto" && options.resume != "never";
  if (!names_a_run || !std::filesystem::is_directory(options.resume, fault))
    throw Error(ExitCode::usage, "--data is required", "r2pac train",
                "name the data set with --data, or with --resume the folder of a run to go on with");
  options.training.data_file = read_facts(std::filesystem::path(options.resume) / "manifest.json").data.path;
  if (options.training.data_file.empty())
    throw Error(ExitCode::usage, "the run's manifest does not say what it was trained on", options.resume,
                "name the data set with --data");
  if (options.training.config_file.empty())
    options.training.config_file = (std::filesystem::path(options.resume) / "config.toml").string();
  if (options.out.empty()) options.out = options.resume;
  return options;
}

int train_one(const TrainOptions& given) {
  const TrainOptions options = with_those_of_the_run(given);
  RunOptions run;
  SettingsRequest training = options.training;
  if (!options.critics.empty()) training.overrides.emplace_back("critic_steps=0");
  run.settings = resolve_settings(training);
  const Settings& settings = run.settings.values;
  run.data = options.training.data_file;
  const std::string name = settings.task.empty()
                               ? std::filesystem::path(options.training.data_file).stem().string()
                               : settings.task;
  run.folder = options.out.empty() ? "runs/" + name + "-seed" + std::to_string(settings.seed) : options.out;
  run.resume = options.resume;
  run.critics = options.critics;
  run.device = open_device(options.device);
  run.command_line = options.command_line;

  install_signals();
  const ConsoleMode mode = options.json    ? ConsoleMode::json
                           : options.quiet ? ConsoleMode::quiet
                                           : ConsoleMode::automatic;
  Console console(mode, "training on " + options.training.data_file +
                            (settings.task.empty() ? "" : " (task " + settings.task + ")") + ", seed " +
                            std::to_string(settings.seed) + ", " + run.device->description() + " -> " +
                            run.folder.string());
  if (settings.task.empty())
    console.warn(
        "the file's name tells no task, so general settings apply (`r2pac config show`); if the data are of "
        "a "
        "known task, name it with --task");
  if (!training.preset.empty()) {
    const RunPreset& preset = run_preset(training.preset);
    std::string sets;
    for (const auto& [key, value] : settings_of(preset, settings.method))
      sets += (sets.empty() ? "" : " ") + std::string(key) + "=" + std::string(value);
    console.note("preset " + training.preset + ", " + std::string(preset.description) + ": " + sets);
  }
  if (training.preset.empty() && takes_long(settings) && !run.device->whole_batches())
    console.note("these sizes take hours to days on a CPU; for a first look add `--preset quick`: minutes");
  const auto start = std::chrono::steady_clock::now();
  TaskEnvironment opened;  // before the first step, so that a mistake shows at once
  if (!options.environment.env.empty()) {
    const auto stop = [] { return stop_requested.load(); };
    try {
      opened = open_environment(options.environment, settings.task, options.eval_episodes, stop);
    } catch (const Interrupted&) {
      console.note(kStoppedEarly);
      return static_cast<int>(ExitCode::resumable);
    }
    for (const std::string& warning : opened.warnings) console.warn(warning);
    run.evaluate_every = options.eval_every;
    run.evaluate = [&, stop](const Policy& policy) -> std::optional<Evaluation> {
      const Scores scores =
          score_policy(policy, policy.sampler_options(), *opened.environment, opened.name, opened.task,
                       settings.cost_limit, options.eval_episodes, options.eval_seed, {.stop = stop});
      return scores.result.complete ? std::optional(scores.summary) : std::nullopt;
    };
  } else if (options.eval_every > 0) {
    throw Error(ExitCode::usage, "`--eval-every` says nothing about where", "--eval-every",
                "name the environment with --eval-env");
  }
  RunCallbacks callbacks;
  callbacks.note = [&](const std::string& text) { console.note(text); };
  callbacks.warn = [&](const std::string& text) { console.warn(text); };
  callbacks.interval = [&](const Interval& interval) { console.interval(interval); };
  callbacks.progress = [&](std::uint64_t step, std::uint64_t total) { console.progress(step, total); };
  callbacks.evaluation = [&](const Evaluation& evaluation, bool safe_best) {
    console.evaluation(evaluation, safe_best);
  };
  callbacks.begins = [] { nothing_to_save.store(false); };
  callbacks.stop = &stop_requested;
  callbacks.checkpoint = &checkpoint_requested;
  nothing_to_save.store(true);
  if (run_training(run, callbacks) == RunEnd::stopped) return static_cast<int>(ExitCode::resumable);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  console.finish("finished in " + duration_text(elapsed.count()) + ": " +
                 (run.folder / "policy.safetensors").string());
  return static_cast<int>(ExitCode::ok);
}

/// One run after another. Those that are finished say so at once, so that the same command goes on where it
/// stopped.
int run_train(const TrainOptions& options) {
  if (!options.seeds) return train_one(options);
  if (options.resume != "auto" && options.resume != "never")
    throw Error(ExitCode::usage, "several seeds are not continued from one run", "--resume " + options.resume,
                "leave --resume out: each run goes on by itself");
  for (const std::int64_t seed : parse_seeds(*options.seeds)) {
    if (stop_requested.load()) return static_cast<int>(ExitCode::resumable);
    TrainOptions one = options;
    one.training.flags.emplace_back("seed", std::to_string(seed));
    if (!options.out.empty())
      one.out = (std::filesystem::path(options.out) / ("seed" + std::to_string(seed))).string();
    if (const int status = train_one(one); status != 0) return status;
  }
  return static_cast<int>(ExitCode::ok);
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  const auto [verb, options] =
      add_verb(app, action, run_train, "train", "Train a policy on a data set",
               "r2pac train --data SafetyBallRun-v0-80-940.hdf5 --out runs/ball --seed 1");
  options->command_line = action.command_line;
  add_training_flags(*verb, options->training, true, false);
  verb->add_option(
          "--seeds", options->seeds,
          "Seeds of several runs, one after another, as 0-4 or 1,7,20-22; --out holds a folder seedN of "
          "each")
      ->excludes(verb->get_option("--seed"));
  add_output(*verb, "--out", options->out, "Run folder (runs/TASK-seedN if not given)");
  verb->add_option(
      "--critics", options->critics,
      "Policy or run of the same data whose finished critics are taken over: trains the flow alone");
  add_environment_flags(*verb, options->environment, "--eval-env",
                        "Score the policy on the way: as --env of eval");
  verb->add_option("--eval-every", options->eval_every, "Steps between two scores; 0: at the end only")
      ->capture_default_str();
  verb->add_option("--eval-episodes", options->eval_episodes, "Episodes of each score")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  add_seed(*verb, "--eval-seed", options->eval_seed, "Seed of their starts and noise");
  add_device_flags(*verb, options->device);
  verb->add_option("--resume", options->resume,
                   "auto, never, or a checkpoint or run folder to continue from; without --data also on the "
                   "data of that "
                   "folder, with its settings, and in it, as in --resume RUN --steps 20000")
      ->capture_default_str();
  CLI::Option* quiet = verb->add_flag("--quiet", options->quiet, "Only warnings and the last line");
  verb->add_flag("--json", options->json, "One JSON object a line")->excludes(quiet);
}

}  // namespace r2pac
