#include <cstdio>
#include <optional>

#include "base/error.h"
#include "data/check.h"
#include "data/layouts.h"
#include "settings/tasks.h"
#include "storage/atomic_file.h"
#include "tools/command_line.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

void print_summary(const std::string& file, const char* layout, const DataSummary& s) {
  const auto count = [](std::int64_t n) { return static_cast<long long>(n); };
  std::printf("%s: %s, %lld episodes, %lld rows, observation %d, action %d\n", file.c_str(), layout,
              count(s.episodes), count(s.rows), s.observation_dim, s.action_dim);
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
  std::optional<double> max_cost;  ///< keeps episodes whose summed cost is at most this
};

/// Prints what was read, what was written, and warnings about it.
int run_data_convert(const ConvertOptions& options) {
  require_output(options.out, {options.in});
  OtherData data = read_layout(options.in, options.layout);
  print_summary(options.in, layout_name(data.layout), summarize(data.columns, 0));
  for (const std::string& note : data.notes) std::printf("  note: %s\n", note.c_str());
  if (options.max_cost) try {
      data.columns = episodes_within(data.columns, *options.max_cost);
    } catch (const Error& error) {
      throw Error(error.code(), error.what(), options.in, error.todo());
    }
  write_dsrl(options.out, data.columns);
  print_summary(options.out, layout_name(Layout::dsrl), summarize(data.columns, 0));
  for (const Fault& fault : check_columns(data.columns, 1))
    std::printf("  warning: %s%s%s; %s\n", fault.array.c_str(), fault.array.empty() ? "" : ": ",
                fault.what.c_str(), fault.todo.c_str());
  if (!task_from_file_name(options.out))
    std::printf("  note: the file's name tells no task; give `r2pac train` one with --task\n");
  return static_cast<int>(ExitCode::ok);
}

}  // namespace

void add_data_convert(CLI::App& data, Action& action) {
  const auto [verb, options] =
      add_verb(data, action, run_data_convert, "convert",
               "Write a Minari, D4RL or NumPy data set, or the safe part of one, as DSRL",
               "r2pac data convert main_data.hdf5 -o SafetyBallRun-v0-80-940.hdf5");
  verb->add_option("in", options->in, "Minari or D4RL file (HDF5), NumPy archive (.npz) or DSRL file")
      ->required();
  add_output(*verb, "-o,--out", options->out, "DSRL file to write")->required();
  add_choice(*verb, "--from", options->layout.layout, layout_name,
             {Layout::automatic, Layout::dsrl, Layout::d4rl, Layout::minari, Layout::npz},
             "Layout of the input (auto if not given)");
  verb->add_option("--max-cost", options->max_cost, "Keep only episodes that cost at most this")
      ->check(CLI::Range(0.0, 1e12));
  CLI::Option* key =
      verb->add_option("--cost-key", options->layout.cost_key, "Array of the costs, in groups as infos/cost");
  verb->add_flag("--no-costs", options->layout.no_costs, "The input has no costs: write zeros")
      ->excludes(key);
}

}  // namespace r2pac
