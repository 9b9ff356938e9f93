#include <cstdio>
#include <map>

#include "base/counted.h"
#include "base/error.h"
#include "base/printable.h"
#include "data/dataset.h"
#include "model/region.h"
#include "policy/policy.h"
#include "settings/text_value.h"
#include "storage/atomic_file.h"
#include "tools/bar.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/interruption.h"
#include "tools/training.h"
#include "tools/verbs.h"
#include "training/window_values.h"

namespace r2pac {
namespace {

struct ValuesOptions {
  std::string policy, data, out;
  DeviceFlags device;
};

int run_values(const ValuesOptions& options) {
  const Policy policy = Policy::load(options.policy, open_device(options.device));
  require_output(options.out, {options.data, policy.path()});
  const Settings& settings = policy.settings();
  const Dataset dataset = load_data(options.data, settings);
  const Interruption interruption;
  Progress progress("windows");
  const WindowColumns<float> columns =
      inspect_windows(policy, dataset, [&](std::size_t done, std::size_t all) {
        progress.update(done, all);
        return interruption.requested();
      });
  progress.clear();
  if (interruption.requested())
    interruption.end("stopped after " + progress.text() + "; " + options.out + " is not written");
  const std::vector<std::uint32_t> starts =
      window_starts(dataset, settings.chunk_length, settings.pad_terminals);

  std::string csv = "episode,step";
  for (const auto& column : columns) csv += "," + column.first;
  csv += "\n";
  std::map<std::string, double> share;  // of windows, for what is yes or no
  const std::vector<std::size_t> episode_of = window_episodes(dataset, starts);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t episode = episode_of[i];
    csv += std::to_string(episode) + "," + std::to_string(starts[i] - dataset.episodes[episode].first);
    for (const auto& [name, values] : columns) {
      const bool is_label = name == "label";  // as 1 (good) or 0 (bad), not as a row of the label table
      const float value = is_label ? (values[i] == static_cast<float>(kLabelGood) ? 1.0f : 0.0f) : values[i];
      csv += "," + format_number(value);
      if (is_label || name == "safe")
        share[name] += static_cast<double>(value) / static_cast<double>(starts.size());
    }
    csv += "\n";
  }
  std::printf("%s: %.1f %% safe (V_c <= %s)", counted(starts.size(), "window").c_str(), 100 * share["safe"],
              format_number(static_cast<float>(policy.region_end().value_or(0))).c_str());
  if (share.contains("label")) std::printf(", %.1f %% labelled good", 100 * share["label"]);
  std::printf(" -> %s\n", printable(options.out).c_str());
  std::fflush(stdout);
  write_file_atomically(options.out, csv);
  const std::int64_t longest = longest_episode(dataset.episodes);
  std::printf("kappa %s in episodes of %lld steps is a value of %.3g (Eq. 42)\n",
              format_number(settings.cost_limit).c_str(), static_cast<long long>(longest),
              limit_as_value(settings, longest));
  return 0;
}

}  // namespace

void add_values(CLI::App& app, Action& action) {
  const auto [verb, options] = add_verb(app, action, run_values, "values",
                                        "Write v_r, v_c, q_r, q_c, label and safety of every window",
                                        "r2pac values runs/ball --data FILE.hdf5 -o values.csv");
  verb->add_option("policy", options->policy, "Run folder or policy.safetensors")->required();
  verb->add_option("--data", options->data, "DSRL file (HDF5)")->required();
  add_output(*verb, "-o,--out", options->out, "CSV file to write")->required();
  add_device_flags(*verb, options->device);
}

}  // namespace r2pac
