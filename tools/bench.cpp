#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/version.h"
#include "bench/suites.h"
#include "kernels/dense.h"
#include "kernels/isa.h"
#include "tools/acting.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

nlohmann::ordered_json to_json(const BenchRow& row, bool on_cuda) {
  nlohmann::ordered_json json = {{"name", row.name},         {"shape", row.shape},
                                 {"threads", row.threads},   {"median_ms", row.median_ms},
                                 {"lower_ms", row.lower_ms}, {"upper_ms", row.upper_ms},
                                 {"trials", row.trials},     {"gflop", row.gflop},
                                 {"gflops", row.gflops},     {"peak_fraction", row.peak_fraction}};
  if (row.gflop == 0 || row.gigabytes > 0) json["gigabytes"] = row.gigabytes;
  if (!on_cuda) return json;
  json["launches"] = row.launches;
  if (row.critical_path > 0) json["critical_path"] = row.critical_path;
  if (!row.method.empty()) json["method"] = row.method;
  if (row.gigabytes > 0) {
    json["gigabytes_per_second"] = row.gigabytes_per_second;
    json["bandwidth_fraction"] = row.bandwidth_fraction;
  }
  if (!row.bound.empty()) json["bound"] = row.bound;
  return json;
}

/// printf's text of one number.
std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// One column of a Markdown table. A negative width is that of a column of numbers, which end at its right.
struct Column {
  std::string title;
  int width;
  std::function<std::string(const BenchRow&)> text;
};

void print_line(const std::vector<Column>& columns, const std::function<std::string(const Column&)>& text) {
  for (const Column& column : columns) std::printf("| %*s ", -column.width, text(column).c_str());
  std::printf("|\n");
  std::fflush(stdout);
}

std::vector<Column> columns_for(const std::string& suite, bool on_cuda) {
  const auto optional = [](const char* format, double value) {
    return value > 0 ? number(format, value) : std::string();
  };
  const auto percent = [](double share) { return number("%.1f%%", 100 * share); };
  std::vector<Column> columns = {{"name", 32, [](const BenchRow& row) { return row.name; }},
                                 {"shape", 44, [](const BenchRow& row) { return row.shape; }}};
  if (on_cuda)
    columns.push_back({"launches", -8, [](const BenchRow& row) { return std::to_string(row.launches); }});
  else
    columns.push_back({"threads", -7, [](const BenchRow& row) { return std::to_string(row.threads); }});
  if (on_cuda && suite == "step")
    columns.push_back(
        {"in a row", -8, [](const BenchRow& row) { return std::to_string(row.critical_path); }});
  const char* const time = on_cuda && suite == "kernels" ? "%.4f" : "%.3f";
  columns.push_back({"ms", 27, [=](const BenchRow& row) {
                       return number(time, row.median_ms) + " [" + number(time, row.lower_ms) + ", " +
                              number(time, row.upper_ms) + "]";
                     }});
  columns.push_back({"GFLOP", -9, [=](const BenchRow& row) { return optional("%.4g", row.gflop); }});
  if (!on_cuda) {
    columns.push_back({"GFLOP/s", -9, [=](const BenchRow& row) { return optional("%.1f", row.gflops); }});
    columns.push_back({"of peak", -7, [=](const BenchRow& row) { return percent(row.peak_fraction); }});
    return columns;
  }
  columns.push_back({"TFLOP/s", -9, [=](const BenchRow& row) { return optional("%.2f", row.gflops / 1e3); }});
  columns.push_back({"of products' peak", -17, [=](const BenchRow& row) {
                       return row.gflop > 0 ? percent(row.peak_fraction) : std::string();
                     }});
  if (suite == "kernels") {
    columns.push_back(
        {"GB/s", -9, [=](const BenchRow& row) { return optional("%.1f", row.gigabytes_per_second); }});
    columns.push_back({"of a copy", -9, [=](const BenchRow& row) {
                         return row.gigabytes > 0 ? percent(row.bandwidth_fraction) : std::string();
                       }});
    columns.push_back({"bound by", 10, [](const BenchRow& row) { return row.bound; }});
  }
  if (suite == "action") columns.push_back({"how", 46, [](const BenchRow& row) { return row.method; }});
  return columns;
}

