#include "tools/command_line.h"

#include <memory>

#include "base/error.h"
#include "base/nearest.h"
#include "tools/data_convert.h"
#include "tools/data_info.h"
#include "tools/data_make.h"
#include "tools/inspect.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

CLI::App* add_verb(CLI::App& parent, const std::string& name, const std::string& description,
                   const std::string& example) {
  CLI::App* verb = parent.add_subcommand(name, description);
  verb->footer("Example:\n  " + example);
  return verb;
}

void add_device_flags(CLI::App& verb, DeviceFlags& flags) {
  verb.add_option("--device", flags.device, "auto, cpu, cuda, cuda:N, or cuda-host in a build with it")
      ->capture_default_str();
  verb.add_option("--threads", flags.threads,
                  "Threads of the CPU; 0: all processors. No result depends on it")
      ->capture_default_str();
  constexpr Precision kPrecisions[] = {Precision::fp32, Precision::tf32, Precision::bf16};
  std::vector<std::string> names;
  for (const Precision precision : kPrecisions) names.emplace_back(precision_name(precision));
  verb.add_option_function<std::string>(
          "--precision",
          [&flags, kPrecisions](const std::string& name) {
            for (const Precision precision : kPrecisions)
              if (name == precision_name(precision)) flags.precision = precision;
          },
          "Operands of matrix products: fp32 (if not given); on CUDA tf32 or bf16; acting on the CPU bf16")
      ->check(CLI::IsMember(names));
}

void add_demo(CLI::App& app, Action& action) {
  CLI::App* verb =
      add_verb(app, "demo", "Train and compare on the built-in robot: data, table and picture in minutes",
               "r2pac demo --out demo");
  const auto options = std::make_shared<DemoOptions>();
  verb->add_option("--out", options->out, "Folder for data, runs and picture")->capture_default_str();
  add_device_flags(*verb, options->device);
  verb->callback([&action, options] { action = [options] { return run_demo(*options); }; });
}

void add_data_convert(CLI::App& data, Action& action) {
  CLI::App* verb =
      add_verb(data, "convert", "Write a Minari, D4RL or NumPy data set, or the safe part of one, as DSRL",
               "r2pac data convert main_data.hdf5 -o SafetyBallRun-v0-80-940.hdf5");
  const auto options = std::make_shared<ConvertOptions>();
  verb->add_option("in", options->in, "Minari or D4RL file (HDF5), NumPy archive (.npz) or DSRL file")
      ->required();
  verb->add_option("-o,--out", options->out, "DSRL file to write")->required();
  constexpr Layout kLayouts[] = {Layout::automatic, Layout::dsrl, Layout::d4rl, Layout::minari, Layout::npz};
  std::vector<std::string> names;
  for (const Layout layout : kLayouts) names.emplace_back(layout_name(layout));
  verb->add_option_function<std::string>(
          "--from",
          [options, kLayouts](const std::string& name) {
            for (const Layout layout : kLayouts)
              if (name == layout_name(layout)) options->layout.layout = layout;
          },
          "Layout of the input (auto if not given)")
      ->check(CLI::IsMember(names));
  verb->add_option("--max-cost", options->max_cost, "Keep only episodes that cost at most this")
      ->check(CLI::Range(0.0, 1e12));
  CLI::Option* key =
      verb->add_option("--cost-key", options->layout.cost_key, "Array of the costs, in groups as infos/cost");
  verb->add_flag("--no-costs", options->layout.no_costs, "The input has no costs: write zeros")
      ->excludes(key);
  verb->callback([&action, options] { action = [options] { return run_data_convert(*options); }; });
}

