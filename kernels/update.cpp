#include "kernels/update.h"

#include <cmath>

#include "kernels/vector_kernels.h"

namespace r2pac {

template <class T>
void update_parameters(const UpdateArguments<T>& a, const AdamSettings& settings, const StepState* state,
                       const UpdateCount& count, T* squares, const T* gradient_scale) {
  const auto step = adam_step<T>(settings, static_cast<long long>(count.at(state->completed)),
                                 gradient_scale == nullptr ? T(1) : *gradient_scale);
  *squares = static_cast<T>(
      vector_kernels<T>().adam(a.value, a.first_moment, a.second_moment, a.gradient, a.target, a.size, step));
}

template <class T>
void clip_gradient(const T* squares, std::size_t n, double clip, T* scale) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(squares[i]);
  *scale = static_cast<T>(formula::clip_factor(sum, clip));
}

template <class T>
void finish_step(StepState* state, const T* squares, std::size_t n, const std::vector<const T*>& losses) {
  bool finite = true;
  for (std::size_t i = 0; i < n; ++i) finite &= std::isfinite(squares[i]);
  for (const T* loss : losses) finite &= std::isfinite(*loss);
  state->step = ++state->completed;
  if (!finite && state->first_bad_step == 0) state->first_bad_step = state->completed;
}

template void update_parameters(const UpdateArguments<float>&, const AdamSettings&, const StepState*,
                                const UpdateCount&, float*, const float*);
template void clip_gradient(const float*, std::size_t, double, float*);
template void clip_gradient(const double*, std::size_t, double, double*);
template void update_parameters(const UpdateArguments<double>&, const AdamSettings&, const StepState*,
                                const UpdateCount&, double*, const double*);
template void finish_step(StepState*, const float*, std::size_t, const std::vector<const float*>&);
template void finish_step(StepState*, const double*, std::size_t, const std::vector<const double*>&);

}  // namespace r2pac
