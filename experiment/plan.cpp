#include "experiment/plan.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/nearest.h"
#include "data/dataset.h"
#include "experiment/beside.h"
#include "experiment/effort.h"
#include "experiment/identity.h"
#include "experiment/task_sets.h"
#include "settings/methods.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

struct DataFile {
  std::string path, fingerprint;
  int observation_dim = 0, action_dim = 0;
  std::int64_t rows = 0;
};

constexpr std::int64_t kBesideMemory = 2000;    // MB: PyTorch, and the simulators
constexpr double kBesideDecision = 0.002 / 60;  // minutes

/// The stage of a setting.
SettingStage stage_of(const std::string& key) {
  static const std::map<std::string, SettingStage> stages = [] {
    std::map<std::string, SettingStage> all;
    for (const SettingInfo& info : settings_fields()) all[std::string(info.key)] = info.stage;
    return all;
  }();
  const auto found = stages.find(key);
  return found == stages.end() ? SettingStage::data : found->second;  // resolve_settings() refuses the key
}

/// Whether a setting changes the actor alone, so that a run can take the critics of one without it.
bool is_of_actor_alone(const std::string& key) {
  for (const char* shared : {"task", "seed", "schedule", "steps", "critic_steps"})
    if (key == shared) return false;
  return stage_of(key) == SettingStage::actor;
}

/// The preset of a size: a method whose published settings are not the defaults has them as `osrl`.
std::string preset_of(const std::string& size, const std::string& method) {
  if (size != "published") return size;
  for (const RunPreset& preset : run_presets())
    if (preset.name == "osrl" && preset.is_for(method)) return "osrl";
  return "";
}

class Planner {
 public:
  Planner(const Experiment& experiment, const PlanOptions& options)
      : experiment_(experiment), options_(options), machine_{options.peak_gflops, options.device != "cpu"} {
    for (const ExperimentColumn& column : experiment.columns) require_method(column);
    list_data();
  }

  Plan plan() {
    plan_ = {experiment_.name, experiment_.title, experiment_.size, experiment_.report, {}, {}};
    for (const ExperimentTask& task : experiment_.tasks) {
      const std::optional<DataFile> data = data_of(task);
      const Task* known = task.task.empty() ? nullptr : &find_task(task.task);
      for (const ExperimentColumn& column : experiment_.columns)
        for (const std::int64_t seed : experiment_.seeds) {
          PlannedCell cell{task.name,   std::string(suite_title(known != nullptr ? known->family : "")),
                           column.name, seed,
                           "",          ""};
          const BesideMethod* beside = find_beside(column.method);
          if (data && beside != nullptr) {
            cell.not_installed = !options_.baselines;
            if (options_.baselines) add_beside({task, known, *data, column, seed}, *beside, cell);
          } else if (data) {
            const Run run{task, known, *data, column, seed};
            cell.train = add_training(run, column.settings);
            cell.score = add_scoring(run, cell.train);
          }
          plan_.cells.push_back(cell);
        }
    }
    add_report();
    return plan_;
  }

 private:
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  struct Run {
    const ExperimentTask& task;
    const Task* known;
    const DataFile& data;
    const ExperimentColumn& column;
    std::int64_t seed;
    double episode_steps() const { return known != nullptr ? known->episode_steps : 1000; }
    std::string label() const { return task.name + ", " + column.name + ", seed " + std::to_string(seed); }
  };

  static void require_method(const ExperimentColumn& column) {
    if (find_beside(column.method) != nullptr) {
      if (column.settings.empty()) return;
      throw Error(ExitCode::settings,
                  "the method `" + column.method + "` runs by code of its own, which takes no settings",
                  column.where, "leave them out, or choose other columns with --only method=NAME");
    }
    std::vector<std::string> names;
    for (const MethodInfo& info : method_list()) names.emplace_back(info.name);
    if (std::ranges::find(names, column.method) == names.end())
      throw Error(ExitCode::settings, "this program has no method `" + column.method + "`", column.where,
                  did_you_mean(column.method, names) +
                      " leave it out of the file, or choose others with --only method=NAME");
  }

