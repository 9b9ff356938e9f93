#include <cstdio>
#include <sstream>

#include "base/error.h"
#include "data/dataset.h"
#include "model/learner.h"
#include "model/policy.h"
#include "model/text_value.h"
#include "model/window_values.h"
#include "storage/atomic_file.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

struct ValuesOptions {
  std::string policy, data, out;
  DeviceFlags device;
};

int run_values(const ValuesOptions& options) {
  const Policy policy = Policy::load(options.policy, open_device(options.device));
  const Settings& settings = policy.settings();
  const Dataset dataset = load_dataset(options.data, settings.pad_terminals ? settings.chunk_length : 1);
  if (dataset.observation_dim != policy.dimensions().observation ||
      dataset.action_dim != policy.dimensions().action)
    throw Error(ExitCode::data,
                "the data have observations of " + std::to_string(dataset.observation_dim) +
                    " and actions of " + std::to_string(dataset.action_dim) + " numbers, the policy " +
                    std::to_string(policy.dimensions().observation) + " and " +
                    std::to_string(policy.dimensions().action),
                options.data, "give data of the policy's task");
  // The policy's own normalisation applies, whatever the statistics of these data.
  Settings plain = settings;
  plain.normalize_observations = false;
  Dataset seen = dataset;
  const auto s = static_cast<std::size_t>(dataset.observation_dim);
  for (std::size_t i = 0; i < seen.observations.size(); ++i)
    seen.observations[i] = (seen.observations[i] - policy.networks().observation_mean[i % s]) *
                           policy.networks().observation_scale[i % s];
  const TrainingData<float> data(seen, plain, *policy.device());
  const WindowValues<float> values =
      evaluate_windows(plain, policy.networks(), data.source(), policy.device());
  const std::vector<std::uint8_t> labels = label_windows(values, static_cast<float>(policy.threshold()));
  const std::vector<std::uint32_t> starts =
      window_starts(dataset, settings.chunk_length, settings.pad_terminals);

  std::string csv = "episode,step,v_r,v_c,q_r,q_c,label,safe\n";
  std::size_t safe = 0, good = 0, episode = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    while (episode + 1 < dataset.episodes.size() &&
           dataset.episodes[episode + 1].first <= static_cast<std::int64_t>(starts[i]))
      ++episode;
    const bool is_safe = static_cast<double>(values.v_cost[i]) <= policy.threshold();
    safe += is_safe;
    good += labels[i] == kLabelGood;
    csv += std::to_string(episode) + "," + std::to_string(starts[i] - dataset.episodes[episode].first) + "," +
           format_number(values.v_reward[i]) + "," + format_number(values.v_cost[i]) + "," +
           format_number(values.q_reward[i]) + "," + format_number(values.q_cost[i]) + "," +
           (labels[i] == kLabelGood ? "1" : "0") + "," + (is_safe ? "1" : "0") + "\n";
  }
  write_file_atomically(options.out, csv);
  const double n = static_cast<double>(starts.size());
  std::printf("%zu windows: %.1f %% safe (V_c <= %s), %.1f %% labelled good -> %s\n", starts.size(),
              100 * static_cast<double>(safe) / n,
              format_number(static_cast<float>(policy.threshold())).c_str(),
              100 * static_cast<double>(good) / n, options.out.c_str());
  std::printf("kappa %s in episodes of %lld steps is a value of %.3g (Eq. 42)\n",
              format_number(settings.cost_limit).c_str(), static_cast<long long>(data.longest_episode()),
              limit_as_value(settings, data.longest_episode()));
  return 0;
}

}  // namespace

void add_values(CLI::App& app, Action& action) {
  const auto [verb, options] = add_verb(app, action, run_values, "values",
                                        "Write v_r, v_c, q_r, q_c, label and safety of every window",
                                        "r2pac values runs/ball --data FILE.hdf5 -o values.csv");
  verb->add_option("policy", options->policy, "Run folder or policy.safetensors")->required();
  verb->add_option("--data", options->data, "DSRL file (HDF5)")->required();
  verb->add_option("-o,--out", options->out, "CSV file to write")->required();
  add_device_flags(*verb, options->device);
}

}  // namespace r2pac
