// Flow matching: the straight path from noise to data, its loss, and guided Euler integration.
#pragma once

#include "base/host_device.h"
#include "kernels/view.h"

namespace r2pac {
namespace formula {

/// The point at `time` in [0, 1] on the straight path from noise (0) to data (1) (FLOW-PATH).
template <class T>
R2_FORMULA T flow_point(T noise, T data, T time) {
  return (T(1) - time) * noise + time * data;
}

/// The path's velocity, which the field is trained to predict (FLOW-LOSS).
template <class T>
R2_FORMULA T flow_velocity(T noise, T data) {
  return data - noise;
}

/// Classifier-free guidance (GUIDANCE): scale 1 is the conditional field, 0 the unconditional one.
template <class T>
R2_FORMULA T guided_velocity(T unconditional, T conditional, T guidance_scale) {
  return unconditional + guidance_scale * (conditional - unconditional);
}

/// One Euler step of length dt = 1 / flow_steps (SAMPLE; the paper's n/N is a misprint of 1/N).
template <class T>
R2_FORMULA T euler_step(T x, T velocity, T dt) {
  return x + dt * velocity;
}

template <class T>
R2_FORMULA T clip_action(T x) {
  return x < T(-1) ? T(-1) : (x > T(1) ? T(1) : x);
}

}  // namespace formula

/// noise(r, c) standard normal from (seed; flow_noise, step, first_row + r, c);
/// time(r) uniform on (0, 1) from (seed; flow_time, step, first_row + r, 0).
template <class T>
void draw_flow(unsigned long long seed, const StepState* state, int first_row, const View<T>& noise,
               const View<T>& time);

/// point(r, c) on the path from noise to data at time(r).
template <class T>
void flow_path(const View<T>& noise, const View<T>& data, const View<T>& time, const View<T>& point);

/// loss(r) = mean over columns of (velocity - (data - noise))^2.
template <class T>
void flow_loss(const View<T>& velocity, const View<T>& noise, const View<T>& data, const View<T>& loss);
/// d_velocity = scale * d loss / d velocity, overwritten.
template <class T>
void flow_loss_backward(const View<T>& velocity, const View<T>& noise, const View<T>& data, T scale,
                        const View<T>& d_velocity);

/// x [n] += dt * guided velocity, in place.
template <class T>
void guided_euler_step(const T* unconditional, const T* conditional, T guidance_scale, T dt, std::size_t n,
                       T* x);

/// x [n] clipped to [-1, 1], in place. NaN stays NaN.
template <class T>
void clip_actions(std::size_t n, T* x);

}  // namespace r2pac