void add_data(CLI::App& app, Action& action) {
  CLI::App* data =
      add_verb(app, "data", "Make, convert, describe and check data sets", "r2pac data info FILE.hdf5");
  data->require_subcommand(1);
  add_data_convert(*data, action);

  CLI::App* make = add_verb(*data, "make", "Make a data set of the built-in robot",
                            "r2pac data make reach-avoid -o reach-avoid.hdf5 --episodes 1000");
  struct Make {
    std::string env, out;
    int episodes = 1000;
    std::uint64_t seed = 0;
  };
  const auto m = std::make_shared<Make>();
  make->add_option("env", m->env, "Environment: reach-avoid")->required();
  make->add_option("-o,--out", m->out, "File to write")->required();
  make->add_option("--episodes", m->episodes, "Episodes")->capture_default_str();
  make->add_option("--seed", m->seed, "Seed")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 53));
  make->callback([&action, m] {
    action = [m] {
      if (m->env != "reach-avoid")
        throw Error(ExitCode::usage, "unknown environment `" + m->env + "`", "data make",
                    did_you_mean(m->env, {"reach-avoid"}));
      return run_data_make_reach_avoid(m->out, m->episodes, m->seed);
    };
  });

  struct Look {
    std::string file;
    bool json = false;
    double cost_limit = -1;
    int chunk_length = 5;
  };
  const auto look = [&](const char* name, const char* description) {
    CLI::App* verb = add_verb(*data, name, description, std::string("r2pac data ") + name + " FILE.hdf5");
    const auto l = std::make_shared<Look>();
    verb->add_option("file", l->file, "DSRL file (HDF5)")->required();
    verb->add_flag("--json", l->json, "Print one JSON object");
    verb->add_option("--chunk-length", l->chunk_length, "Rows per window")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    return std::pair{verb, l};
  };
  const auto [info, i] = look("info", "Counts, ranges, return and cost per episode, fingerprint");
  info->add_option("--cost-limit", i->cost_limit,
                   "Episode cost that counts as safe (the task's if not given)");
  info->callback([&action, l = i] {
    action = [l] {
      const auto task = task_from_file_name(l->file);
      const double limit = l->cost_limit >= 0 ? l->cost_limit : task ? task->cost_limit : 10.0;
      return run_data_info(l->file, l->json, limit, l->chunk_length);
    };
  });
  const auto [check, c] = look(
      "check", "Name every fault; exit status 3 if training would refuse the file or learn something false");
  check->callback(
      [&action, l = c] { action = [l] { return run_data_check(l->file, l->json, l->chunk_length); }; });
}

/// Options that name settings; each is passed on as text, so that one parser judges them all.
void add_training_flags(CLI::App& verb, TrainingFlags& flags, bool steps) {
  verb.add_option("--data", flags.data, "DSRL file (HDF5)")->required();
  verb.add_option("--config", flags.config_file, "Settings file (TOML)");
  verb.add_option("--set", flags.overrides, "Any setting, as key=value; may be repeated")
      ->take_all()
      ->expected(1);
  const auto setting = [&](const char* option, const char* key, const char* description) {
    verb.add_option_function<std::string>(
        option, [&flags, key](const std::string& text) { flags.flags.emplace_back(key, text); }, description);
  };
  setting("--task", "task", "Task, if the file's name does not tell");
  setting("--seed", "seed", "Seed of all random numbers");
  if (steps) setting("--steps", "steps", "Gradient steps (sequential schedule: of each phase)");
  setting("--schedule", "schedule", "sequential or joint");
  setting("--hidden", "hidden", "Widths of the hidden layers, as 512,512,512,512");
  setting("--batch", "batch", "Windows per step");
}

constexpr auto kAnySeed = [] { return CLI::Range(std::int64_t{0}, std::int64_t{1} << 53); };

void add_environment_flags(CLI::App& verb, EnvironmentFlags& flags, const std::string& option,
                           const std::string& description) {
  verb.add_option(option, flags.env, description);
  verb.add_option("--env-python", flags.python,
                  "Python of the simulators (if not given: R2PAC_SIMULATORS_PYTHON, .simulators, python3)");
  verb.add_option("--env-processes", flags.processes, "Child processes that simulate; 0: one per processor")
      ->check(CLI::Range(0, 1024));
  verb.add_option("--env-start-timeout", flags.start_timeout, "Seconds that a simulator may take to start")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 1e6));
  verb.add_option("--env-timeout", flags.step_timeout, "Seconds that a simulator may take for one answer")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 1e6));
}

