// The gate of the one-step actor (model/SAFE_CHUNKS.md, GATE): its chunk descends the cost critics where they
// do not allow it, and ascends the reward critics elsewhere.
#pragma once

#include <cmath>

#include "base/host_device.h"
#include "kernels/view.h"

namespace r2pac {
namespace formula {

/// Whether a chunk may be judged by its reward, as when candidates are chosen by region (CHOICE).
template <class T>
R2_FORMULA bool passes_gate(T q_cost, T v_cost, T bound) {
  return v_cost <= bound && q_cost <= bound;
}

/// The unit in which the gate measures a critic's values: the root of their mean squared advantage over the
/// batch. The summand keeps critics that say the same everywhere from dividing by zero.
template <class T>
R2_FORMULA T gate_unit(T mean_square) {
  using std::sqrt;
  return T(1e-6) + sqrt(mean_square);
}

}  // namespace formula

/// What the gate reads. Scalars per row are views [1, rows, 1]; the pointers are to one value each.
template <class T>
struct GateTerms {
  View<T> q_reward, q_cost, v_cost;
  View<T> share;  ///< of the greatest bound, in [0, 1]: the chunk's bound is m_t = share(r) * greatest_bound
  const T* greatest_bound;               ///< m
  const T *reward_square, *cost_square;  ///< mean squared advantages, see gate_unit
  T weight;

  R2_FORMULA bool passes(int r) const {
    return formula::passes_gate(q_cost.row(r)[0], v_cost.row(r)[0], share.row(r)[0] * *greatest_bound);
  }
};

/// loss(r) = weight * (-Q_r in units of reward advantages where the chunk passes, else Q_c in units of cost
/// advantages).
template <class T>
struct GateLoss {
  GateTerms<T> terms;
  View<T> loss;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0)
      loss.row(r)[0] = terms.weight *
                       (terms.passes(r) ? -terms.q_reward.row(r)[0] / formula::gate_unit(*terms.reward_square)
                                        : terms.q_cost.row(r)[0] / formula::gate_unit(*terms.cost_square));
  }
};
/// d(r) = scale * d loss(r) / d q_reward(r), or by q_cost(r); or += if `accumulate`. Whether a chunk passes
/// is a constant.
template <class T>
struct GateGradient {
  GateTerms<T> terms;
  bool of_cost;
  T scale;
  View<T> d;
  bool accumulate = false;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const T unit = formula::gate_unit(of_cost ? *terms.cost_square : *terms.reward_square);
    const T slope = terms.passes(r) == of_cost ? T(0) : (of_cost ? terms.weight : -terms.weight) / unit;
    contribute(d.row(r)[0], scale * slope, accumulate);
  }
};

/// passed(r) = 1 where the chunk passes the gate, else 0.
template <class T>
struct GatePassed {
  GateTerms<T> terms;
  View<T> passed;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0) passed.row(r)[0] = terms.passes(r) ? T(1) : T(0);
  }
};

}  // namespace r2pac
