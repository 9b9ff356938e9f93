#include <cstdio>

#include "base/error.h"
#include "base/processors.h"
#include "bench/suites.h"
#include "storage/atomic_file.h"
#include "tools/acting.h"
#include "tools/bench_output.h"
#include "tools/bench_rivals.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

struct BenchOptions {
  std::string suite = "step";      ///< step, action, kernels, peak, rivals, or compare
  std::vector<std::string> files;  ///< of compare: before, after
  std::string policy;              ///< of `action`: a policy instead of networks of the full size
  ActingFlags acting;              ///< how it acts
  DeviceFlags device{"cpu", 1, Precision::fp32};
  std::string filter, out;
  int trials = 31;
  double seconds = 60, percent = 5;
  SettingsRequest shape;            ///< of step and action: what to measure instead of their own list
  Dimensions dimensions{72, 2, 0};  ///< with it; the chunk is the settings'
  bool json = false, sized = false;

  bool shaped() const { return sized || !shape.flags.empty() || !shape.preset.empty(); }
};

Error refused(const std::string& what, const std::string& where, const std::string& todo) {
  return {ExitCode::usage, what, where, todo};
}

void require_consistent(const BenchOptions& options) {
  const bool compares = options.suite == "compare";
  if (compares != !options.files.empty() || (compares && options.files.size() != 2))
    throw refused(compares ? "two files are compared" : "only compare takes files", "files",
                  "r2pac bench compare BEFORE.json AFTER.json");
  if (!options.policy.empty() && options.suite != "action")
    throw refused("a policy has actions alone", "--policy", "give the suite action, or leave it out");
  if (options.shaped() && ((options.suite != "step" && options.suite != "action") || !options.policy.empty()))
    throw refused("sizes are chosen for step, and for action without a policy", "sizes", "leave them out");
  if (options.acting.given() && options.suite != "action")
    throw refused("how a policy acts is chosen for action alone", options.suite, "leave it out");
  if ((options.suite == "peak" || options.suite == "rivals") &&
      (options.device.device != "cpu" || options.device.precision != Precision::fp32))
    throw refused(options.suite + " measures the CPU in each precision", "--device, --precision",
                  "leave them out");
}

void run_suite(const BenchOptions& options, const BenchTarget& target, const RowSink& sink) {
  if (options.suite == "kernels") return bench_kernels(target, sink);
  if (options.suite == "peak") return bench_peaks(target, sink);
  if (!options.policy.empty()) {
    const Policy policy = Policy::load(options.policy, target.device);
    return bench_policy(policy, acting_settings(policy, options.acting), target, sink);
  }
  if (!options.shaped() && !options.acting.given())
    return options.suite == "step" ? bench_steps(target, sink) : bench_actions(target, sink);
  Settings settings = resolve_settings(options.shape).values;
  Dimensions dimensions = options.dimensions;
  dimensions.chunk_length = settings.chunk_length;
  if (options.suite == "step") return bench_step_of(settings, dimensions, target, sink);
  change_acting(settings, options.acting);
  if (settings.method != "r2pac")
    throw refused("without a policy, actions are those of r2pac", "--method",
                  "give a trained one by --policy");
  bench_action_of(settings, dimensions, target, sink);
}

int run_bench(const BenchOptions& options) {
  require_consistent(options);
  if (options.suite == "compare") {
    const bool slower = compare_benches(options.files[0], options.files[1], options.percent);
    return static_cast<int>(slower ? ExitCode::slower : ExitCode::ok);
  }
  require_output(options.out);
  if (options.suite == "rivals")
    run_rivals({thread_count(options.device.threads, "--threads"), options.trials, options.seconds,
                options.filter, options.out, options.json});
  BenchTarget target{open_device(options.device), options.device.precision};
  target.filter = options.filter;
  target.trials = options.trials;
  target.limit_seconds = options.seconds;
  const BenchFacts facts = bench_facts(options.suite, target);
  std::string table = bench_head(facts);
  const auto show = [&](const std::string& text) {
    if (options.json) return;
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  };
  show(table);
  std::vector<BenchRow> rows;
  run_suite(options, target, [&](const BenchRow& row) {
    if (!target.wants(row)) return;
    rows.push_back(row);
    const std::string line = bench_line(facts, row);
    show(line);
    table += line;
  });
  if (rows.empty())
    throw refused("no row of the suite has this in its NAME: SHAPE", "--filter " + options.filter,
                  "leave --filter out to see all");
  if (options.json) std::fputs(bench_json(facts, rows).c_str(), stdout);
  if (options.out.ends_with(".json")) write_file_atomically(options.out, bench_json(facts, rows));
  if (options.out.ends_with(".csv")) write_file_atomically(options.out, bench_csv(facts, rows));
  if (options.out.ends_with(".md")) write_file_atomically(options.out, table);
  return 0;
}

void add_sizes(CLI::App& verb, BenchOptions& options) {
  OptionGroup group(verb, "Sizes to measure, instead of the suite's own list");
  const auto setting = [&](const char* name, const char* key, const char* description) {
    verb.add_option_function<std::string>(
        name, [&options, key](const std::string& text) { options.shape.flags.emplace_back(key, text); },
        description);
  };
  setting("--method", "method", "Of step: the method whose gradient step is measured");
  verb.add_option("--preset", options.shape.preset, "Of step: sizes for a purpose, as quick or mini");
  setting("--hidden", "hidden", "Widths of the hidden layers, as 512,512,512,512");
  setting("--batch", "batch", "Windows per step");
  setting("--chunk-length", "chunk_length", "Actions per chunk");
  const auto width = [&](const char* name, int& value, const char* description) {
    verb.add_option_function<int>(
            name, [&options, &value](const int& given) { value = given, options.sized = true; }, description)
        ->check(CLI::Range(1, 65536));
  };
  width("--observation", options.dimensions.observation, "Numbers of an observation (72)");
  width("--action", options.dimensions.action, "Numbers of an action (2)");
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  const auto [verb, options] =
      add_verb(app, action, run_bench, "bench", "Measure speed as a share of this machine's peak",
               "r2pac bench step --threads 1 -o before.json");
  verb->add_option(
          "suite", options->suite,
          "step, action, kernels or peak; rivals: the same work by PyTorch and JAX beside this program; "
          "or compare, with two files that -o wrote: exit status 1 if a row is slower")
      ->required()
      ->check(CLI::IsMember({"step", "action", "kernels", "peak", "rivals", "compare"}));
  verb->add_option("files", options->files, "Of compare: the file before and the one after");
  verb->add_option("--filter", options->filter, "Only rows with this text in NAME: SHAPE");
  verb->add_option("--trials", options->trials, "Undisturbed trials that a row should have")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  verb->add_option("--seconds", options->seconds, "After which a row takes no further trial")
      ->check(number_in(0, 1e6))
      ->capture_default_str();
  verb->add_option("--percent", options->percent, "Of compare: growth of the median that counts as slower")
      ->check(number_in(0, 1e6))
      ->capture_default_str();
  verb->add_option("-o,--out", options->out, "File to write, too: .md, .csv or .json")
      ->check(ends_in({".md", ".csv", ".json"}));
  verb->add_flag("--json", options->json, "Print one JSON object instead of the table");
  verb->add_option("--policy", options->policy,
                   "Of action: a run folder or policy file instead of networks of the full size");
  add_sizes(*verb, *options);
  add_acting_flags(*verb, options->acting);
  add_device_flags(*verb, options->device);
}

}  // namespace r2pac
