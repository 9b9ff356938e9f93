#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "base/error.h"
#include "python/acting_policy.h"
#include "python/bindings.h"
#include "python/worker.h"
#include "storage/generations.h"
#include "training/run.h"
#include "training/training_data.h"

namespace r2pac::python {
namespace {

namespace fs = std::filesystem;

/// A value of a configuration as `--set key=value` takes it.
std::string setting_value(const std::string& key, const py::handle& value) {
  if (py::isinstance<py::str>(value)) return value.cast<std::string>();
  if (py::isinstance<py::bool_>(value)) return value.cast<bool>() ? "true" : "false";
  if (PyIndex_Check(value.ptr()))
    return py::str(py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr())));
  if (py::isinstance<py::float_>(value)) return py::str(value);
  if (py::isinstance<py::list>(value) || py::isinstance<py::tuple>(value)) {
    std::string text;
    for (const py::handle& item : value) text += (text.empty() ? "" : ",") + setting_value(key, item);
    return text;
  }
  throw Error(ExitCode::settings, "`" + key + "` has a value of the wrong kind", "config",
              "give a number, a text, a bool or a list of whole numbers");
}

/// config: None, a mapping, or the path of a TOML file. preset: of run_presets(), or "".
ResolvedSettings settings_of(const py::object& config, const std::string& preset,
                             const std::string& data_file) {
  constexpr char kOverride[] = "--set";  // what resolve_settings() calls values that come as text
  SettingsRequest request;
  request.data_file = data_file;
  request.preset = preset;
  if (py::hasattr(config, "keys")) {
    for (const auto& [key, value] : py::dict(config)) {
      const std::string name = py::str(key);
      request.overrides.push_back(name + "=" + setting_value(name, value));
    }
  } else if (!config.is_none()) {
    request.config_file = config.cast<fs::path>().string();
  }
  try {
    ResolvedSettings resolved = resolve_settings(request);
    for (auto& [key, origin] : resolved.origin)
      if (origin == kOverride) origin = "config";
    return resolved;
  } catch (const Error& error) {
    const std::string where = error.where() == kOverride    ? "config"
                              : error.where() == "--preset" ? "preset"
                                                            : error.where();
    throw Error(error.code(), error.what(), where, error.todo());
  }
}

/// The same data with as many closing rows as windows past genuine ends need.
std::shared_ptr<const Dataset> with_closing_rows(const std::shared_ptr<const Dataset>& dataset,
                                                 int closing_rows) {
  if (dataset->closing_rows >= closing_rows) return dataset;
  const auto s = static_cast<std::size_t>(dataset->observation_dim),
             a = static_cast<std::size_t>(dataset->action_dim);
  DsrlColumns columns;
  columns.rows = dataset->rows;
  columns.observation_dim = dataset->observation_dim;
  columns.action_dim = dataset->action_dim;
  const auto append = [](std::vector<float>& to, const std::vector<float>& from, std::size_t first,
                         std::size_t count) {
    to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(first),
              from.begin() + static_cast<std::ptrdiff_t>(first + count));
  };
  for (const Episode& e : dataset->episodes) {
    const auto first = static_cast<std::size_t>(e.first), length = static_cast<std::size_t>(e.length);
    append(columns.observations, dataset->observations, first * s, length * s);
    append(columns.next_observations, dataset->observations, (first + 1) * s, length * s);
    append(columns.actions, dataset->actions, first * a, length * a);
    append(columns.rewards, dataset->rewards, first, length);
    append(columns.costs, dataset->costs, first, length);
    columns.terminals.resize(columns.rewards.size(), 0);
    columns.timeouts.resize(columns.rewards.size(), 0);
    columns.terminals.back() = e.terminal;
    columns.timeouts.back() = !e.terminal && e.finished;
  }
  auto wider = std::make_shared<Dataset>(make_dataset(columns, dataset->path, closing_rows));
  wider->fingerprint = dataset->fingerprint;
  wider->warnings = dataset->warnings;
  return wider;
}

py::dict interval_dictionary(const Interval& interval) {
  py::dict dictionary;
  dictionary["step"] = interval.step;
  dictionary["total"] = interval.total;
  dictionary["phase"] = interval.stage;
  for (const auto& [name, value] : interval.values) dictionary[py::str(name)] = value;
  dictionary["steps_per_second"] = interval.steps_per_second;
  dictionary["eta_seconds"] = interval.eta_seconds;
  return dictionary;
}

