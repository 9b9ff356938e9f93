#include "kernels/rows.h"

#include <algorithm>

namespace r2pac {

template <class T>
void copy_columns(const View<T>& from, const View<T>& to, int first_column) {
  for (int k = 0; k < to.nets; ++k)
    for (int r = 0; r < to.rows; ++r) std::copy_n(from.row(k, r), from.cols, to.row(k, r) + first_column);
}

template <class T>
void copy_columns_backward(const View<T>& d_to, int first_column, const View<T>& d_from, bool accumulate) {
  for (int k = 0; k < d_from.nets; ++k)
    for (int r = 0; r < d_from.rows; ++r) {
      T* out = d_from.row(k, r);
      const T* in = d_to.row(k, r) + first_column;
      for (int c = 0; c < d_from.cols; ++c) out[c] = accumulate ? out[c] + in[c] : in[c];
    }
}

template <class T>
void embed(const T* table, const View<T>& label, const View<T>& out) {
  for (int r = 0; r < out.rows; ++r)
    std::copy_n(table + static_cast<std::size_t>(label.row(r)[0]) * static_cast<std::size_t>(out.cols),
                out.cols, out.row(r));
}

template <class T>
void embed_backward(const View<T>& label, const View<T>& d_out, int labels, T* d_table) {
  std::fill_n(d_table, static_cast<std::size_t>(labels) * static_cast<std::size_t>(d_out.cols), T(0));
  for (int r = 0; r < d_out.rows; ++r) {
    T* row = d_table + static_cast<std::size_t>(label.row(r)[0]) * static_cast<std::size_t>(d_out.cols);
    for (int c = 0; c < d_out.cols; ++c) row[c] += d_out.row(r)[c];
  }
}

template <class T>
void ensemble_extreme(const View<T>& x, bool maximum, const View<T>& out) {
  for (int r = 0; r < out.rows; ++r) {
    T best = x.row(0, r)[0];
    for (int k = 1; k < x.nets; ++k) {
      const T candidate = x.row(k, r)[0];
      best = maximum ? std::max(best, candidate) : std::min(best, candidate);
    }
    out.row(r)[0] = best;
  }
}

#define R2_INSTANTIATE(T)                                                         \
  template void copy_columns(const View<T>&, const View<T>&, int);                \
  template void copy_columns_backward(const View<T>&, int, const View<T>&, bool); \
  template void embed(const T*, const View<T>&, const View<T>&);                  \
  template void embed_backward(const View<T>&, const View<T>&, int, T*);          \
  template void ensemble_extreme(const View<T>&, bool, const View<T>&);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