void add_acting_flags(CLI::App& verb, ActingFlags& flags) {
  verb.add_option("--candidates", flags.candidates, "Chunks to choose from (as trained if not given)")
      ->check(CLI::Range(1, 65536));
  constexpr Selection kSelections[] = {Selection::least_cost, Selection::region};
  std::vector<std::string> names;
  for (const Selection selection : kSelections) names.emplace_back(selection_name(selection));
  verb.add_option_function<std::string>(
          "--select",
          [&flags, kSelections](const std::string& name) {
            for (const Selection selection : kSelections)
              if (name == selection_name(selection)) flags.selection = selection;
          },
          "How to choose: least-cost, or region (best return among those that stay in the safe region)")
      ->check(CLI::IsMember(names));
  verb.add_option("--threshold", flags.threshold,
                  "Greatest V_c and Q_c that region calls safe (if not given: l, but at most what Eq. 42 allows)")
      ->check(CLI::Range(-1e12, 1e12));
  verb.add_option("--flow-steps", flags.flow_steps, "Euler steps")->check(CLI::Range(1, 100000));
  verb.add_option("--guidance", flags.guidance, "Guidance scale omega")->check(CLI::Range(0.0, 1000.0));
  verb.add_option("--label", flags.label, "1: act well; null: imitate the data")
      ->capture_default_str()
      ->check(CLI::IsMember({"1", "null"}));
}

void add_train(CLI::App& app, Action& action, const std::vector<std::string>& command_line) {
  CLI::App* verb = add_verb(app, "train", "Train a policy on a data set",
                            "r2pac train --data SafetyBallRun-v0-80-940.hdf5 --out runs/ball --seed 1");
  const auto options = std::make_shared<TrainOptions>();
  options->command_line = command_line;
  add_training_flags(*verb, options->training, true);
  verb->add_option("--out", options->out, "Run folder (runs/TASK-seedN if not given)");
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
  verb->add_option("--eval-seed", options->eval_seed, "Seed of their starts and noise")
      ->capture_default_str()
      ->check(kAnySeed());
  add_device_flags(*verb, options->device);
  verb->add_option("--resume", options->resume, "auto, never, or a checkpoint or run folder to continue from")
      ->capture_default_str();
  CLI::Option* quiet = verb->add_flag("--quiet", options->quiet, "Only warnings and the last line");
  verb->add_flag("--json", options->json, "One JSON object a line")->excludes(quiet);
  verb->callback([&action, options] { action = [options] { return run_train(*options); }; });
}

void add_eval(CLI::App& app, Action& action) {
  CLI::App* verb = add_verb(app, "eval", "Run a policy in an environment and score it",
                            "r2pac eval runs/ball --env BallRun --episodes 20");
  const auto options = std::make_shared<EvalOptions>();
  verb->add_option("policy", options->policy, "Run folder, policy or checkpoint file")->required();
  verb->add_option("--checkpoint", options->checkpoint,
                   "Of a run folder: last, safe-best or a number of steps")
      ->capture_default_str();
  add_environment_flags(
      *verb, options->environment, "--env",
      "reach-avoid, a task (BallRun), an id of a simulator, or cmd:PROGRAM; the policy's task if "
      "not given");
  verb->add_option("--episodes", options->episodes, "Episodes")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  verb->add_option("--seed", options->seed, "Seed of starts and noise")
      ->capture_default_str()
      ->check(kAnySeed());
  verb->add_option("--cost-limit", options->cost_limit,
                   "Episode cost allowed, kappa (the policy's if not given)")
      ->check(CLI::Range(0.0, 1e12));
  add_acting_flags(*verb, options->acting);
  verb->add_option("-o,--out", options->out, "File for all numbers (eval.json of a run folder if not given)");
  add_device_flags(*verb, options->device);
  verb->add_flag("--json", options->json, "Print one JSON object");
  verb->callback([&action, options] { action = [options] { return run_eval(*options); }; });
}

void add_report(CLI::App& app, Action& action) {
  CLI::App* verb = add_verb(app, "report", "Tables and pictures of scores and curves, over seeds and tasks",
                            "r2pac report runs/ball-seed* -o report");
  const auto options = std::make_shared<ReportOptions>();
  verb->add_option("runs", options->runs, "Run folders, and files of `eval -o`")->required();
  verb->add_option("-o,--out", options->out, "Folder to write into")->capture_default_str();
  verb->add_option("--data", options->data,
                   "DSRL file whose episodes are drawn (the one named in the run's manifest if not given)")
      ->take_all()
      ->expected(1);
  verb->add_flag("--no-pictures", options->no_pictures, "Only the tables");
  verb->callback([&action, options] { action = [options] { return run_report(*options); }; });
}

