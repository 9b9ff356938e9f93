#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/suites.h"
#include "kernels/dense.h"
#include "kernels/isa.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

nlohmann::ordered_json to_json(const BenchRow& row) {
  nlohmann::ordered_json json = {{"name", row.name},         {"shape", row.shape},
                                 {"threads", row.threads},   {"median_ms", row.median_ms},
                                 {"lower_ms", row.lower_ms}, {"upper_ms", row.upper_ms},
                                 {"trials", row.trials},     {"gflop", row.gflop},
                                 {"gflops", row.gflops},     {"peak_fraction", row.peak_fraction}};
  if (row.gflop == 0) json["gigabytes"] = row.gigabytes;
  return json;
}

}  // namespace

int run_bench(const BenchOptions& options) {
  const std::shared_ptr<Device> device = open_device(options.device);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  if (!options.json) {
    std::printf(
        "instruction set %s, dense layers %s; %% of the peak measured around each row (arithmetic, or\n"
        "bandwidth where no GFLOP is given); median [quartiles] of undisturbed trials\n\n",
        isa_name(current_isa()), dense<float>().name().c_str());
    std::printf("| %-32s | %-44s | threads | %-27s | %9s | %9s | %7s |\n", "name", "shape", "ms", "GFLOP",
                "GFLOP/s", "of peak");
    std::printf("|%s|%s|--------:|%s|%s|%s|%s|\n", std::string(34, '-').c_str(), std::string(46, '-').c_str(),
                std::string(29, '-').c_str(), "----------:", "----------:", "--------:");
  }
  const RowSink sink = [&](const BenchRow& row) {
    if (options.json) {
      rows.push_back(to_json(row));
      return;
    }
    char times[64], count[32] = "", rate[32] = "";
    std::snprintf(times, sizeof times, "%.3f [%.3f, %.3f]", row.median_ms, row.lower_ms, row.upper_ms);
    if (row.gflop > 0) {
      std::snprintf(count, sizeof count, "%.4g", row.gflop);
      std::snprintf(rate, sizeof rate, "%.1f", row.gflops);
    }
    std::printf("| %-32s | %-44s | %7d | %-27s | %9s | %9s | %6.1f%% |\n", row.name.c_str(),
                row.shape.c_str(), row.threads, times, count, rate, 100 * row.peak_fraction);
    std::fflush(stdout);
  };
  if (options.suite == "step") bench_steps(device, sink);
  if (options.suite == "action") bench_actions(device, sink);
  if (options.suite == "kernels") bench_kernels(sink);
  if (options.json) {
    const nlohmann::ordered_json all = {{"suite", options.suite},
                                        {"instruction_set", isa_name(current_isa())},
                                        {"dense_layers", dense<float>().name()},
                                        {"rows", rows}};
    std::printf("%s\n", all.dump(2).c_str());
  }
  return 0;
}

}  // namespace r2pac
