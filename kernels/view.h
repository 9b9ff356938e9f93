// How kernels see a tensor: rows of an ensemble's matrices.
#pragma once

#include <cstddef>

#include "base/host_device.h"

namespace r2pac {

/// Element (net, r, c) is data[net * net_stride + r * cols + c]. nets, rows, cols >= 1.
template <class T>
struct View {
  T* data = nullptr;
  std::size_t net_stride = 0;
  int nets = 1, rows = 0, cols = 0;

  /// First value of member `index`; a tensor that all members share (nets = 1) serves each of them.
  R2_HD T* net(int index) const {
    return data + (nets == 1 ? 0 : static_cast<std::size_t>(index) * net_stride);
  }
  R2_HD T* row(int r) const { return data + static_cast<std::size_t>(r) * static_cast<std::size_t>(cols); }
  R2_HD T* row(int index, int r) const {
    return net(index) + static_cast<std::size_t>(r) * static_cast<std::size_t>(cols);
  }
};

/// Weight of row r: 1 where there are no weights [1, rows, 1].
template <class T>
R2_FORMULA T weight_of(const View<T>& weights, int r) {
  return weights.data != nullptr ? weights.row(r)[0] : T(1);
}

/// A number for each row, or one for all rows.
template <class T>
struct PerRow {
  const T* values = nullptr;
  int step = 0;  ///< from a row's number to the next one's; 0: the first serves all
  R2_FORMULA T at(int r) const { return values[static_cast<std::ptrdiff_t>(r) * step]; }
};

/// One of several contributions to a gradient: the first overwrites.
template <class T>
R2_FORMULA void contribute(T& gradient, T value, bool add) {
  gradient = add ? gradient + value : value;
}

/// Where a run stands, over all its stages. Kernels read it, so that a replayed recording sees the current
/// step. Between steps both counts are equal; a device whose steps overlap begins one before it completes
/// another.
struct StepState {
  unsigned long long step = 0;            ///< of the step under way, from 0; what is drawn in it is by this
  unsigned long long completed = 0;       ///< gradient steps, as optimisers count them
  unsigned long long first_bad_step = 0;  ///< the first whose losses or gradients were not finite; 0: none
};

}  // namespace r2pac
