#include "kernels/flow.h"

#include "base/philox.h"

namespace r2pac {

template <class T>
void draw_flow(unsigned long long seed, const StepState* state, int first_row, const View<T>& noise,
               const View<T>& time) {
  for (int r = 0; r < noise.rows; ++r) {
    const auto row = static_cast<std::uint32_t>(first_row + r);
    for (int c = 0; c < noise.cols; ++c)
      noise.row(r)[c] = static_cast<T>(
          random_normal(seed, Purpose::flow_noise, state->step, row, static_cast<std::uint32_t>(c)));
    time.row(r)[0] = static_cast<T>(random_uniform(seed, Purpose::flow_time, state->step, row, 0));
  }
}

template <class T>
void flow_path(const View<T>& noise, const View<T>& data, const View<T>& time, const View<T>& point) {
  for (int r = 0; r < point.rows; ++r)
    for (int c = 0; c < point.cols; ++c)
      point.row(r)[c] = formula::flow_point(noise.row(r)[c], data.row(r)[c], time.row(r)[0]);
}

template <class T>
void flow_loss(const View<T>& velocity, const View<T>& noise, const View<T>& data, const View<T>& loss) {
  for (int r = 0; r < velocity.rows; ++r) {
    T sum = 0;
    for (int c = 0; c < velocity.cols; ++c) {
      const T diff = formula::flow_velocity(noise.row(r)[c], data.row(r)[c]) - velocity.row(r)[c];
      sum += diff * diff;
    }
    loss.row(r)[0] = sum / static_cast<T>(velocity.cols);
  }
}

template <class T>
void flow_loss_backward(const View<T>& velocity, const View<T>& noise, const View<T>& data, T scale,
                        const View<T>& d_velocity) {
  const T factor = scale * T(-2) / static_cast<T>(velocity.cols);
  for (int r = 0; r < velocity.rows; ++r)
    for (int c = 0; c < velocity.cols; ++c)
      d_velocity.row(r)[c] =
          factor * (formula::flow_velocity(noise.row(r)[c], data.row(r)[c]) - velocity.row(r)[c]);
}

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

#define R2_INSTANTIATE(T)                                                                              \
  template void draw_flow(unsigned long long, const StepState*, int, const View<T>&, const View<T>&);  \
  template void flow_path(const View<T>&, const View<T>&, const View<T>&, const View<T>&);             \
  template void flow_loss(const View<T>&, const View<T>&, const View<T>&, const View<T>&);             \
  template void flow_loss_backward(const View<T>&, const View<T>&, const View<T>&, T, const View<T>&); \
  template void guided_euler_step(const T*, const T*, T, T, std::size_t, T*);                          \
  template void clip_actions(std::size_t, T*);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
