#include "kernels/reduce.h"

#include <algorithm>
#include <cmath>

namespace r2pac {

template <class T>
T quantile(const T* x, std::size_t n, double alpha, T* work) {
  std::copy_n(x, n, work);
  const double position = alpha * static_cast<double>(n - 1);
  const auto lower = std::min(static_cast<std::size_t>(position), n - 1);
  const auto less = [](T a, T b) { return std::isnan(b) ? !std::isnan(a) : a < b; };
  std::nth_element(work, work + lower, work + n, less);
  const T low = work[lower], weight = static_cast<T>(position - static_cast<double>(lower));
  if (lower + 1 == n) return low;
  return formula::between(low, *std::min_element(work + lower + 1, work + n, less), weight);
}

template <class T>
void update_threshold(const View<T>& x, double alpha, double keep, const StepState* state,
                      unsigned long long first_step, T* threshold, T* work) {
  const T now = quantile(x.data, static_cast<std::size_t>(x.rows), alpha, work);
  *threshold = formula::next_threshold(*threshold, now, static_cast<T>(keep), static_cast<T>(1 - keep),
                                       state->step == first_step);
}

template <class T>
void sum_of_means(const View<T>& x, T* out) {
  double sum = 0;
  for (int k = 0; k < x.nets; ++k)
    for (int r = 0; r < x.rows; ++r) sum += static_cast<double>(x.row(k, r)[0]);
  *out = static_cast<T>(sum / x.rows);
}

#define R2_INSTANTIATE(T)                                                                                  \
  template T quantile(const T*, std::size_t, double, T*);                                                  \
  template void update_threshold(const View<T>&, double, double, const StepState*, unsigned long long, T*, \
                                 T*);                                                                      \
  template void sum_of_means(const View<T>&, T*);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
