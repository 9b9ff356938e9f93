// Implicit Q-learning of one signal, reward or cost: critics and a value function (PAPER.md, LOSS-Q, VALUE-R,
// VALUE-C).
#pragma once

#include <string>
#include <vector>

#include "acting/policy_sampler.h"
#include "kernels/critic.h"
#include "model/method.h"

namespace r2pac {

/// Which networks learn a signal, and which of their answers count.
struct Signal {
  const char *q, *v;  ///< critics (of observation and chunk) and value (of the observation)
  Extreme believed;   ///< which of several critics counts, for targets, labels and choices
  Side side;          ///< whether V is an upper or a lower expectile of Q
};
inline constexpr Signal kReward{"q_r", "v_r", kBelievedReward, Side::upper};
inline constexpr Signal kCost{"q_c", "v_c", kBelievedCost, Side::lower};

/// The networks of both signals, in the order in which they lie in memory.
std::vector<Network> iql_networks(const Settings& settings, Dimensions dimensions);

/// The answers of one signal's networks for the batch. Tensors are [1, B, 1] except q.
template <class T>
struct Estimate {
  Tensor<T> q;          ///< [n, B, 1] of the learning critics; null where the recording trains none
  Tensor<T> believed;   ///< Q of the batch's chunks by the follower that counts (Signal::believed)
  Tensor<T> v, v_next;  ///< V of the states before and after the chunks; v_next is null where q is
};
template <class T>
struct Estimates {
  Estimate<T> reward, cost;
};

/// The answers of the learning networks, recorded once. Gradients flow into q and v.
template <class T>
Estimates<T> learning_estimates(Recorder<T>& r);
/// The learning estimates where this recording has them. Else those of finished networks, as constants and
/// without q and v_next.
template <class T>
Estimates<T> believed_estimates(Recorder<T>& r);

/// Of several critics' answers q [n, B, 1] the one that counts (Signal::believed), [1, B, 1].
template <class T>
Tensor<T> believed(Recorder<T>& r, const Signal& signal, Tensor<T> q);

/// The losses of one signal's critics and value for `target` [1, B, 1], the critics' a sum over them; each
/// window's times its weight [1, B, 1], if there are weights.
template <class T>
void learn(Recorder<T>& r, const Signal& signal, const Estimate<T>& estimate, Tensor<T> target,
           Tensor<T> value_weights = nullptr, Tensor<T> critic_weights = nullptr);

/// A weight of each window that makes the loss of critics q [n, B, 1] their mean, [1, B, 1].
template <class T>
Tensor<T> mean_of_critics(Recorder<T>& r, Tensor<T> q);

/// What an actor imitates: shares of the weights by the advantages of reward and of cost.
struct Shares {
  double reward, cost;
};
/// How much each window weighs for an actor of these shares, [1, B, 1].
template <class T>
Tensor<T> head_weight(Recorder<T>& r, const Estimates<T>& estimates, const Shares& shares);

/// The stage in which critics and values learn, by what `record` records.
template <class T>
Stage<T> critics_stage(const std::function<void(Recorder<T>&)>& record) {
  return {"critics",
          {kReward.q, kCost.q, kReward.v, kCost.v},
          [](const Settings& s) { return s.resolved_critic_steps(); },
          record};
}

/// The networks that judge chunks when a policy acts.
inline ActingNetworks judging_networks() {
  return {.q_reward = kReward.q, .v_reward = kReward.v, .q_cost = kCost.q, .v_cost = kCost.v};
}

/// Names for traces what critics and values learn from.
template <class T>
void trace_learning(Recorder<T>& r);

}  // namespace r2pac
