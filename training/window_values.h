// What finished networks say of every window of a data set: for labels, for the end of the region, for `r2pac
// values`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/recorder.h"

namespace r2pac {

/// Values by name, one entry per window in the order of the starts.
template <class T>
using WindowColumns = std::vector<std::pair<std::string, std::vector<T>>>;

/// Records what is wanted of a batch, [1, B, 1] each, by name.
template <class T>
using RecordColumns = std::function<std::vector<std::pair<std::string, Tensor<T>>>(Recorder<T>&)>;

/// Evaluates all windows of the inputs' source, `settings.batch` at a time. `stop` is asked between batches;
/// true ends early, and nothing is returned.
template <class T>
WindowColumns<T> evaluate_windows(RecorderInputs<T> inputs, std::shared_ptr<Device> device,
                                  const RecordColumns<T>& record, const std::function<bool()>& stop = {});

}  // namespace r2pac
