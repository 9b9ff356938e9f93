// A data set as the learner sees it: scaled, uploaded, with the starts of its windows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "kernels/batch.h"
#include "kernels/critic.h"
#include "kernels/memory.h"
#include "model/networks.h"
#include "model/settings.h"

namespace r2pac {

template <class T>
class TrainingData {
 public:
  /// Scales rewards and costs, normalises observations if the settings say so, and copies everything into
  /// the memory of the device, which outlives them; the data set is not needed afterwards.
  /// Throws Error(data) when there is no window of chunk_length rows.
  TrainingData(const Dataset& dataset, const Settings& settings, Device& device);

  const WindowSource<T>& source() const { return source_; }
  /// The first window's state as the data file holds it, [S].
  std::vector<T> first_observation() const;
  Dimensions dimensions() const {
    return {source_.observation_dim, source_.action_dim, source_.chunk_length};
  }
  std::uint32_t windows() const { return source_.windows; }
  const std::string& fingerprint() const { return fingerprint_; }
  /// Steps of the longest episode.
  std::int64_t longest_episode() const { return longest_episode_; }
  /// Least and greatest reward and cost of a step, scaled.
  Range<T> rewards() const { return reward_range_; }
  Range<T> costs() const { return cost_range_; }
  const std::vector<T>& observation_mean() const { return mean_; }
  const std::vector<T>& observation_scale() const { return scale_; }

 private:
  Buffer<T> observations_, actions_, rewards_, costs_, continues_;
  Buffer<std::uint32_t> starts_;
  WindowSource<T> source_;
  std::string fingerprint_;
  std::int64_t longest_episode_ = 0;
  Range<T> reward_range_, cost_range_;
  std::vector<T> mean_, scale_;
};

}  // namespace r2pac
