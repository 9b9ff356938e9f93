// A policy as a program uses it: options that may change, a place in the episodes, calls from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "policy/policy.h"

namespace r2pac::python {

/// Which decision a row is: the noise of a decision is a function of (seed, step, episode), as in
/// `r2pac eval`, which plans anew at every step.
struct Decisions {
  std::span<const std::int64_t> episodes;  ///< [n] >= 0; empty: one after the other from the current one
  std::span<const std::int64_t> steps;     ///< [n] >= 0; empty: the current one, which then moves on by one
  std::span<const double> spent;           ///< [n] cost of each episode so far; empty: nobody counts it
};

class ActingPolicy {
 public:
  /// Throws Error as Policy::load.
  ActingPolicy(const std::filesystem::path& path, std::shared_ptr<Device> device);

  const Policy& policy() const { return policy_; }
  SamplerOptions options() const;
  /// The policy's settings with those of the stage `acting` and the cost limit as they are now.
  Settings settings() const;
  std::uint64_t seed() const;

  /// Changes settings of the stage `acting`, by key and text, and the cost limit if one is given, as `r2pac
  /// eval
  /// --cost-limit` does. Throws Error(usage) for another key or a value out of range; then nothing is
  /// changed.
  void configure(const std::vector<std::pair<std::string, std::string>>& changes,
                 std::optional<double> cost_limit = {});

  /// Step 0 of an episode: of the given one; or else of episode 0 if a seed is given; or else of the next
  /// one, which at first is episode 0. Throws InvalidArgument for a number below 0.
  void reset(std::optional<std::int64_t> seed, std::optional<std::int64_t> episode);

  /// Chunks [n, hA] for observations [n, S]. Throws InvalidArgument for lengths or numbers out of range.
  void act(std::span<const float> observations, const Decisions& decisions, std::span<float> chunks);

  /// Q_r and Q_c of chunks [n, hA] (all three may be empty), V_r and V_c of observations [n, S]; each [n].
  /// spent [n]: cost of each episode so far, which counts where networks see a budget; empty: nobody counts
  /// it.
  void score(std::span<const float> observations, std::span<const float> chunks,
             std::span<const double> spent, std::span<float> q_reward, std::span<float> q_cost,
             std::span<float> v_reward, std::span<float> v_cost);

 private:
  mutable std::mutex mutex_;
  Policy policy_;
  Settings settings_;
  std::unique_ptr<Sampler<float>> sampler_;
  std::uint64_t seed_ = 0, step_ = 0;
  std::int64_t episode_ = 0;
  bool begun_ = false;
};

}  // namespace r2pac::python
