#include "tools/bench_output.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/processors.h"
#include "base/utc.h"
#include "base/version.h"
#include "kernels/dense.h"
#include "kernels/isa.h"
#include "report/text.h"

namespace r2pac {
namespace {

using Json = nlohmann::ordered_json;

/// printf's text of one number.
std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string positive(const char* format, double value) {
  return value > 0 ? number(format, value) : std::string();
}

std::string percent(double share) { return number("%.1f%%", 100 * share); }

Json row_json(const BenchRow& row, bool on_cuda) {
  Json json = {
      {"name", row.name},           {"shape", row.shape},       {"threads", row.threads},
      {"median_ms", row.median_ms}, {"lower_ms", row.lower_ms}, {"upper_ms", row.upper_ms},
      {"trials", row.trials},       {"noisy", row.noisy},       {"gflop", row.gflop},
      {"gflops", row.gflops},       {"peak", row.peak},         {"peak_fraction", row.peak_fraction}};
  if (row.gflop == 0 || row.gigabytes > 0) {
    json["gigabytes"] = row.gigabytes;
    json["gigabytes_per_second"] = row.gigabytes_per_second;
  }
  if (!on_cuda) return json;
  json["launches"] = row.launches;
  if (row.critical_path > 0) json["critical_path"] = row.critical_path;
  if (!row.method.empty()) json["method"] = row.method;
  if (row.gigabytes > 0) json["bandwidth_fraction"] = row.bandwidth_fraction;
  if (!row.bound.empty()) json["bound"] = row.bound;
  return json;
}

/// One column of the table. A negative width is that of a column of numbers, which end at its right.
struct Column {
  std::string title;
  int width;
  std::function<std::string(const BenchRow&)> text;
};

std::vector<Column> columns_of(const BenchFacts& facts) {
  std::vector<Column> columns;
  const bool on_cuda = facts.on_cuda;
  const auto column = [&](const char* title, int width, std::function<std::string(const BenchRow&)> text) {
    columns.push_back({title, width, std::move(text)});
  };
  column("name", 32, [](const BenchRow& row) { return row.name; });
  column("shape", 44, [](const BenchRow& row) { return row.shape; });
  if (on_cuda)
    column("launches", -8, [](const BenchRow& row) { return std::to_string(row.launches); });
  else
    column("threads", -7, [](const BenchRow& row) { return std::to_string(row.threads); });
  if (on_cuda && facts.suite == "step")
    column("in a row", -8, [](const BenchRow& row) { return positive("%.4g", row.critical_path); });
  const char* const time = on_cuda && facts.suite == "kernels" ? "%.4f" : "%.3f";
  column("ms", 27, [=](const BenchRow& row) {
    return number(time, row.median_ms) + " [" + number(time, row.lower_ms) + ", " +
           number(time, row.upper_ms) + "]";
  });
  column("GFLOP", -9, [](const BenchRow& row) { return positive("%.4g", row.gflop); });
  if (on_cuda)
    column("TFLOP/s", -9, [](const BenchRow& row) { return positive("%.2f", row.gflops / 1e3); });
  else
    column("GFLOP/s", -9, [](const BenchRow& row) { return positive("%.1f", row.gflops); });
  if (facts.suite == "kernels" || facts.suite == "peak")
    column("GB/s", -9, [](const BenchRow& row) { return positive("%.1f", row.gigabytes_per_second); });
  if (on_cuda) {
    column("of products' peak", -17,
           [](const BenchRow& row) { return row.gflop > 0 ? percent(row.peak_fraction) : std::string(); });
    if (facts.suite == "kernels") {
      column("of a copy", -9, [](const BenchRow& row) {
        return row.gigabytes > 0 ? percent(row.bandwidth_fraction) : std::string();
      });
      column("bound by", 10, [](const BenchRow& row) { return row.bound; });
    }
    if (facts.suite == "action") column("how", 46, [](const BenchRow& row) { return row.method; });
  } else {
    column("peak", -7, [](const BenchRow& row) { return number("%.1f", row.peak); });
    column("of peak", -7, [](const BenchRow& row) { return percent(row.peak_fraction); });
  }
  column("noise", 5, [](const BenchRow& row) { return std::string(row.noisy ? "noisy" : ""); });
  return columns;
}

std::string table_line(const std::vector<Column>& columns,
                       const std::function<std::string(const Column&)>& text) {
  std::string out;
  for (const Column& column : columns) {
    const std::string cell = text(column);
    const auto wide = static_cast<std::size_t>(std::abs(column.width));
    const std::string space(wide - std::min(wide, cell.size()), ' ');
    out += "| " + (column.width < 0 ? space + cell : cell + space) + " ";
  }
  return out + "|\n";
}

}  // namespace

BenchFacts bench_facts(const std::string& suite, const BenchTarget& target) {
  BenchFacts facts;
  facts.suite = suite;
  facts.processor = processor_name();
  facts.utc = utc_now();
  facts.on_cuda = target.on_cuda();
  facts.timed = target.timed();
  if (suite != "peak") facts.precision = precision_name(target.precision);
  if (facts.on_cuda) {
    facts.device = target.device->description();
    facts.product_gflops = measure_peak_gflops(target);
    facts.copy_gigabytes_per_second = measure_bandwidth(target);
  } else {
    facts.instruction_set = isa_name(current_isa());
    facts.dense_layers = dense<float>().name();
  }
  return facts;
}

std::string bench_head(const BenchFacts& facts) {
  std::string out =
      std::string("r2pac ") + kVersion + " (" + kCommit + "), " + facts.processor + ", " + facts.utc + "\n";
  if (!facts.on_cuda)
    out += "instruction set " + facts.instruction_set + ", dense layers " + facts.dense_layers +
           (facts.precision.empty() ? "" : ", " + facts.precision) +
           "; % of the peak measured around each row (arithmetic, or\n"
           "bandwidth where no GFLOP is given); median [quartiles]; noisy: fewer than a third of the trials "
           "were\n"
           "undisturbed, or the quartiles lie more than 20 % of the median apart\n\n";
  else if (facts.timed)
    out += facts.device + "; % of a square product of 4096, " + number("%.1f", facts.product_gflops / 1e3) +
           " TFLOP/s, and of a copy of 256 MiB in the\ndevice's memory, " +
           number("%.0f", facts.copy_gigabytes_per_second) +
           " GB/s, both measured in this process; median [quartiles] of the trials\n\n";
  else
    out +=
        facts.device + ": shapes are small and times mean nothing; launches are those of the full size\n\n";
  const std::vector<Column> columns = columns_of(facts);
  out += table_line(columns, [](const Column& column) { return column.title; });
  for (const Column& column : columns)
    out += "|" + std::string(static_cast<std::size_t>(std::abs(column.width)) + 1, '-') +
           (column.width < 0 ? ":" : "-");
  return out + "|\n";
}

std::string bench_line(const BenchFacts& facts, const BenchRow& row) {
  return table_line(columns_of(facts), [&](const Column& column) { return column.text(row); });
}

std::string bench_json(const BenchFacts& facts, const std::vector<BenchRow>& rows) {
  Json all = {{"version", kVersion},
              {"commit", kCommit},
              {"suite", facts.suite},
              {"processor", facts.processor},
              {"utc", facts.utc}};
  if (!facts.precision.empty()) all["precision"] = facts.precision;
  if (facts.on_cuda) {
    all["device"] = facts.device;
    all["timed"] = facts.timed;
    all["peak_gflops"] = facts.product_gflops;
    all["copy_gigabytes_per_second"] = facts.copy_gigabytes_per_second;
  } else {
    all["instruction_set"] = facts.instruction_set;
    all["dense_layers"] = facts.dense_layers;
  }
  all["rows"] = Json::array();
  for (const BenchRow& row : rows) all["rows"].push_back(row_json(row, facts.on_cuda));
  return all.dump(2) + "\n";
}

std::string bench_csv(const BenchFacts& facts, const std::vector<BenchRow>& rows) {
  std::string out =
      csv_line({"suite",    "name",          "shape",    "threads", "median_ms", "lower_ms",
                "upper_ms", "trials",        "noisy",    "gflop",   "gflops",    "gigabytes_per_second",
                "peak",     "peak_fraction", "launches", "version", "commit",    "processor",
                "device",   "precision",     "utc"});
  const auto exact = [](double value) { return number("%.9g", value); };
  for (const BenchRow& row : rows)
    out += csv_line({facts.suite,
                     row.name,
                     row.shape,
                     std::to_string(row.threads),
                     exact(row.median_ms),
                     exact(row.lower_ms),
                     exact(row.upper_ms),
                     std::to_string(row.trials),
                     row.noisy ? "true" : "false",
                     exact(row.gflop),
                     exact(row.gflops),
                     exact(row.gigabytes_per_second),
                     exact(row.peak),
                     exact(row.peak_fraction),
                     std::to_string(row.launches),
                     kVersion,
                     kCommit,
                     facts.processor,
                     facts.on_cuda ? facts.device : "cpu, " + facts.instruction_set,
                     facts.precision,
                     facts.utc});
  return out;
}

}  // namespace r2pac
