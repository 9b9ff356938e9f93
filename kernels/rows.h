// Small row operations that the engine's operations share, and one gradient that sums over rows.
#pragma once

#include "base/host_device.h"
#include "base/philox.h"
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

/// out = a + b, all of one shape.
template <class T>
struct Sum {
  View<T> a, b, out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int k = 0; k < out.nets; ++k) {
      R2_ROLLED
      for (int c = lane; c < out.cols; c += lanes) out.row(k, r)[c] = a.row(k, r)[c] + b.row(k, r)[c];
    }
  }
};

/// out = a * b for out's members, all of one shape; or += if `accumulate`.
template <class T>
struct Product {
  View<T> a, b, out;
  bool accumulate = false;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int k = 0; k < out.nets; ++k) {
      R2_ROLLED
      for (int c = lane; c < out.cols; c += lanes)
        contribute(out.row(k, r)[c], a.row(k, r)[c] * b.row(k, r)[c], accumulate);
    }
  }
};

/// factor(k, r, c) = 0 with probability `dropped`, else 1 / (1 - dropped). Random: (seed; dropout, step,
/// first_row + r, lane), where the numbers of member k's columns begin at lane 2^20 * which + 4 * k *
/// ceil(cols / 4).
template <class T>
struct DrawDropout {
  unsigned long long seed;
  const StepState* state;
  int first_row, which;
  float dropped;
  View<T> factor;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const T kept = static_cast<T>(1.0f / (1.0f - dropped));
    const int blocks = (factor.cols + 3) / 4;
    for (int b = lane; b < factor.nets * blocks; b += lanes) {
      const Words4 words =
          random_words(seed, Purpose::dropout, state->step, static_cast<std::uint32_t>(first_row + r),
                       (static_cast<std::uint32_t>(which) << 18) + static_cast<std::uint32_t>(b));
      T* const out = factor.row(b / blocks, r);
      const int first = b % blocks * 4;
      for (int c = first; c < first + 4 && c < factor.cols; ++c)
        out[c] = unit_interval(word_at(words, static_cast<std::uint32_t>(c - first))) < dropped ? T(0) : kept;
    }
  }
};

/// out(r) = values [cols] for each row r.
template <class T>
struct Broadcast {
  const T* values;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int c = lane; c < out.cols; c += lanes) out.row(r)[c] = values[c];
  }
};

/// out(r, c) = value.
template <class T>
struct Fill {
  T value;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int c = lane; c < out.cols; c += lanes) out.row(r)[c] = value;
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

/// sum [cols]: the sum of d [1, rows, cols] over rows in ascending order, plus what it held if `accumulate`.
template <class T>
void sum_rows(const View<T>& d, T* sum, bool accumulate);

}  // namespace r2pac
