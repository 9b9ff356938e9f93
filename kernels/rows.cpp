#include "kernels/rows.h"

#include <algorithm>

namespace r2pac {

template <class T>
void embed_backward(const View<T>& label, const View<T>& d_out, int labels, T* d_table, bool accumulate) {
  if (!accumulate)
    std::fill_n(d_table, static_cast<std::size_t>(labels) * static_cast<std::size_t>(d_out.cols), T(0));
  for (int r = 0; r < d_out.rows; ++r) {
    T* row = d_table + static_cast<std::size_t>(label.row(r)[0]) * static_cast<std::size_t>(d_out.cols);
    for (int c = 0; c < d_out.cols; ++c) row[c] += d_out.row(r)[c];
  }
}

template <class T>
void sum_rows(const View<T>& d, T* sum, bool accumulate) {
  if (!accumulate) std::fill_n(sum, d.cols, T(0));
  for (int r = 0; r < d.rows; ++r)
    for (int c = 0; c < d.cols; ++c) sum[c] += d.row(r)[c];
}

template void sum_rows(const View<float>&, float*, bool);
template void sum_rows(const View<double>&, double*, bool);
template void embed_backward(const View<float>&, const View<float>&, int, float*, bool);
template void embed_backward(const View<double>&, const View<double>&, int, double*, bool);

}  // namespace r2pac
