#include "kernels/update.h"

#include "kernels/vector_kernels.h"

namespace r2pac {

template <class T>
void update_parameters(const UpdateArguments<T>& a, const AdamSettings& settings, const StepState* state,
                       unsigned long long first_step, T* squares) {
  const AdamStep<T> step = adam_step<T>(settings, static_cast<long long>(state->step - first_step + 1));
  *squares = static_cast<T>(
      vector_kernels<T>().adam(a.value, a.first_moment, a.second_moment, a.gradient, a.target, a.size, step));
}

void advance(StepState* state) { ++state->step; }

template void update_parameters(const UpdateArguments<float>&, const AdamSettings&, const StepState*,
                                unsigned long long, float*);
template void update_parameters(const UpdateArguments<double>&, const AdamSettings&, const StepState*,
                                unsigned long long, double*);

}  // namespace r2pac
