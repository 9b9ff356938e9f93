#include "kernels/flow.h"

namespace r2pac {

template <class T>
void guided_euler_step(const T* unconditional, const T* conditional, T guidance_scale, T dt, std::size_t n,
                       T* x) {
  for (std::size_t i = 0; i < n; ++i)
    x[i] = formula::euler_step(
        x[i], formula::guided_velocity(unconditional[i], conditional[i], guidance_scale), dt);
}

template <class T>
void clip_actions(std::size_t n, T* x) {
  for (std::size_t i = 0; i < n; ++i) x[i] = formula::clip_action(x[i]);
}

#define R2_INSTANTIATE(T)                                                     \
  template void guided_euler_step(const T*, const T*, T, T, std::size_t, T*); \
  template void clip_actions(std::size_t, T*);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
