#include "kernels/critic.h"

#include "base/philox.h"

namespace r2pac {

template <class T>
void targets(const TargetArguments<T>& a) {
  for (int r = 0; r < a.rewards.rows; ++r) {
    const T mask = a.mask.row(r)[0], next_cost = a.next_cost_value.row(r)[0];
    const bool unsafe = formula::leaves_region(mask, next_cost, *a.threshold);
    a.unsafe.row(r)[0] = unsafe ? T(1) : T(0);
    a.reward_target.row(r)[0] =
        formula::reward_target(a.rewards.row(r)[0], mask, a.next_reward_value.row(r)[0], unsafe, a.constants);
    a.cost_target.row(r)[0] = formula::cost_target(a.costs.row(r)[0], mask, next_cost, a.constants);
  }
}

template <class T>
void squared_error(const View<T>& prediction, const View<T>& target, const View<T>& loss) {
  for (int k = 0; k < prediction.nets; ++k)
    for (int r = 0; r < prediction.rows; ++r) {
      const T diff = target.row(k, r)[0] - prediction.row(k, r)[0];
      loss.row(k, r)[0] = diff * diff;
    }
}

template <class T>
void squared_error_backward(const View<T>& prediction, const View<T>& target, T scale,
                            const View<T>& d_prediction) {
  for (int k = 0; k < prediction.nets; ++k)
    for (int r = 0; r < prediction.rows; ++r)
      d_prediction.row(k, r)[0] = -scale * T(2) * (target.row(k, r)[0] - prediction.row(k, r)[0]);
}

template <class T>
void expectile(const View<T>& prediction, const View<T>& target, T expectile, Side side,
               const View<T>& loss) {
  for (int r = 0; r < prediction.rows; ++r)
    loss.row(r)[0] = formula::expectile_loss(target.row(r)[0] - prediction.row(r)[0], expectile, side);
}

template <class T>
void expectile_backward(const View<T>& prediction, const View<T>& target, T expectile, Side side, T scale,
                        const View<T>& d_prediction) {
  for (int r = 0; r < prediction.rows; ++r)
    d_prediction.row(r)[0] =
        -scale * formula::expectile_loss_gradient(target.row(r)[0] - prediction.row(r)[0], expectile, side);
}

template <class T>
void labels(const View<T>& q_reward, const View<T>& v_reward, const View<T>& q_cost, const View<T>& v_cost,
            const T* threshold, const View<T>& label) {
  for (int r = 0; r < label.rows; ++r) {
    const T good = formula::optimality_label(q_reward.row(r)[0], v_reward.row(r)[0], q_cost.row(r)[0],
                                             v_cost.row(r)[0], *threshold);
    label.row(r)[0] = good != T(0) ? T(kLabelGood) : T(kLabelBad);
  }
}

template <class T>
void drop_labels(const View<T>& label, T dropout, unsigned long long seed, const StepState* state,
                 int first_row, const View<T>& out) {
  for (int r = 0; r < out.rows; ++r) {
    const float u = random_uniform(seed, Purpose::label_dropout, state->step,
                                   static_cast<std::uint32_t>(first_row + r), 0);
    out.row(r)[0] = static_cast<T>(u) < dropout ? T(kLabelNull) : label.row(r)[0];
  }
}

#define R2_INSTANTIATE(T)                                                                        \
  template void targets(const TargetArguments<T>&);                                              \
  template void squared_error(const View<T>&, const View<T>&, const View<T>&);                   \
  template void squared_error_backward(const View<T>&, const View<T>&, T, const View<T>&);       \
  template void expectile(const View<T>&, const View<T>&, T, Side, const View<T>&);              \
  template void expectile_backward(const View<T>&, const View<T>&, T, Side, T, const View<T>&);  \
  template void labels(const View<T>&, const View<T>&, const View<T>&, const View<T>&, const T*, \
                       const View<T>&);                                                          \
  template void drop_labels(const View<T>&, T, unsigned long long, const StepState*, int, const View<T>&);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
