#include "report/timing.h"

#include <algorithm>
#include <cstdio>

#include "report/text.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

constexpr double kMillion = 1e6;

/// "45.2 s", "12.3 min", "3.4 h".
std::string duration(double seconds) {
  if (seconds < 120) return fixed_text(seconds, 1) + " s";
  if (seconds < 7200) return fixed_text(seconds / 60, 1) + " min";
  return fixed_text(seconds / 3600, 1) + " h";
}

/// With three digits that count.
std::string three_digits(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string mebibytes(double bytes) { return fixed_text(bytes / 0x1p20, 0) + " MiB"; }

}  // namespace

std::vector<TimingRow> timing_rows(const std::vector<TimedRun>& runs) {
  std::vector<TimingRow> rows;
  for (const TimedRun& run : runs) {
    if (!run.facts->effort) continue;
    const RunEffort& effort = *run.facts->effort;
    auto row = std::ranges::find_if(rows, [&](const TimingRow& r) {
      return r.task == run.task && r.name == run.name && r.machine == run.facts->machine;
    });
    if (row == rows.end()) {
      rows.push_back({run.task, run.name, run.facts->machine, 0, 0, 0, 0, 0, 0, {}});
      row = rows.end() - 1;
    }
    ++row->seeds;
    row->steps += static_cast<double>(effort.steps);
    row->seconds += effort.seconds;
    row->scoring_seconds += effort.scoring_seconds;
    row->gflop_per_step += effort.gflop_per_step;
    row->host_bytes = std::max(row->host_bytes, static_cast<double>(effort.host_bytes));
    if (effort.device_bytes)
      row->device_bytes = std::max(row->device_bytes.value_or(0), static_cast<double>(*effort.device_bytes));
  }
  for (TimingRow& row : rows)
    for (double* sum : {&row.steps, &row.seconds, &row.scoring_seconds, &row.gflop_per_step})
      *sum /= static_cast<double>(row.seeds);
  return rows;
}

TextTable timing_table(const std::vector<TimingRow>& rows, const Markup& markup) {
  TextTable table;
  table.lines = {{"task", "method", "machine", "seeds", "steps", "time", "scores on the way", "ms/step",
                  "GFLOP/step", "GFLOP/s", "host memory", "GPU memory", "scaled: a million steps"}};
  table.words = 3;
  for (const TimingRow& row : rows) {
    const double per_step = row.seconds_per_step();
    table.lines.push_back({markup.text(row.task), markup.text(row.name), markup.text(row.machine),
                           std::to_string(row.seeds), fixed_text(row.steps, 0), duration(row.seconds),
                           duration(row.scoring_seconds), fixed_text(1000 * per_step, 2),
                           three_digits(row.gflop_per_step),
                           per_step > 0 ? fixed_text(row.gflop_per_step / per_step, 1) : "-",
                           mebibytes(row.host_bytes), row.device_bytes ? mebibytes(*row.device_bytes) : "-",
                           row.steps > 0 ? markup.about + duration(kMillion * per_step) : "-"});
  }
  table.notes = {
      "Means over training seeds; memory: the most of any seed. Time is wall time over all starts of a run, "
      "with reading of data and writing of files, without the scores on the way, which have their own "
      "column.",
      "GFLOP per step are counted from the networks, a multiply-add as two. Host memory is that of the "
      "training process, GPU memory what it allocated there; simulators are in neither.",
      "The last column is not measured: it is the time of a million steps at the pace of those that were "
      "taken."};
  return table;
}

std::string timing_csv(const std::vector<TimingRow>& rows) {
  std::string out =
      "task,method,machine,seeds,steps,seconds,scoring_seconds,gflop_per_step,host_bytes,device_bytes,"
      "scaled_seconds_per_million_steps\n";
  for (const TimingRow& row : rows)
    out += csv_line({row.task, row.name, row.machine, std::to_string(row.seeds), format_number(row.steps),
                     format_number(row.seconds), format_number(row.scoring_seconds),
                     format_number(row.gflop_per_step), format_number(row.host_bytes),
                     row.device_bytes ? format_number(*row.device_bytes) : "",
                     row.steps > 0 ? format_number(kMillion * row.seconds_per_step()) : ""});
  return out;
}

}  // namespace r2pac
