// Values of every window of a data set: for labels, for the final threshold, for `r2pac values`.
#pragma once

#include <functional>
#include <vector>

#include "engine/tape.h"
#include "kernels/batch.h"
#include "model/networks.h"
#include "model/settings.h"

namespace r2pac {

/// One entry per window, in the order of the starts.
template <class T>
struct WindowValues {
  std::vector<T> v_reward, v_cost;  ///< online V_r, V_c of the window's first state
  std::vector<T> q_reward, q_cost;  ///< least target Q_r and greatest target Q_c of the window
};

/// Evaluates all windows, `settings.batch` at a time. `stop` is asked between batches; true ends early with
/// what is there.
template <class T>
WindowValues<T> evaluate_windows(const Settings& settings, Networks<T>& networks,
                                 const WindowSource<T>& source, std::shared_ptr<Device> device,
                                 const std::function<bool()>& stop = {});

/// The label of each window under threshold l: kLabelGood or kLabelBad (PAPER.md, LABEL).
template <class T>
std::vector<std::uint8_t> label_windows(const WindowValues<T>& values, T threshold);

}  // namespace r2pac