/// What the run says, brought to the Python thread that waits for it.
RunCallbacks callbacks_for(Worker& worker, const py::object& callback) {
  RunCallbacks callbacks;
  callbacks.stop = &worker.stop_requested;
  callbacks.note = [&worker](const std::string& text) {
    worker.ask([&] { py::module_::import("logging").attr("getLogger")("r2pac").attr("info")("%s", text); });
  };
  callbacks.warn = [&worker](const std::string& text) { worker.ask([&] { warn(text); }); };
  if (!callback.is_none())
    callbacks.interval = [&worker, &callback](const Interval& interval) {
      worker.ask([&] {
        if (callback(interval_dictionary(interval)).is(py::bool_(false))) worker.stop_requested = true;
      });
    };
  return callbacks;
}

/// What a run left: its policy, or if it was stopped its newest checkpoint.
fs::path result_of(const fs::path& folder, RunEnd end) {
  if (end == RunEnd::finished) return folder;
  const std::vector<Generation> checkpoints = list_generations(folder / "checkpoints");
  if (checkpoints.empty())
    throw Error(ExitCode::checkpoint, "the run was stopped before its first step", folder.string(),
                "call train again to begin");
  return checkpoints.front().path;
}

std::unique_ptr<ActingPolicy> train(const py::object& config, const py::object& dataset,
                                    const py::object& callback, const std::optional<fs::path>& out,
                                    const fs::path& resume, const std::string& preset,
                                    const DeviceChoice& device) {
  RunOptions run;
  std::shared_ptr<const Dataset> data;
  if (py::isinstance<Dataset>(dataset)) {
    data = dataset.cast<std::shared_ptr<Dataset>>();
    run.data = data->path;
  } else {
    run.data = dataset.cast<fs::path>();
  }
  run.settings = settings_of(config, preset, run.data.string());
  const Settings& settings = run.settings.values;
  const std::string name = settings.task.empty() ? run.data.stem().string() : settings.task;
  run.folder = out.value_or(fs::path("runs") / (name + "-seed" + std::to_string(settings.seed)));
  run.resume = resume.string();
  run.command_line = {"r2pac.train"};

  std::unique_ptr<ActingPolicy> policy;
  Worker worker;
  const RunCallbacks callbacks = callbacks_for(worker, callback);
  worker.run([&] {
    if (data) run.dataset = with_closing_rows(data, closing_rows(settings));
    run.device = open_device(device, callbacks.warn);
    const RunEnd end = run_training(run, callbacks);
    policy = std::make_unique<ActingPolicy>(result_of(run.folder, end), run.device);
  });
  return policy;
}

}  // namespace

void bind_training(py::module_& module) {
  module.def(
      "train",
      [](const py::object& config, const py::object& dataset, const py::object& callback,
         const std::optional<fs::path>& out, const fs::path& resume, const std::string& preset, int threads,
         const std::string& device, const std::string& precision) {
        return train(config, dataset, callback, out, resume, preset, {device, threads, precision});
      },
      py::arg("config"), py::arg("dataset"), py::kw_only(), py::arg("callback") = py::none(),
      py::arg("out") = py::none(), py::arg("resume") = "auto", py::arg("preset") = "", py::arg("threads") = 0,
      py::arg("device") = "cpu", py::arg("precision") = "fp32",
      "Trains a policy, as `r2pac train` does, and returns it.\n\n"
      "config: a mapping of settings (keys of `r2pac config show`), the path of a TOML file, or None for the "
      "preset of the task, which the data's name or the setting `task` tells. dataset: a Dataset, or the "
      "path of a DSRL file. callback: called every `log_every` steps with a dict: step, total, phase, "
      "losses and other figures of metrics.jsonl, steps_per_second, eta_seconds; if it returns False, the "
      "run saves and stops. out: the run folder, runs/TASK-seedN if not given. resume: `auto` continues the "
      "folder's newest checkpoint, `never` refuses a folder that holds a run, else a checkpoint or run "
      "folder to start from. preset: sizes and steps for a purpose, as `r2pac train --preset`: quick, mini, "
      "osrl, "
      "tiny; config overrides them. threads, device, precision: as for Policy.load.\n\n"
      "A stopped run gives the policy of its newest checkpoint, and the same call continues it, to the same "
      "bits as if it had never stopped. Ctrl-C and an exception in the callback save and stop, too, and are "
      "then raised. Raises DataError, SettingsError, CheckpointError, DeviceError, DivergedError, DiskError. "
      "Progress is told to the logger `r2pac`, what is odd as Python warnings.");
}

}  // namespace r2pac::python