  void list_data() {
    std::error_code fault;
    if (!fs::is_directory(options_.data, fault))
      throw Error(ExitCode::usage, "there is no such folder", options_.data,
                  "name the folder with the data files (--data)");
    for (const fs::directory_entry& entry : fs::directory_iterator(options_.data, fault))
      if (entry.path().extension() == ".hdf5" || entry.path().extension() == ".h5")
        files_.push_back(entry.path());
    std::ranges::sort(files_);
  }

  std::optional<DataFile> data_of(const ExperimentTask& task) {
    fs::path found;
    std::error_code fault;
    if (!task.data.empty()) {
      found = fs::path(options_.data) / task.data;
      if (!fs::exists(found, fault)) return std::nullopt;
    } else {
      for (const fs::path& file : files_) {
        const std::optional<Task> told = task_from_file_name(file.string());
        if (!told || told->alias != task.task) continue;
        if (!found.empty())
          throw Error(
              ExitCode::usage, "two files are of task " + task.task, found.string() + " and " + file.string(),
              "say which one in the experiment: tasks = [{ task = \"" + task.task + "\", data = \"FILE\" }]");
        found = file;
      }
      if (found.empty()) return std::nullopt;
    }
    const auto known = loaded_.find(found.string());
    if (known != loaded_.end()) return known->second;
    const Dataset data = load_dataset(found.string());
    return loaded_[found.string()] =
               DataFile{found.string(), data.fingerprint, data.observation_dim, data.action_dim, data.rows};
  }

  /// The settings of a run with some `--set` texts. A fault is the column's.
  Settings resolve(const Run& run, const Pairs& settings) const {
    SettingsRequest request;
    request.preset = preset_of(experiment_.size, run.column.method);
    if (!run.task.task.empty()) request.flags.emplace_back("task", run.task.task);
    request.flags.emplace_back("method", run.column.method);
    request.flags.emplace_back("seed", std::to_string(run.seed));
    for (const auto& [key, text] : settings) request.overrides.push_back(key + "=" + text);
    try {
      return resolve_settings(request).values;
    } catch (const Error& error) {
      throw Error(ExitCode::settings, std::string(error.what()) + " (column `" + run.column.name + "`)",
                  run.column.where, error.todo());
    }
  }

  static Pairs without_acting(Pairs settings) {
    std::erase_if(settings, [](const auto& pair) { return stage_of(pair.first) == SettingStage::acting; });
    return settings;
  }

  Method<float> method_of(const Run& run, const Settings& settings) const {
    return make_method<float>(settings,
                              {run.data.observation_dim, run.data.action_dim, settings.chunk_length});
  }

  /// Adds the training with these settings, and that of the critics that it takes; returns its id.
  std::string add_training(const Run& run, const Pairs& all) {
    const Pairs given = without_acting(all);
    Settings settings = resolve(run, given);
    const Settings usual = resolve(run, {});
    const std::string folder_name = variant_folder(usual, settings);
    const std::string critics = add_critics(run, given, settings);
    if (!critics.empty()) settings.critic_steps = 0;  // as `train --critics` sets it
    const std::string id = training_id(settings, run.data.fingerprint, critics, experiment_.curve);
    if (folders_.contains(id)) return id;

    const std::string place = run.task.task.empty() ? fs::path(run.data.path).stem().string() : run.task.task;
    const fs::path folder = fs::path(options_.out) / "runs" / file_name(place) / run.column.method /
                            folder_name / ("seed" + std::to_string(run.seed) + "-" + id);
    const Method<float> method = method_of(run, settings);
    Job job = new_job(id, "train", run);
    job.argv = {"r2pac", "train", "--data", run.data.path};
    const auto add = [&](std::initializer_list<std::string> words) {
      job.argv.insert(job.argv.end(), words);
    };
    if (!run.task.task.empty()) add({"--task", run.task.task});
    add({"--method", run.column.method});
    if (const std::string preset = preset_of(experiment_.size, run.column.method); !preset.empty())
      add({"--preset", preset});
    add({"--seed", std::to_string(run.seed)});
    for (const auto& [key, text] : given) add({"--set", key + "=" + text});
    if (!critics.empty()) {
      add({"--critics", folders_.at(critics)});
      job.inputs.push_back(record_of(critics));
    }
    add({"--out", folder.string()});
    job.minutes = training_minutes(settings, method, machine_);
    if (experiment_.curve) {
      const std::int64_t steps = method.stages.back().steps(settings);
      const std::int64_t every = std::max<std::int64_t>(1, steps / experiment_.curve->points);
      add({"--eval-env", run.task.env.empty() ? run.task.task : run.task.env, "--eval-every",
           std::to_string(every), "--eval-episodes", std::to_string(experiment_.curve->episodes)});
      job.minutes +=
          experiment_.curve->points *
          scoring_minutes(settings, method, machine_, experiment_.curve->episodes * run.episode_steps());
    }
    add_machine(job);
    job.argv.emplace_back("--quiet");
    job.outputs = {(folder / "policy.safetensors").string()};
    job.memory_mb = training_memory_mb(settings, method,
                                       {run.data.observation_dim, run.data.action_dim, settings.chunk_length},
                                       run.data.rows);
    folders_[id] = folder.string();
    plan_.jobs.push_back(job);
    return id;
  }

