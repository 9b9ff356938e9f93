// A trained policy in one file: everything that acting needs, and an example that proves a loader right.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "model/learner.h"
#include "model/sampler.h"

namespace r2pac {

/// The policy of a run, ready to act. docs/formats.md describes the file.
class Policy {
 public:
  /// Reads a policy file, or `policy.safetensors` of a run folder, into the device's memory, and checks on
  /// the CPU that it reproduces its own example. Throws Error(checkpoint).
  static Policy load(const std::filesystem::path& path, std::shared_ptr<Device> device);

  const std::filesystem::path& path() const { return path_; }
  const Settings& settings() const { return settings_; }
  const Dimensions& dimensions() const { return networks_->dimensions(); }
  /// The alpha-quantile l of V_c over the training data: a state is safe where V_c <= l.
  double threshold() const { return threshold_; }
  Networks<float>& networks() const { return *networks_; }
  const std::shared_ptr<Device>& device() const { return device_; }
  /// Sampler options as trained: flow steps, guidance scale, candidates, label "good".
  SamplerOptions sampler_options() const;

 private:
  Policy() = default;
  void check_example(const SafetensorsFile& file) const;

  std::filesystem::path path_;
  std::shared_ptr<Device> device_;
  Settings settings_;
  double threshold_ = 0;
  std::unique_ptr<Networks<float>> networks_;
};

/// Sampler options that the settings ask for.
SamplerOptions sampler_options(const Settings& settings);

/// Writes the learner's policy, atomically. Critics are stored as their Polyak targets, which acting uses.
/// Throws Error(disk).
void save_policy(const std::filesystem::path& path, Learner<float>& learner, const TrainingData<float>& data);

}  // namespace r2pac
