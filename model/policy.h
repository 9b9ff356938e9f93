// A trained policy in one file: everything that acting needs, and an example that proves a loader right.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "model/learner.h"
#include "model/sampler.h"

namespace r2pac {

/// The policy of a run, ready to act. docs/formats.md describes the file.
class Policy {
 public:
  /// Reads a policy file, `policy.safetensors` of a run folder, or a checkpoint, into the device's memory. A
  /// policy file must reproduce its own example on the CPU. Throws Error(checkpoint).
  static Policy load(const std::filesystem::path& path, std::shared_ptr<Device> device);

  /// What the learner would act like now, in memory of its own. Critics are their Polyak targets, which
  /// acting uses. threshold  l, over the whole data set
  static Policy of(const Learner<float>& learner, const TrainingData<float>& data, double threshold);

  /// Writes the policy file, atomically. Throws Error(disk).
  void save(const std::filesystem::path& path) const;

  const std::filesystem::path& path() const { return path_; }
  const Settings& settings() const { return settings_; }
  const Dimensions& dimensions() const { return networks_->dimensions(); }
  /// The alpha-quantile l of V_c over the training data: a state is safe where V_c <= l.
  double threshold() const { return threshold_; }
  /// What a choice by region calls safe: the lesser of l and the cost limit as a value (Eq. 42), which early
  /// versions did not know.
  double region_threshold() const { return std::min(threshold_, value_limit_); }
  Networks<float>& networks() const { return *networks_; }
  const std::shared_ptr<Device>& device() const { return device_; }
  /// Gradient steps taken, of both phases together.
  std::uint64_t step() const { return step_; }
  /// Of the data that it was trained on.
  const std::string& data_fingerprint() const { return data_fingerprint_; }
  /// Sampler options as trained: flow steps, guidance scale, candidates, label "good", selection, the
  /// region's threshold.
  SamplerOptions sampler_options() const;

 private:
  Policy() = default;
  void read_value_limit(const SafetensorsFile& file);
  void read_policy(const SafetensorsFile& file);
  void read_checkpoint(const SafetensorsFile& file);
  void check_example(const SafetensorsFile& file) const;

  std::filesystem::path path_;
  std::shared_ptr<Device> device_;
  Settings settings_;
  double threshold_ = 0;
  double value_limit_ = std::numeric_limits<double>::infinity();
  std::uint64_t step_ = 0;
  std::string data_fingerprint_;
  std::vector<float> example_observation_;  // [S]
  std::unique_ptr<Networks<float>> networks_;
};

}  // namespace r2pac
