// Judging a policy by recorded episodes alone: fitted Q evaluation of its return and of its cost (Le,
// Voloshin and Yue 2019, "Batch Policy Learning under Constraints", Algorithm 3).
//
// Q(s, t, a) is the discounted sum from step t of an episode of T steps on, where `a` is done in state s and
// the policy acts afterwards. It is fitted to y = x + gamma Q'(s', t + 1, pi(s')), where x is the reward or
// the cost, Q' a follower of Q, and pi(s') an action of the policy that is drawn once for each recorded
// state. Nothing is added at a genuine end, and after step T. Before, Q is fitted to the recorded episodes'
// own sums, from where the policy's are near. Since the step is an input, the estimate is that of an episode
// of T steps: the same quantity as the discounted sum over a recorded episode, and as the cost limit of
// Eq. 42.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/statistics.h"
#include "data/dataset.h"
#include "engine/device.h"

namespace r2pac {

struct FittedQOptions {
  std::vector<int> hidden = {256, 256};  ///< widths of the hidden layers of each network
  int members = 8;                       ///< networks of each signal, at least 4
  int batch = 256;                       ///< transitions per gradient step
  std::int64_t steps = 3000;             ///< gradient steps
  double learning_rate = 1e-3;           ///< of Adam; it falls to zero by half a cosine
  double polyak = 0.05;                  ///< of the followers
  double discount = 0.99;                ///< gamma in (0, 1)
  std::uint64_t seed = 0;                ///< of resamples, weights and batches
};

/// The mean over episodes of a discounted sum, and between what values it lies with a confidence of 95 %.
struct ValueEstimate {
  double mean = 0;
  ConfidenceInterval interval;
};
struct SignalEstimates {
  ValueEstimate reward, cost;
};

/// The data set with episodes cut after `steps` rows, whose last row ends them for good.
/// Throws Error(data) where there are fewer than two episodes.
Dataset with_horizon(Dataset dataset, std::int64_t steps);

/// The recorded episodes' own discounted sums: their mean, with a bootstrap interval over episodes.
SignalEstimates recorded_estimates(const Dataset& dataset, const FittedQOptions& options);

/// What the policy would earn and cost from the recorded first states.
///
/// Of each signal there are `members` networks. Each learns from a resample of the episodes, drawn with
/// replacement: a transition weighs as often as its episode was drawn. The mean is that of all members over
/// all first states. The interval is mean +- t s: s is the standard deviation of the members' values, each
/// over the first states of its own resample, and t Student's 97.5 % quantile of members - 1 degrees of
/// freedom. So it has what the choice of the episodes, the initial weights and the batches do, and nothing of
/// what all members do wrong alike, as where the policy leaves the data.
///
/// data     episodes of at most `horizon` steps, of with_horizon()
/// actions  [stored_rows, A] what the policy does in each stored state, closing rows included
/// spent    [stored_rows] what the episode has cost before the row, where the policy goes by it: then Q sees
/// it;
///          else empty
/// watch    called with the steps taken, from 0 on; true stops, and then there is no result
/// The bits do not depend on the number of the device's threads. Throws Error(diverged) where a loss is not
/// finite, and InvalidArgument where lengths do not fit.
std::optional<SignalEstimates> fitted_q(const Dataset& data, std::int64_t horizon,
                                        std::span<const float> actions, std::span<const double> spent,
                                        const FittedQOptions& options, std::shared_ptr<Device> device,
                                        const std::function<bool(std::int64_t done)>& watch = {});

}  // namespace r2pac
