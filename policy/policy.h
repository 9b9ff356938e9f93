// A trained policy in one file: everything that acting needs, and an example by which a loader can be
// checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acting/policy_sampler.h"
#include "model/method.h"
#include "storage/safetensors.h"

namespace r2pac {

/// A method's numbers beside its weights, by name.
using Scalars = std::map<std::string, double>;

/// What a policy in memory is made of, beside the weights of its networks.
struct PolicyParts {
  std::shared_ptr<Device> device;
  Settings settings;
  Dimensions dimensions;
  Method<float> method;
  Scalars scalars;                    ///< those of the method, over the whole data set
  std::optional<double> value_limit;  ///< the cost limit as a value (Eq. 42)
  std::uint64_t step = 0;             ///< gradient steps taken, of all stages together
  std::string data_fingerprint;
  std::vector<float> example_observation;  ///< [S], of the data
  Normalization<float> normalization;
};

/// The policy of a run, ready to act. docs/formats.md describes the file.
class Policy {
 public:
  /// Reads a policy file, `policy.safetensors` of a run folder, or a checkpoint, into the device's memory. A
  /// policy file must reproduce its own example on the CPU. Throws Error(checkpoint), for a run that is not
  /// finished with its newest checkpoint.
  static Policy load(const std::filesystem::path& path, std::shared_ptr<Device> device);

  /// The policy of these parts with the weights of `networks`, in memory of its own. Its critics are the
  /// Polyak averages, unless its method acts by the networks themselves.
  static Policy of(const PolicyParts& parts, const Networks<float>& networks);

  /// Replaces what a choice by region calls safe.
  void set_region_bound(double bound) { settings_.region_bound = bound; }

  /// Writes the policy file, atomically. Throws DiskError.
  void save(const std::filesystem::path& path, Links links = Links::follow) const;

  const std::filesystem::path& path() const { return path_; }
  const Settings& settings() const { return settings_; }
  const Method<float>& method() const { return method_; }
  const Dimensions& dimensions() const { return dimensions_; }
  /// Whether the method has critics and values, by which chunks are scored and chosen.
  bool has_critics() const { return method_.acting.has_critics(); }
  /// The method's numbers beside its weights.
  const Scalars& scalars() const { return scalars_; }
  /// The end l of the safe region: a state is safe where V_c <= l. None for a method without a region.
  std::optional<double> region_end() const;
  /// The bound of a choice by region, unless the settings give another: the lesser of l and the cost limit as
  /// a value (Eq. 42). Files of early versions have no such limit.
  double region_bound() const;
  Networks<float>& networks() const { return *networks_; }
  const Normalization<float>& normalization() const { return normalization_; }
  const std::shared_ptr<Device>& device() const { return device_; }
  /// Gradient steps taken, of all stages together.
  std::uint64_t step() const { return step_; }
  /// Of the data that it was trained on.
  const std::string& data_fingerprint() const { return data_fingerprint_; }
  /// Tells the file that was read from others; empty for a policy in memory. See SafetensorsFile::checksum().
  const std::string& checksum() const { return checksum_; }

  /// Whether the policy acts for a cost limit that it is given: its region ends at the limit.
  bool acts_by_limit() const {
    return settings_.threshold == Threshold::limit && settings_.cost_limit > 0 && !settings_.region_bound;
  }
  /// How the policy acts with these settings, its own ones with other values of the stage `acting`, and
  /// another cost limit where its region goes by the limit.
  /// Throws Error(settings) for what its method cannot do.
  SamplerOptions sampler_options(const Settings& settings) const;
  SamplerOptions sampler_options() const { return sampler_options(settings_); }
  /// The settings of the stage `acting` that its actor does not read, when it acts with these.
  std::vector<std::string_view> unread_settings(const Settings& settings) const;
  /// Ready to act; the policy outlives it.
  Sampler<float> sampler(const SamplerOptions& options) const;

 private:
  explicit Policy(std::shared_ptr<Device> device) : device_(std::move(device)), proving_(cpu_device(1)) {}
  void make_networks(const Dimensions& dimensions);
  void read_value_limit(const SafetensorsFile& file);
  void read_policy(const SafetensorsFile& file);
  void read_checkpoint(const SafetensorsFile& file);
  std::size_t noise_rows(const SamplerOptions& options) const;
  void check_example(const SafetensorsFile& file) const;

  std::filesystem::path path_;
  // proving_: the CPU in fp32, on which a policy proves itself, whatever device it will act on: another one
  // may compute in a lower precision.
  std::shared_ptr<Device> device_, proving_;
  Settings settings_;
  Dimensions dimensions_;
  Method<float> method_;
  Scalars scalars_;
  std::optional<double> value_limit_;
  std::uint64_t step_ = 0;
  std::string data_fingerprint_;
  std::vector<float> example_observation_;  // [S]
  Normalization<float> normalization_;
  std::unique_ptr<Networks<float>> networks_;
  std::string checksum_;
};

}  // namespace r2pac
