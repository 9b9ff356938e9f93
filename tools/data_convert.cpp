#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/counted.h"
#include "base/error.h"
#include "base/printable.h"
#include "data/check.h"
#include "data/layouts.h"
#include "settings/task_widths.h"
#include "storage/atomic_file.h"
#include "tools/command_line.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

void print_summary(const std::string& file, const char* layout, const DataSummary& s) {
  std::printf("%s: %s, %s, %s, observation %d, action %d\n", printable(file).c_str(), layout,
              counted(s.episodes, "episode").c_str(), counted(s.rows, "row").c_str(), s.observation_dim,
              s.action_dim);
  const auto row = [](const char* name, const Quartiles& q) {
    std::printf("  %s min %.5g, quartiles %.5g %.5g %.5g, max %.5g\n", name, q.min, q.lower, q.median,
                q.upper, q.max);
  };
  row("return", s.episode_return);
  row("cost", s.episode_cost);
}

struct ConvertOptions {
  std::string in, out;
  LayoutOptions layout;
  std::vector<std::string> names;  ///< "observations=state,goal"
  std::optional<double> max_cost;  ///< keeps episodes whose summed cost is at most this
};

/// The fields and arrays of --map. Throws Error(ExitCode::usage).
std::map<std::string, std::string> mapped(const std::vector<std::string>& names) {
  std::map<std::string, std::string> map;
  for (const std::string& text : names) {
    const std::size_t equals = text.find('=');
    const std::string field = text.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == text.size() ||
        std::ranges::find(field_names(), field) == field_names().end()) {
      std::string fields;
      for (const std::string& name : field_names()) fields += (fields.empty() ? "" : ", ") + name;
      throw Error(
          ExitCode::usage, "`" + text + "` maps no field to an array", "--map",
          "write --map observations=state, or state,goal to put arrays side by side; the fields are " +
              fields);
    }
    if (!map.emplace(field, text.substr(equals + 1)).second)
      throw Error(ExitCode::usage, "`" + field + "` is mapped twice", "--map",
                  "give each field once; arrays to put side by side are separated by commas");
  }
  return map;
}

/// Prints what was read, what was written, and warnings about it.
int run_data_convert(const ConvertOptions& options) {
  require_output(options.out, {options.in});
  LayoutOptions layout = options.layout;
  layout.names = mapped(options.names);
  OtherData data = read_layout(options.in, layout);
  print_summary(options.in, layout_name(data.layout), summarize(data.columns, 0));
  for (const std::string& note : data.notes) std::printf("  note: %s\n", printable(note).c_str());
  if (options.max_cost) try {
      data.columns = episodes_within(data.columns, *options.max_cost);
    } catch (const Error& error) {
      throw Error(error.code(), error.what(), options.in, error.todo());
    }
  write_dsrl(options.out, data.columns);
  print_summary(options.out, layout_name(Layout::dsrl), summarize(data.columns, 0));
  for (const Fault& fault : check_columns(data.columns, 1))
    std::printf("  warning: %s\n", printable(sentence(fault)).c_str());
  if (const std::optional<Task> task = task_from_file_name(options.out); !task)
    std::printf(
        "  note: the file's name tells no task; `r2pac train` uses general settings, or those of --task\n");
  else if (const auto conflict = width_conflict(*task, data.columns.observation_dim, data.columns.action_dim))
    std::printf("  warning: %s; the output's name tells another task\n", printable(*conflict).c_str());
  return static_cast<int>(ExitCode::ok);
}

}  // namespace

void add_data_convert(CLI::App& data, Action& action) {
  const auto [verb, options] =
      add_verb(data, action, run_data_convert, "convert",
               "Write a data set of another layout, or the safe part of one, as DSRL",
               "r2pac data convert main_data.hdf5 -o SafetyBallRun-v0-80-940.hdf5");
  verb->add_option("in", options->in,
                   "File of Minari, D4RL, d3rlpy, robomimic or MATLAB (HDF5), NumPy archive (.npz), text "
                   "table (.csv) or "
                   "DSRL file")
      ->required();
  add_output(*verb, "-o,--out", options->out, "DSRL file to write")->required();
  add_choice(*verb, "--from", options->layout.layout, layout_name,
             {Layout::automatic, Layout::dsrl, Layout::d4rl, Layout::minari, Layout::npz, Layout::robomimic,
              Layout::d3rlpy, Layout::csv},
             "Layout of the input (auto if not given)");
  verb->add_option("--max-cost", options->max_cost, "Keep only episodes that cost at most this")
      ->check(number_in(0, 1e12));
  CLI::Option* key =
      verb->add_option("--cost-key", options->layout.cost_key, "Array of the costs, in groups as infos/cost");
  verb->add_option("--map", options->names,
                   "Where a field is found: observations=state, or state,goal side by side; may be repeated")
      ->take_all()
      ->expected(1);
  verb->add_option("--episode-steps", options->layout.episode_steps,
                   "Cut episodes after so many steps, where the input does not flag it")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 32));
  verb->add_flag("--no-costs", options->layout.no_costs, "The input has no costs: write zeros")
      ->excludes(key);
}

}  // namespace r2pac
