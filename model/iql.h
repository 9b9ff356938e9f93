// Implicit Q-learning of one signal, reward or cost: critics and a value function (PAPER.md, Q, V).
#pragma once

#include <string>
#include <vector>

#include "acting/policy_sampler.h"
#include "kernels/critic.h"
#include "model/recorder.h"

namespace r2pac {

/// Which networks learn a signal, and what they take for its value.
struct Signal {
  const char *q, *v;  ///< critics (of observation and chunk) and value (of the observation)
  Extreme believed;   ///< of several critics, for targets, labels and choices
  Side side;          ///< whether V follows the best or the least of what the data contain
};
inline constexpr Signal kReward{"q_r", "v_r", kBelievedReward, Side::upper};
inline constexpr Signal kCost{"q_c", "v_c", kBelievedCost, Side::lower};

/// The networks of both signals, in the order in which they lie beside each other.
std::vector<Network> iql_networks(const Settings& settings, Dimensions dimensions);

/// What the networks of one signal say of the batch. Tensors [1, B, 1] but for q.
template <class T>
struct Estimate {
  Tensor<T> q;          ///< [n, B, 1] the learning critics; null where the recording trains none
  Tensor<T> believed;   ///< the believed follower's Q of the batch's chunks
  Tensor<T> v, v_next;  ///< V of the states before and (null where nothing is trained) after the chunks
};
template <class T>
struct Estimates {
  Estimate<T> reward, cost;
};

/// What the learning networks say, once in a recording; gradients flow into q and v.
template <class T>
Estimates<T> learning_estimates(Recorder<T>& r);
/// What is believed of the batch: the learning estimates where this recording has them, else of finished
/// networks, as constants and without q and v_next.
template <class T>
Estimates<T> believed_estimates(Recorder<T>& r);

/// The losses of one signal's critics and value for `target` [1, B, 1].
template <class T>
void learn(Recorder<T>& r, const Signal& signal, const Estimate<T>& estimate, Tensor<T> target);

}  // namespace r2pac
