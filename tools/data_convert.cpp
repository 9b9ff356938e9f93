#include "tools/data_convert.h"

#include <cstdio>

#include "base/error.h"
#include "data/check.h"
#include "model/tasks.h"

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

}  // namespace

int run_data_convert(const ConvertOptions& options) {
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

}  // namespace r2pac