void print_head(const BenchTarget& target, const std::vector<Column>& columns) {
  std::printf("r2pac %s (%s)\n", kVersion, kCommit);
  if (!target.on_cuda()) {
    std::printf(
        "instruction set %s, dense layers %s; %% of the peak measured around each row (arithmetic, or\n"
        "bandwidth where no GFLOP is given); median [quartiles] of undisturbed trials\n\n",
        isa_name(current_isa()), dense<float>().name().c_str());
  } else if (target.timed()) {
    std::printf(
        "%s; %% of a square product of 4096, %.1f TFLOP/s, and of a copy of 256 MiB in the\n"
        "device's memory, %.0f GB/s, both measured in this process; median [quartiles] of the trials\n\n",
        target.device->description().c_str(), measure_peak_gflops(target) / 1e3, measure_bandwidth(target));
  } else {
    std::printf("%s: shapes are small and times mean nothing; launches are those of the full size\n\n",
                target.device->description().c_str());
  }
  print_line(columns, [](const Column& column) { return column.title; });
  for (const Column& column : columns)
    std::printf("|%s%s", std::string(static_cast<std::size_t>(std::abs(column.width)) + 1, '-').c_str(),
                column.width < 0 ? ":" : "-");
  std::printf("|\n");
}

struct BenchOptions {
  std::string suite = "step";  ///< step, action or kernels
  std::string policy;          ///< of `action`: a policy instead of networks of the full size
  ActingFlags acting;          ///< how it acts
  DeviceFlags device{"cpu", 1, Precision::fp32};
  bool json = false;
};

int run_bench(const BenchOptions& options) {
  if (!options.policy.empty() && options.suite != "action")
    throw Error(ExitCode::usage, "a policy has actions alone", "--policy",
                "give the suite action, or leave it out");
  const BenchTarget target{open_device(options.device), options.device.precision};
  const bool on_cuda = target.on_cuda();
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  const std::vector<Column> columns = columns_for(options.suite, on_cuda);
  if (!options.json) print_head(target, columns);
  const RowSink sink = [&](const BenchRow& row) {
    if (options.json)
      rows.push_back(to_json(row, on_cuda));
    else
      print_line(columns, [&](const Column& column) { return column.text(row); });
  };
  if (options.suite == "step") bench_steps(target, sink);
  if (options.suite == "action" && options.policy.empty()) bench_actions(target, sink);
  if (!options.policy.empty()) {
    const Policy policy = Policy::load(options.policy, target.device);
    bench_policy(policy, acting_settings(policy, options.acting), target, sink);
  }
  if (options.suite == "kernels") bench_kernels(target, sink);
  if (options.json) {
    nlohmann::ordered_json all = {{"version", kVersion}, {"commit", kCommit}, {"suite", options.suite}};
    if (on_cuda) {
      all["device"] = target.device->description();
      all["precision"] = precision_name(options.device.precision);
      all["timed"] = target.timed();
      all["peak_gflops"] = measure_peak_gflops(target);
      all["copy_gigabytes_per_second"] = measure_bandwidth(target);
    } else {
      all["instruction_set"] = isa_name(current_isa());
      all["dense_layers"] = dense<float>().name();
    }
    all["rows"] = rows;
    std::printf("%s\n", all.dump(2).c_str());
  }
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  const auto [verb, options] =
      add_verb(app, action, run_bench, "bench", "Measure speed as a share of this machine's peak",
               "r2pac bench step --threads 1");
  verb->add_option("suite", options->suite, "step, action or kernels")
      ->required()
      ->check(CLI::IsMember({"step", "action", "kernels"}));
  verb->add_option("--policy", options->policy,
                   "Of action: a run folder or policy file instead of networks of the full size");
  add_acting_flags(*verb, options->acting);
  add_device_flags(*verb, options->device);
  verb->add_flag("--json", options->json, "Print one JSON object");
}

}  // namespace r2pac
