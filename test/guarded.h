// A matrix surrounded by NaN: what a kernel writes beside its output shows, and what it reads beside its
// input spoils the result.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/philox.h"

namespace r2pac {

/// [rows, cols] with `gap` guard values after each row and `kBand` before and after everything.
template <class T>
class Guarded {
 public:
  static constexpr std::size_t kBand = 67;

  /// All NaN: an output.
  Guarded(int rows, int cols, int gap = 0)
      : rows_(rows),
        cols_(cols),
        stride_(static_cast<std::size_t>(cols + gap)),
        values_(2 * kBand + static_cast<std::size_t>(rows) * stride_, std::numeric_limits<T>::quiet_NaN()) {}
  /// Random numbers of both signs, normal, from `lane`: an input.
  static Guarded normal(int rows, int cols, int gap, std::uint64_t lane) {
    Guarded m(rows, cols, gap);
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < cols; ++c)
        m(r, c) = static_cast<T>(random_normal(17, Purpose::test, lane, static_cast<std::uint32_t>(r),
                                               static_cast<std::uint32_t>(c)));
    return m;
  }

  T* data() { return values_.data() + kBand; }
  const T* data() const { return values_.data() + kBand; }
  std::size_t stride() const { return stride_; }
  int rows() const { return rows_; }
  int cols() const { return cols_; }
  T& operator()(int r, int c) {
    return data()[static_cast<std::size_t>(r) * stride_ + static_cast<std::size_t>(c)];
  }
  T operator()(int r, int c) const {
    return data()[static_cast<std::size_t>(r) * stride_ + static_cast<std::size_t>(c)];
  }

  /// Whether every guard is still NaN.
  bool intact() const {
    std::size_t guards = 0;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const bool inside =
          i >= kBand && i < values_.size() - kBand && (i - kBand) % stride_ < static_cast<std::size_t>(cols_);
      if (!inside && ++guards && !std::isnan(values_[i])) return false;
    }
    return guards >= 2 * kBand;
  }

 private:
  int rows_, cols_;
  std::size_t stride_;
  std::vector<T> values_;
};

}  // namespace r2pac