  /// The run whose critics this one can take: the same without the settings of the actor alone. "" if there
  /// is none.
  std::string add_critics(const Run& run, const Pairs& given, const Settings& settings) {
    Pairs shared = given;
    std::erase_if(shared, [](const auto& pair) { return is_of_actor_alone(pair.first); });
    if (shared.size() == given.size() || settings.schedule != Schedule::sequential ||
        settings.resolved_critic_steps() == 0 || method_of(run, settings).stages.size() < 2)
      return "";
    const std::vector<SettingDifference> differ = differences(resolve(run, shared), settings);
    const auto trained = std::ranges::count_if(differ, [](const auto& d) { return d.info.trains(); });
    if (trained == 0 || std::ranges::any_of(differ, [](const auto& d) { return d.info.shapes_critics(); }))
      return "";
    return add_training(run, shared);
  }

  /// Adds a scoring of the training; returns its id.
  std::string add_scoring(const Run& run, const std::string& training) {
    const Settings trained = resolve(run, without_acting(run.column.settings)),
                   acting = resolve(run, run.column.settings);
    const ExperimentScoring& scoring = experiment_.scoring;
    const std::string id = scoring_id(training, acting, scoring, run.task.env);
    if (!scored_.insert(id).second) return id;
    const std::string folder = folders_.at(training),
                      file = (fs::path(folder) / ("eval-" + id + ".json")).string();
    Job job = new_job(id, "score", run);
    job.argv = {"r2pac",
                "eval",
                folder,
                "--episodes",
                std::to_string(scoring.episodes),
                "--seed",
                std::to_string(scoring.seed)};
    if (!run.task.env.empty()) job.argv.insert(job.argv.end(), {"--env", run.task.env});
    if (scoring.cost_limit)
      job.argv.insert(job.argv.end(), {"--cost-limit", format_number(*scoring.cost_limit)});
    for (const SettingDifference& d : differences(trained, acting))
      if (d.info.stage == SettingStage::acting)
        job.argv.insert(job.argv.end(), {"--set", d.key + "=" + set_text(acting, d.key)});
    add_machine(job);
    job.argv.insert(job.argv.end(), {"-o", file});
    job.inputs = {record_of(training)};
    job.outputs = {file};
    job.minutes =
        scoring_minutes(acting, method_of(run, acting), machine_, scoring.episodes * run.episode_steps());
    job.memory_mb = 1000;  // the simulators
    plan_.jobs.push_back(job);
    return id;
  }

