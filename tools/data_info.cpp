#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/printable.h"
#include "data/check.h"
#include "settings/task_widths.h"
#include "tools/command_line.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

using Json = nlohmann::ordered_json;

void print(const Json& object) {
  // File names need not be UTF-8; JSON must be. In ASCII it commands no terminal.
  std::printf("%s\n", object.dump(2, ' ', true, Json::error_handler_t::replace).c_str());
}

Json to_json(const Quartiles& q) {
  return {{"min", q.min},       {"lower_quartile", q.lower},
          {"median", q.median}, {"upper_quartile", q.upper},
          {"max", q.max},       {"mean", q.mean}};
}

Json to_json(const ArrayRange& r) {
  return {
      {"columns", r.columns}, {"min", r.min}, {"max", r.max}, {"mean", r.mean}, {"not_finite", r.not_finite}};
}

Json to_json(const std::string& file, const DataSummary& s) {
  Json arrays = Json::object();
  for (const ArrayRange& range : s.ranges) arrays[range.name] = to_json(range);
  return {{"file", file},
          {"fingerprint", s.fingerprint},
          {"rows", s.rows},
          {"episodes", s.episodes},
          {"observation_dim", s.observation_dim},
          {"action_dim", s.action_dim},
          {"terminal_episodes", s.terminal_episodes},
          {"timeout_episodes", s.timeout_episodes},
          {"unfinished_last_episode", s.unfinished},
          {"chunk_length", s.chunk_length},
          {"windows", s.windows},
          {"arrays", arrays},
          {"episode_length", to_json(s.length)},
          {"episode_return", to_json(s.episode_return)},
          {"episode_cost", to_json(s.episode_cost)},
          {"cost_limit", s.cost_limit},
          {"share_within_cost_limit", s.share_within_limit}};
}

void print_text(const std::string& file, const DataSummary& s) {
  const auto count = [](std::int64_t n) { return static_cast<long long>(n); };
  std::printf("%s\n", printable(file).c_str());
  std::printf("  fingerprint   %s\n", s.fingerprint.c_str());
  std::printf("  dimensions    observation %d, action %d\n", s.observation_dim, s.action_dim);
  std::printf("  rows          %lld\n", count(s.rows));
  std::printf("  episodes      %lld: %lld end in a terminal state, %lld cut by a timeout%s\n",
              count(s.episodes), count(s.terminal_episodes), count(s.timeout_episodes),
              s.unfinished ? ", the last one unfinished" : "");
  std::printf("  windows       %lld of %d rows\n", count(s.windows), s.chunk_length);
  std::printf("  within limit  %.1f %% of the episodes cost at most %.6g\n", 100 * s.share_within_limit,
              s.cost_limit);

  std::printf("\n  %-18s %11s %11s %11s %11s %11s %11s\n", "per episode", "min", "25 %", "median", "75 %",
              "max", "mean");
  const auto row = [](const char* name, const Quartiles& q) {
    std::printf("  %-18s %11.5g %11.5g %11.5g %11.5g %11.5g %11.5g\n", name, q.min, q.lower, q.median,
                q.upper, q.max, q.mean);
  };
  row("length", s.length);
  row("return", s.episode_return);
  row("cost", s.episode_cost);

  std::printf("\n  %-18s %11s %11s %11s %11s\n", "array", "columns", "min", "max", "mean");
  for (const ArrayRange& r : s.ranges) {
    std::printf("  %-18s %11lld %11.5g %11.5g %11.5g", r.name.c_str(), count(r.columns), r.min, r.max,
                r.mean);
    if (r.not_finite > 0) std::printf("  and %lld that are NaN or infinite", count(r.not_finite));
    std::printf("\n");
  }
}

