// Flow matching: the straight path from noise to data, its loss, and guided Euler integration.
#pragma once

#include "base/host_device.h"
#include "base/philox.h"
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
struct DrawFlow {
  unsigned long long seed;
  const StepState* state;
  int first_row;
  View<T> noise, time;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const auto drawn = static_cast<std::uint32_t>(first_row + r);
    for (int c = lane; c < noise.cols; c += lanes)
      noise.row(r)[c] = static_cast<T>(
          random_normal(seed, Purpose::flow_noise, state->step, drawn, static_cast<std::uint32_t>(c)));
    if (lane == 0)
      time.row(r)[0] = static_cast<T>(random_uniform(seed, Purpose::flow_time, state->step, drawn, 0));
  }
};

/// point(r, c) on the path from noise to data at time(r).
template <class T>
struct FlowPath {
  View<T> noise, data, time, point;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int c = lane; c < point.cols; c += lanes)
      point.row(r)[c] = formula::flow_point(noise.row(r)[c], data.row(r)[c], time.row(r)[0]);
  }
};

/// out(r, c) = x(r, c) after one Euler step, clipped to [-1, 1] if it is the last one (SAMPLE).
template <class T>
struct EulerStep {
  View<T> x, velocity;
  T dt;
  bool last;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int c = lane; c < out.cols; c += lanes) {
      const T moved = formula::euler_step(x.row(r)[c], velocity.row(r)[c], dt);
      out.row(r)[c] = last ? formula::clip_action(moved) : moved;
    }
  }
};

/// loss(r) = weight(r) * mean over columns of (velocity - (data - noise))^2, summed in ascending order.
template <class T>
struct FlowLoss {
  View<T> velocity, noise, data, loss;
  View<T> weights = {};  // data null: none
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    T sum = 0;
    for (int c = 0; c < velocity.cols; ++c) {
      const T diff = formula::flow_velocity(noise.row(r)[c], data.row(r)[c]) - velocity.row(r)[c];
      sum += diff * diff;
    }
    loss.row(r)[0] = weight_of(weights, r) * (sum / static_cast<T>(velocity.cols));
  }
};
/// d_velocity = scale * d loss / d velocity, or += if `accumulate`.
template <class T>
struct FlowLossGradient {
  View<T> velocity, noise, data;
  T scale;
  View<T> d_velocity;
  View<T> weights = {};
  bool accumulate = false;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const T factor = scale * T(-2) / static_cast<T>(velocity.cols) * weight_of(weights, r);
    for (int c = lane; c < velocity.cols; c += lanes)
      contribute(d_velocity.row(r)[c],
                 factor * (formula::flow_velocity(noise.row(r)[c], data.row(r)[c]) - velocity.row(r)[c]),
                 accumulate);
  }
};

/// x [n] += dt * guided velocity, in place.
template <class T>
void guided_euler_step(const T* unconditional, const T* conditional, T guidance_scale, T dt, std::size_t n,
                       T* x);

/// x [n] clipped to [-1, 1], in place. NaN stays NaN.
template <class T>
void clip_actions(std::size_t n, T* x);

}  // namespace r2pac