  /// Adds training and scoring of a method beside the program, and their ids to the cell.
  void add_beside(const Run& run, const BesideMethod& method, PlannedCell& cell) {
    const ExperimentScoring& scoring = experiment_.scoring;
    const std::string seed = std::to_string(run.seed), &size = experiment_.size;
    cell.train = beside_training_id(method, size, run.task.task, run.seed, run.data.fingerprint);
    cell.score = scoring_id(cell.train, Settings{}, scoring, run.task.env);
    if (!scored_.insert(cell.score).second) return;
    const std::string place = run.task.task.empty() ? fs::path(run.data.path).stem().string() : run.task.task;
    const fs::path folder = fs::path(options_.out) / "beside" / file_name(place) / method.name / size /
                            ("seed" + seed + "-" + cell.train);
    const std::string python(kBaselinesPython), module(method.module);
    if (!folders_.contains(cell.train)) {
      Job train = new_job(cell.train, "train", run);
      train.argv = {python, "-m", module, "--data", run.data.path, "--size", size, "--seed", seed};
      if (!run.task.task.empty()) train.argv.insert(train.argv.end(), {"--task", run.task.task});
      train.argv.insert(train.argv.end(), {"--out", folder.string()});
      train.outputs = {(folder / "policy.safetensors").string()};
      train.minutes = beside_minutes(size, machine_.peak_gflops);
      train.memory_mb = kBesideMemory;
      train.gpu = 0;
      folders_[cell.train] = folder.string();
      plan_.jobs.push_back(train);
    }
    Job score = new_job(cell.score, "score", run);
    const std::string file = (folder / ("eval-" + cell.score + ".json")).string();
    score.argv = {python,        "-m",
                  "r2pac.score", module + ":make",
                  "--set",       "run=" + folder.string(),
                  "--env",       run.task.env.empty() ? run.task.task : run.task.env,
                  "--episodes",  std::to_string(scoring.episodes),
                  "--seed",      std::to_string(scoring.seed)};
    if (scoring.cost_limit)
      score.argv.insert(score.argv.end(), {"--cost-limit", format_number(*scoring.cost_limit)});
    score.argv.insert(score.argv.end(), {"--env-processes", "1", "-o", file});
    score.inputs = {record_of(cell.train)};
    score.outputs = {file};
    score.minutes = scoring.episodes * run.episode_steps() * kBesideDecision;
    score.memory_mb = kBesideMemory;
    score.gpu = 0;
    plan_.jobs.push_back(score);
  }

  void add_report() {
    std::string text = plan_.title + "\n" + plan_.report;
    Job job;
    for (const PlannedCell& cell : plan_.cells)
      text += "\n" + cell.task + "," + cell.column + "," + cell.score;
    for (const Job& other : plan_.jobs)
      if (other.kind == "score") job.inputs.push_back(other.record);
    const fs::path folder = experiment_folder(options_.out, plan_.experiment, plan_.size);
    job.id = short_hash("report\n" + text);
    job.kind = "report";
    job.label = plan_.title;
    job.argv = {"r2pac", "experiment", "report", folder.string()};
    for (const char* file : {"table.md", "table.tex", "table.html", "table.csv"})
      job.outputs.push_back((folder / file).string());
    job.memory_mb = 100;
    plan_.jobs.push_back(job);
  }

  Job new_job(const std::string& id, const std::string& kind, const Run& run) const {
    Job job;
    job.id = id;
    job.kind = kind;
    job.label = run.label();
    job.record = record_of(id);
    job.gpu = machine_.gpu ? 1 : 0;
    return job;
  }

  void add_machine(Job& job) const {
    job.argv.insert(job.argv.end(), {"--threads", std::to_string(job.threads), "--device", options_.device});
  }

  std::string record_of(const std::string& id) const {
    return (fs::path(options_.out) / "jobs" / (id + ".json")).string();
  }

  const Experiment& experiment_;
  const PlanOptions& options_;
  Machine machine_;
  std::vector<fs::path> files_;
  std::map<std::string, DataFile> loaded_;
  std::map<std::string, std::string> folders_;  ///< of trainings, by id
  std::set<std::string> scored_;
  Plan plan_;
};

}  // namespace

std::string word_after(const Job& job, const std::string& flag) {
  const auto found = std::ranges::find(job.argv, flag);
  return found == job.argv.end() || found + 1 == job.argv.end() ? "" : found[1];
}

std::string experiment_folder(const std::string& out, const std::string& name, const std::string& size) {
  return (fs::path(out) / file_name(name + "-" + size)).string();
}

Plan make_plan(const Experiment& experiment, const PlanOptions& options) {
  return Planner(experiment, options).plan();
}

}  // namespace r2pac
