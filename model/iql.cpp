#include "model/iql.h"

#include <cmath>

#include "engine/losses.h"
#include "engine/sampling.h"
#include "model/budget.h"

namespace r2pac {
namespace {

constexpr char kEstimates[] = "estimates";

}  // namespace

template <class T>
Tensor<T> believed(Recorder<T>& r, const Signal& signal, Tensor<T> q) {
  return signal.believed == Extreme::least ? ensemble_min(r.tape(), q) : ensemble_max(r.tape(), q);
}

template <class T>
Tensor<T> mean_of_critics(Recorder<T>& r, Tensor<T> q) {
  return filled(r.tape(), "mean of critics", {1, q->shape.rows, 1}, 1.0 / q->shape.nets);
}

template <class T>
Tensor<T> head_weight(Recorder<T>& r, const Estimates<T>& estimates, const Shares& shares) {
  const auto [reward, cost] = estimates;
  const Tensor<T> weight = r.tape().value("weight", cost.v->shape);
  r.tape().row_operation("head weights", cost.v->shape.rows,
                         {reward.believed, reward.v, cost.believed, cost.v}, {weight},
                         [=, reward = reward, cost = cost, settings = r.settings()](const Slice& slice) {
                           return HeadWeights<T>{reward.believed->view(slice),
                                                 reward.v->view(slice),
                                                 cost.believed->view(slice),
                                                 cost.v->view(slice),
                                                 static_cast<T>(shares.reward),
                                                 static_cast<T>(shares.cost),
                                                 static_cast<T>(settings.advantage_temperature),
                                                 static_cast<T>(std::log(settings.weight_cap)),
                                                 weight->view(slice)};
                         });
  return weight;
}

std::vector<Network> iql_networks(const Settings& settings, Dimensions dimensions) {
  Network critic;
  critic.inputs = {{"observation", dimensions.observation}, {"chunk", dimensions.chunk()}};
  critic.count = settings.twin_critics ? 2 : 1;
  critic.hidden = settings.hidden;
  critic.activation = settings.activation;
  critic.layer_norm = settings.layer_norm;
  critic.followed = true;
  Network value = critic;
  value.inputs = {{"observation", dimensions.observation}};
  value.count = 1;
  value.followed = false;
  std::vector<Network> networks(4, critic);
  networks[2] = networks[3] = value;
  const char* const names[] = {kReward.q, kCost.q, kReward.v, kCost.v};
  for (std::size_t i = 0; i < networks.size(); ++i) networks[i].name = names[i];
  return networks;
}

template <class T>
Estimates<T> learning_estimates(Recorder<T>& r) {
  return r.template once<Estimates<T>>(kEstimates, [&] {
    const Tensor<T> reward_pairs = seen_pairs(r, kReward.q), cost_pairs = seen_pairs(r, kCost.q);
    const auto out = r.apply({{kReward.v, Weights::learning, seen_states(r, kReward.v)},
                              {kCost.v, Weights::learning, seen_states(r, kCost.v)},
                              {kReward.v, Weights::constant, seen_states(r, kReward.v, Moment::after)},
                              {kCost.v, Weights::constant, seen_states(r, kCost.v, Moment::after)},
                              {kReward.q, Weights::follower, reward_pairs},
                              {kCost.q, Weights::follower, cost_pairs},
                              {kReward.q, Weights::learning, reward_pairs},
                              {kCost.q, Weights::learning, cost_pairs}});
    return Estimates<T>{{out[6], believed(r, kReward, out[4]), out[0], out[2]},
                        {out[7], believed(r, kCost, out[5]), out[1], out[3]}};
  });
}

template <class T>
Estimates<T> believed_estimates(Recorder<T>& r) {
  return r.template once<Estimates<T>>(kEstimates, [&] {
    const auto out = r.apply({{kReward.v, Weights::constant, seen_states(r, kReward.v)},
                              {kCost.v, Weights::constant, seen_states(r, kCost.v)},
                              {kReward.q, Weights::follower, seen_pairs(r, kReward.q)},
                              {kCost.q, Weights::follower, seen_pairs(r, kCost.q)}});
    return Estimates<T>{{nullptr, believed(r, kReward, out[2]), out[0], nullptr},
                        {nullptr, believed(r, kCost, out[3]), out[1], nullptr}};
  });
}

template <class T>
void learn(Recorder<T>& r, const Signal& signal, const Estimate<T>& estimate, Tensor<T> target,
           Tensor<T> value_weights, Tensor<T> critic_weights) {
  const std::string q = signal.q, v = signal.v;
  const double expectile =
      signal.side == Side::upper ? r.settings().expectile : r.settings().resolved_cost_expectile();
  r.loss(q, squared_error_loss(r.tape(), "loss " + q, estimate.q, target, critic_weights));
  r.loss(v, expectile_loss(r.tape(), "loss " + v, estimate.v, estimate.believed, expectile, signal.side,
                           value_weights));
  r.mean(q, estimate.believed);
  r.mean(v, estimate.v);
}

template <class T>
void trace_learning(Recorder<T>& r) {
  const auto [reward, cost] = learning_estimates(r);
  r.trace_batch();
  r.trace("q_reward", reward.believed);
  r.trace("q_cost", cost.believed);
}

#define R2_INSTANTIATE(T)                                                                                \
  template Estimates<T> learning_estimates(Recorder<T>&);                                                \
  template Estimates<T> believed_estimates(Recorder<T>&);                                                \
  template Tensor<T> believed(Recorder<T>&, const Signal&, Tensor<T>);                                   \
  template Tensor<T> head_weight(Recorder<T>&, const Estimates<T>&, const Shares&);                      \
  template Tensor<T> mean_of_critics(Recorder<T>&, Tensor<T>);                                           \
  template void learn(Recorder<T>&, const Signal&, const Estimate<T>&, Tensor<T>, Tensor<T>, Tensor<T>); \
  template void trace_learning(Recorder<T>&);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
