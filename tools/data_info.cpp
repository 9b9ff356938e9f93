#include "tools/data_info.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/check.h"

namespace r2pac {
namespace {

using Json = nlohmann::ordered_json;

void print(const Json& object) {
  // File names need not be UTF-8; JSON must be.
  std::printf("%s\n", object.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
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
  std::printf("%s\n", file.c_str());
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

std::vector<Fault> faults_of(const std::string& file, int chunk_length) try {
  return check_columns(read_dsrl(file), chunk_length);
} catch (const Error& error) {
  if (error.code() != ExitCode::data) throw;
  return {{Fault::Severity::error, "", -1, error.what(), error.todo()}};
}

}  // namespace

int run_data_info(const std::string& file, bool json, double cost_limit, int chunk_length) {
  const DataSummary summary = summarize(read_dsrl(file), cost_limit, chunk_length);
  if (json)
    print(to_json(file, summary));
  else
    print_text(file, summary);
  return static_cast<int>(ExitCode::ok);
}

int run_data_check(const std::string& file, bool json, int chunk_length) {
  const std::vector<Fault> faults = faults_of(file, chunk_length);
  int errors = 0;
  Json list = Json::array();
  if (!json) std::printf("%s%s\n", file.c_str(), faults.empty() ? ": no faults found" : "");
  for (const Fault& fault : faults) {
    const bool is_error = fault.severity == Fault::Severity::error;
    errors += is_error;
    const char* severity = is_error ? "error" : "warning";
    if (json)
      list.push_back({{"severity", severity},
                      {"array", fault.array},
                      {"row", fault.row},
                      {"what", fault.what},
                      {"todo", fault.todo}});
    else
      std::printf("  %-7s  %s%s%s\n           %s\n", severity, fault.array.c_str(),
                  fault.array.empty() ? "" : ": ", fault.what.c_str(), fault.todo.c_str());
  }
  if (json)
    print({{"file", file},
           {"errors", errors},
           {"warnings", static_cast<int>(faults.size()) - errors},
           {"faults", list}});
  else if (!faults.empty())
    std::printf("  errors: %d, warnings: %d\n", errors, static_cast<int>(faults.size()) - errors);
  return static_cast<int>(errors > 0 ? ExitCode::data : ExitCode::ok);
}

}  // namespace r2pac