/// Faults of contents, and widths that contradict the task that the file's name tells.
std::vector<Fault> all_faults(const std::string& file, const DsrlColumns& columns, int chunk_length) {
  std::vector<Fault> faults = check_columns(columns, chunk_length);
  if (const std::optional<Task> task = task_from_file_name(file))
    if (const auto conflict = width_conflict(*task, columns.observation_dim, columns.action_dim))
      faults.push_back({Fault::Severity::warning, "", -1, *conflict, "the file's name tells another task"});
  return faults;
}

std::vector<Fault> faults_of(const std::string& file, int chunk_length) try {
  return all_faults(file, read_dsrl(file), chunk_length);
} catch (const Error& error) {
  if (error.code() != ExitCode::data) throw;
  return {{Fault::Severity::error, "", -1, error.what(), error.todo(), true}};
}

/// What `info` and `check` look at.
struct LookOptions {
  std::string file;
  bool json = false;
  double cost_limit = -1;  ///< per episode; negative: the task's
  int chunk_length = 5;
};

int run_data_info(const LookOptions& options) {
  const std::optional<Task> task = task_from_file_name(options.file);
  const double limit = options.cost_limit >= 0 ? options.cost_limit : task ? task->cost_limit : 10.0;
  const DsrlColumns columns = read_dsrl(options.file);
  for (const Fault& fault : all_faults(options.file, columns, options.chunk_length))
    std::fprintf(stderr, "warning: %s\n", sentence(fault).c_str());
  const DataSummary summary = summarize(columns, limit, options.chunk_length);
  if (options.json)
    print(to_json(options.file, summary));
  else
    print_text(options.file, summary);
  return static_cast<int>(ExitCode::ok);
}

int run_data_check(const LookOptions& options) {
  const std::vector<Fault> faults = faults_of(options.file, options.chunk_length);
  int errors = 0;
  Json list = Json::array();
  if (!options.json)
    std::printf("%s%s\n", printable(options.file).c_str(), faults.empty() ? ": no faults found" : "");
  for (const Fault& fault : faults) {
    const bool is_error = fault.severity == Fault::Severity::error;
    errors += is_error;
    const char* severity = is_error ? "error" : "warning";
    if (options.json)
      list.push_back({{"severity", severity},
                      {"array", fault.array},
                      {"row", fault.row},
                      {"what", fault.what},
                      {"todo", fault.todo}});
    else
      std::printf("  %-7s  %s%s%s\n           %s\n", severity, fault.array.c_str(),
                  fault.array.empty() ? "" : ": ", fault.what.c_str(), fault.todo.c_str());
  }
  if (options.json)
    print({{"file", options.file},
           {"errors", errors},
           {"warnings", static_cast<int>(faults.size()) - errors},
           {"faults", list}});
  else if (!faults.empty())
    std::printf("  errors: %d, warnings: %d\n", errors, static_cast<int>(faults.size()) - errors);
  return static_cast<int>(errors > 0 ? ExitCode::data : ExitCode::ok);
}

/// The verb and its options, with the flags that both verbs have.
std::pair<CLI::App*, LookOptions*> add_look(CLI::App& data, Action& action, int (*run)(const LookOptions&),
                                            const std::string& name, const std::string& description) {
  const auto added = add_verb(data, action, run, name, description, "r2pac data " + name + " FILE.hdf5");
  const auto [verb, options] = added;
  verb->add_option("file", options->file, "DSRL file (HDF5)")->required();
  verb->add_flag("--json", options->json, "Print one JSON object");
  verb->add_option("--chunk-length", options->chunk_length, "Rows per window")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  return added;
}

}  // namespace

void add_data_info(CLI::App& data, Action& action) {
  const auto [verb, options] = add_look(data, action, run_data_info, "info",
                                        "Counts, ranges, return and cost per episode, fingerprint");
  verb->add_option("--cost-limit", options->cost_limit,
                   "Episode cost that counts as safe (the task's if not given)")
      ->check(number_in(0, 1e12));
}

void add_data_check(CLI::App& data, Action& action) {
  add_look(data, action, run_data_check, "check",
           "Name every fault; exit status 3 if training would refuse the file or learn something false");
}

}  // namespace r2pac
