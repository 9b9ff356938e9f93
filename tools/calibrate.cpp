#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/counted.h"
#include "base/error.h"
#include "base/printable.h"
#include "storage/folder.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/training.h"
#include "tools/verbs.h"
#include "training/calibration.h"

namespace r2pac {
namespace {

struct CalibrateOptions {
  std::string policy, data, out;
  double miss_rate = 0.1;
  std::uint64_t seed = 0;
  DeviceFlags device;
};

int run_calibrate(const CalibrateOptions& options) {
  Policy policy = Policy::load(options.policy, open_device(options.device));
  const std::filesystem::path out = options.out.empty() ? policy.path() : std::filesystem::path(options.out);
  // The policy of a run folder is replaced, wherever a link of its name may lead.
  const Links links = options.out.empty() && out != options.policy ? Links::replace : Links::follow;
  require_output(out, {options.data}, links);
  std::optional<FolderLock> lock;  // what is replaced may be a run's, which goes on
  if (options.out.empty()) lock.emplace(out.has_parent_path() ? out.parent_path() : ".");
  const Dataset dataset = load_data(options.data, policy.settings());
  const std::vector<CalibrationUnit> units = calibration_units(policy, dataset, options.seed);
  Settings plain = policy.settings();
  plain.region_bound.reset();
  plain.bound_scale = 1;
  const double limit = policy.sampler_options(plain).threshold;
  std::printf("limit %.4g; kept aside: %s, one random chunk of each is judged\n", limit,
              counted(units.size(), "episode").c_str());
  std::size_t below = 0, covered = 0;
  for (const CalibrationUnit& u : units)
    if (u.q_cost <= limit) ++below, covered += u.realized <= limit;
  if (below > 0)
    std::printf(
        "as trained: of %zu chunks with Q_c <= %.4g the recorded episode went on within the limit in %zu "
        "(%.0f %%)\n",
        below, limit, covered, 100.0 * static_cast<double>(covered) / static_cast<double>(below));
  const std::optional<CalibratedBound> found = calibrated_bound(units, limit, options.miss_rate);
  if (!found) {
    std::printf(
        "no bound can promise %.0f %%: that takes %zu chunks below it and at most %.0f %% of misses among "
        "them; the policy stays as it is\n",
        100 * (1 - options.miss_rate), chunks_needed(options.miss_rate), 100 * options.miss_rate);
    return 0;
  }
  std::printf(
      "calibrated: region_bound %.4g; %zu of %zu chunks (%.0f %%) went on within the limit\n"
      "This speaks of episodes as they were recorded, not of what the policy will do.\n",
      found->bound, found->covered, found->chunks,
      100.0 * static_cast<double>(found->covered) / static_cast<double>(found->chunks));
  policy.set_region_bound(found->bound);
  std::fflush(stdout);
  policy.save(out, links);
  std::printf("written to %s\n", printable(out.string()).c_str());
  return 0;
}

}  // namespace

void add_calibrate(CLI::App& app, Action& action) {
  const auto [verb, options] =
      add_verb(app, action, run_calibrate, "calibrate",
               "Move what a policy calls safe by episodes that its training kept aside",
               "r2pac calibrate runs/ball --data FILE.hdf5");
  verb->add_option("policy", options->policy, "Run folder or policy.safetensors, trained with --hold-out")
      ->required();
  verb->add_option("--data", options->data, "DSRL file (HDF5) that it was trained on")->required();
  verb->add_option("--miss-rate", options->miss_rate,
                   "Greatest share of chunks called safe whose episode went on beyond the limit")
      ->capture_default_str()
      ->check(number_in(0.001, 0.5));
  add_seed(*verb, "--seed", options->seed, "Seed of the choice of chunks");
  add_output(*verb, "-o,--out", options->out, "Policy file to write (the policy itself if not given)");
  add_device_flags(*verb, options->device);
}

}  // namespace r2pac
