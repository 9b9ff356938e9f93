#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "settings/settings.h"
#include "settings/table.h"
#include "settings/text_value.h"
#include "storage/atomic_file.h"
#include "storage/folder.h"
#include "tools/command_line.h"
#include "tools/experiment.h"
#include "tools/seeds.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

struct SweepOptions {
  ExperimentOptions run;
  std::vector<std::string> data, methods = {"r2pac"}, sets;
  std::string seeds = "0", task, name = "sweep";
  int episodes = 20;
};

/// A text in TOML: JSON's escapes are among those of TOML.
std::string toml_string(const std::string& text) try {
  return nlohmann::json(text).dump();
} catch (const nlohmann::json::exception&) {
  throw Error(ExitCode::usage, "a name is not UTF-8", "", "give the file another name");
}

/// "0-2,5" as 0, 1, 2, 5.
std::string seed_list(const std::string& text) {
  std::string list;
  for (const std::int64_t seed : parse_seeds(text)) list += (list.empty() ? "" : ", ") + std::to_string(seed);
  return list;
}

/// The files as tasks, and the folder that they lie in.
std::string task_list(const SweepOptions& options, std::string& folder) {
  std::string list;
  std::set<std::string> names;
  for (const std::string& path : options.data) {
    const fs::path file = fs::absolute(path).lexically_normal();
    if (folder.empty()) folder = file.parent_path().string();
    if (file.parent_path() != folder)
      throw Error(ExitCode::usage, "the data files lie in several folders", path,
                  "put them, or links, into one");
    std::string task = options.task;
    if (const std::optional<Task> told = task_from_file_name(path); told && task.empty()) task = told->alias;
    if (task.empty())
      throw Error(ExitCode::usage, "the file's name tells no task", path, "name it with --task");
    const std::string name = names.insert(task).second ? task : file.stem().string();
    list += "  { name = " + toml_string(name) + ", task = " + toml_string(task) +
            ", data = " + toml_string(file.filename().string()) + " },\n";
  }
  return list;
}

using Variant = std::vector<std::pair<std::string, std::string>>;

/// Every combination of the values of `--set key=a,b,c`.
std::vector<Variant> variants_of(const std::vector<std::string>& sets) {
  std::vector<Variant> variants = {{}};
  for (const std::string& text : sets) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      throw Error(ExitCode::usage, "`" + text + "` is not of the form key=a,b,c", "--set",
                  "for example --set alpha=0.2,0.5");
    const std::string key = text.substr(0, equals);
    bool one_value = false;  // of lists of widths the comma is part
    for (const Field& field : settings_table())
      one_value = one_value || (field.key == key && field.kind == Kind::integers);
    std::vector<Variant> more;
    for (const Variant& variant : variants)
      for (std::size_t begin = equals + 1; begin <= text.size();) {
        const std::size_t end = one_value ? text.size() : std::min(text.find(',', begin), text.size());
        more.push_back(variant);
        more.back().emplace_back(key, text.substr(begin, end - begin));
        begin = end + 1;
      }
    variants = more;
  }
  return variants;
}

std::string experiment_text(const SweepOptions& options, std::string& folder) {
  std::string text = "# Written by r2pac sweep.\ntasks = [\n" + task_list(options, folder) + "]\nseeds = [" +
                     seed_list(options.seeds) + "]\nmethods = [";
  for (const std::string& method : options.methods)
    text += (&method == options.methods.data() ? "" : ", ") + toml_string(method);
  text += "]\nscore = { episodes = " + std::to_string(options.episodes) + " }\nreport = \"sweep\"\n";
  if (options.sets.empty()) return text;
  text += "\n[variants]\n";
  for (const Variant& variant : variants_of(options.sets)) {
    std::string name, table;
    for (const auto& [key, value] : variant) {
      name += (name.empty() ? "" : ", ") + key + "=" + value;
      table += (table.empty() ? "" : ", ") + toml_string(key) + " = " + toml_string(value);
    }
    text += toml_string(name) + " = { " + table + " }\n";
  }
  return text;
}

int run_sweep(const SweepOptions& options) {
  ExperimentOptions run = options.run;
  const std::string text = experiment_text(options, run.data);
  const fs::path file = fs::path(run.out) / (options.name + ".toml");
  parse_experiment(text, file.string(), run.size);  // before anything is written
  make_folder(run.out);
  write_file_atomically(file, text);
  std::fprintf(stderr, "written to %s\n", file.c_str());
  run.file = file.string();
  return run_experiment(run);
}

}  // namespace

void add_sweep(CLI::App& app, Action& action) {
  const auto [verb, options] = add_verb(
      app, action, run_sweep, "sweep", "Train and score methods on files, over seeds and values of settings",
      "r2pac sweep --data DATA_FOLDER/*.hdf5 --seeds 0-2 --method r2pac,cloning --size mini");
  verb->add_option("--data", options->data, "DSRL files (HDF5)")->required();
  verb->add_option("--seeds", options->seeds, "Training seeds, as 0-2 or 0,1,5")->capture_default_str();
  verb->add_option("--method", options->methods, "Methods, as r2pac,cloning")
      ->delimiter(',')
      ->capture_default_str();
  verb->add_option("--set", options->sets,
                   "Values of a setting, as alpha=0.2,0.5; several make all combinations")
      ->take_all()
      ->expected(1);
  verb->add_option("--task", options->task, "Task, if the files' names do not tell");
  verb->add_option("--name", options->name, "Name of the experiment's file, without extension")
      ->capture_default_str()
      ->check([](const std::string& text) {
        return text.empty() || text.front() == '.' || text.find('/') != std::string::npos
                   ? std::string("this is no name of a file")
                   : std::string();
      });
  verb->add_option("--episodes", options->episodes, "Episodes of each score")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  add_run_flags(*verb, options->run);
}

}  // namespace r2pac
