// The answers of finished networks for every window of a data set. Labels, the end of the region and
// `r2pac values` use them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/dataset.h"
#include "model/recorder.h"
#include "policy/policy.h"

namespace r2pac {

/// Values by name, one entry per window in the order of the starts.
template <class T>
using WindowColumns = std::vector<std::pair<std::string, std::vector<T>>>;

/// The values of that name, which there must be.
template <class T>
const std::vector<T>& column_of(const WindowColumns<T>& columns, const std::string& name) {
  for (const auto& column : columns)
    if (column.first == name) return column.second;
  throw InvalidArgument("there are no values `" + name + "` of windows");
}

/// Records the wanted values of a batch by name, each [1, B, 1].
template <class T>
using RecordColumns = std::function<std::vector<std::pair<std::string, Tensor<T>>>(Recorder<T>&)>;

/// Called before each batch with how many windows of how many are done. True stops.
using BetweenBatches = std::function<bool(std::size_t done, std::size_t total)>;

/// Evaluates all windows of the inputs' source, `settings.batch` at a time. If `stop` says so between
/// batches, nothing is returned.
template <class T>
WindowColumns<T> evaluate_windows(RecorderInputs<T> inputs, std::shared_ptr<Device> device,
                                  const RecordColumns<T>& record, const BetweenBatches& stop = {});

/// Throws Error(data) where the data's observations or actions have other widths than the policy's.
void require_widths(const Policy& policy, const Dataset& dataset);

/// What the policy's method says of every window of the data, held out or not, in the order of
/// window_starts(): values by name, each one entry per window; nothing if `stop` ended it. The policy's own
/// normalisation applies. Throws Error: data where widths differ, usage for a method that says nothing of
/// windows.
WindowColumns<float> inspect_windows(const Policy& policy, const Dataset& dataset,
                                     const BetweenBatches& stop = {});

}  // namespace r2pac
