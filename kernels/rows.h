// Small row operations that the engine's operations share, and one gradient that sums over rows.
#pragma once

#include "base/host_device.h"
#include "kernels/view.h"

namespace r2pac {

/// to(k, r, first_column + c) = from(k, r, c), for each of to.nets members.
template <class T>
struct CopyColumns {
  View<T> from, to;
  int first_column;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int k = 0; k < to.nets; ++k)
      for (int c = lane; c < from.cols; c += lanes) to.row(k, r)[first_column + c] = from.row(k, r)[c];
  }
};

/// d_from(k, r, c) = d_to(k, r, first_column + c), or += if `accumulate`: the gradient of CopyColumns.
template <class T>
struct CopyColumnsGradient {
  View<T> d_to;
  int first_column;
  View<T> d_from;
  bool accumulate;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int k = 0; k < d_from.nets; ++k) {
      T* out = d_from.row(k, r);
      const T* in = d_to.row(k, r) + first_column;
      for (int c = lane; c < d_from.cols; c += lanes) contribute(out[c], in[c], accumulate);
    }
  }
};

/// out(r) = table(label(r)): table [labels, cols], label [1, rows, 1] holding whole numbers in range.
template <class T>
struct Embed {
  const T* table;
  View<T> label, out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const T* from = table + static_cast<std::size_t>(label.row(r)[0]) * static_cast<std::size_t>(out.cols);
    for (int c = lane; c < out.cols; c += lanes) out.row(r)[c] = from[c];
  }
};

/// x = 0.
template <class T>
struct Zero {
  View<T> x;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int k = 0; k < x.nets; ++k)
      for (int c = lane; c < x.cols; c += lanes) x.row(k, r)[c] = T(0);
  }
};

/// The member with the least or greatest x(k, r), the first of equal ones.
template <class T>
R2_FORMULA int extreme_member(const View<T>& x, bool maximum, int r) {
  int chosen = 0;
  T best = x.row(0, r)[0];
  for (int k = 1; k < x.nets; ++k) {
    const T candidate = x.row(k, r)[0];
    if (!(maximum ? best < candidate : candidate < best)) continue;
    best = candidate;
    chosen = k;
  }
  return chosen;
}
/// out(r) = min or max over the members of x(k, r): [nets, rows, 1] -> [1, rows, 1].
template <class T>
struct EnsembleExtreme {
  View<T> x;
  bool maximum;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    out.row(r)[0] = x.row(extreme_member(x, maximum, r), r)[0];
  }
};
/// d_x(k, r) = d_out(r) for the member k that was chosen, 0 for the others; or += if `accumulate`.
template <class T>
struct EnsembleExtremeGradient {
  View<T> x;
  bool maximum;
  View<T> d_out, d_x;
  bool accumulate;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const int chosen = extreme_member(x, maximum, r);
    for (int k = 0; k < x.nets; ++k)
      contribute(d_x.row(k, r)[0], k == chosen ? d_out.row(r)[0] : T(0), accumulate);
  }
};

/// d_table [labels, cols]: for each label, the sum of d_out over its rows in ascending order, plus what it
/// held if `accumulate`.
template <class T>
void embed_backward(const View<T>& label, const View<T>& d_out, int labels, T* d_table,
                    bool accumulate = false);

}  // namespace r2pac
