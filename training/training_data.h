// A data set as the learner uses it: scaled, in the memory of the device, with the starts of its windows.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "acting/normalization.h"
#include "data/dataset.h"
#include "kernels/batch.h"
#include "kernels/critic.h"
#include "kernels/memory.h"
#include "model/recorder.h"

namespace r2pac {

template <class T>
class TrainingData {
 public:
  /// Scales rewards and costs, normalises observations if the settings say so, or as given, and copies
  /// everything into the memory of the device, which outlives them; the data set is not needed afterwards.
  /// Throws Error(data) when there is no window of chunk_length rows.
  TrainingData(const Dataset& dataset, const Settings& settings, Device& device,
               const Normalization<T>* given = nullptr);

  const WindowSource<T>& source() const { return source_; }
  /// The first window's state as the data file holds it, [S].
  std::vector<T> first_observation() const;
  Dimensions dimensions() const {
    return {source_.observation_dim, source_.action_dim, source_.chunk_length};
  }
  std::uint32_t windows() const { return source_.windows; }
  const std::string& fingerprint() const { return fingerprint_; }
  const DataFacts<T>& facts() const { return facts_; }
  const Normalization<T>& normalization() const { return normalization_; }

 private:
  Buffer<T> observations_, actions_, rewards_, costs_, continues_, initial_, observation_deviation_,
      action_deviation_;
  Buffer<std::uint32_t> starts_;
  WindowSource<T> source_;
  std::string fingerprint_;
  DataFacts<T> facts_;
  Normalization<T> normalization_;
};

/// The discounted sum of `values` [stored rows] from every row of each episode to its end, [stored rows].
std::vector<double> realized_sums(const Dataset& dataset, std::span<const float> values, double discount);

/// What each episode went on to cost from every row of its own, to its end: discounted and scaled, [stored
/// rows].
std::vector<double> realized_costs(const Dataset& dataset, const Settings& settings);

/// The episodes that are trained on: all that the settings do not keep aside, or of those the ones whose own
/// undiscounted cost, as the data have it, is within the cost limit. Throws Error(data) where none is.
std::vector<Episode> training_episodes(const Dataset& dataset, const Settings& settings);

/// How many rows after each episode the windows of these settings may reach into.
int closing_rows(const Settings& settings);
/// The data of a file with as many closing rows as the settings need. Throws as load_dataset does.
Dataset load_training_dataset(const std::string& path, const Settings& settings);

}  // namespace r2pac