void add_sample(CLI::App& app, Action& action) {
  CLI::App* verb = add_verb(app, "sample", "Answer observations with actions, one JSON line each",
                            "echo '[0.1, ...]' | r2pac sample runs/robot --obs -");
  const auto options = std::make_shared<SampleOptions>();
  verb->add_option("policy", options->policy, "Run folder, policy or checkpoint file")->required();
  verb->add_option("--obs", options->observations, "File with one JSON array a line, or - for standard input")
      ->required();
  verb->add_option("--seed", options->seed, "Seed of the noise")->capture_default_str()->check(kAnySeed());
  add_acting_flags(*verb, options->acting);
  add_device_flags(*verb, options->device);
  verb->callback([&action, options] { action = [options] { return run_sample(*options); }; });
}

void add_values(CLI::App& app, Action& action) {
  CLI::App* verb = add_verb(app, "values", "Write v_r, v_c, q_r, q_c, label and safety of every window",
                            "r2pac values runs/ball --data FILE.hdf5 -o values.csv");
  const auto options = std::make_shared<ValuesOptions>();
  verb->add_option("policy", options->policy, "Run folder or policy.safetensors")->required();
  verb->add_option("--data", options->data, "DSRL file (HDF5)")->required();
  verb->add_option("-o,--out", options->out, "CSV file to write")->required();
  add_device_flags(*verb, options->device);
  verb->callback([&action, options] { action = [options] { return run_values(*options); }; });
}

void add_trace(CLI::App& app, Action& action) {
  CLI::App* verb = add_verb(app, "trace", "Record some gradient steps for another program to redo",
                            "r2pac trace --data FILE.hdf5 --steps 3 --double -o trace.safetensors");
  const auto options = std::make_shared<TraceOptions>();
  add_training_flags(*verb, options->training, false);
  verb->add_option("--steps", options->steps, "Steps to record")->required()->check(CLI::Range(1, 20));
  verb->add_option("-o,--out", options->out, "File to write")->required();
  verb->add_flag("--double", options->in_double, "Double precision");
  add_device_flags(*verb, options->device);
  verb->callback([&action, options] { action = [options] { return run_trace(*options); }; });
}

void add_inspect(CLI::App& app, Action& action) {
  CLI::App* verb =
      add_verb(app, "inspect", "Show what a policy, checkpoint or trace holds", "r2pac inspect runs/ball");
  struct Inspect {
    std::string file;
    bool json = false;
  };
  const auto options = std::make_shared<Inspect>();
  verb->add_option("file", options->file, "safetensors file or run folder")->required();
  verb->add_flag("--json", options->json, "Print one JSON object");
  verb->callback(
      [&action, options] { action = [options] { return run_inspect(options->file, options->json); }; });
}

void add_config(CLI::App& app, Action& action) {
  CLI::App* config = add_verb(app, "config", "Settings and presets", "r2pac config show --task CarGoal1");
  config->require_subcommand(1);
  CLI::App* verb = add_verb(*config, "show", "All settings with their meaning, range and origin, as TOML",
                            "r2pac config show --task CarGoal1 > run.toml");
  const auto options = std::make_shared<ConfigShowOptions>();
  verb->add_option("--task", options->task, "Task whose preset to show");
  verb->callback([&action, options] { action = [options] { return run_config_show(*options); }; });
}

void add_bench(CLI::App& app, Action& action) {
  CLI::App* verb = add_verb(app, "bench", "Measure speed as a share of this machine's peak",
                            "r2pac bench step --threads 1");
  const auto options = std::make_shared<BenchOptions>();
  verb->add_option("suite", options->suite, "step, action or kernels")
      ->required()
      ->check(CLI::IsMember({"step", "action", "kernels"}));
  add_device_flags(*verb, options->device);
  verb->add_flag("--json", options->json, "Print one JSON object");
  verb->callback([&action, options] { action = [options] { return run_bench(*options); }; });
}

}  // namespace

void add_verbs(CLI::App& app, Action& action, const std::vector<std::string>& command_line) {
  add_demo(app, action);
  add_data(app, action);
  add_train(app, action, command_line);
  add_eval(app, action);
  add_report(app, action);
  add_sample(app, action);
  add_values(app, action);
  add_trace(app, action);
  add_inspect(app, action);
  add_config(app, action);
  add_bench(app, action);
}

}  // namespace r2pac
