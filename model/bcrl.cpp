// Budget-conditioned reachability (Brahmanage and Kumar, 2026) over implicit Q-learning, as published
// (docs/methods.md): critics of cost; critics of reward and an actor that see the surplus, which is what the
// rest of an episode may cost beyond what it costs at least; and an actor that saves, for where none is left.
#include <cmath>
#include <string>

#include "engine/diffusion.h"
#include "engine/losses.h"
#include "engine/sampling.h"
#include "model/budget.h"
#include "model/gaussian_network.h"
#include "model/iql.h"
#include "model/method.h"
#include "model/region.h"

namespace r2pac {
namespace {

constexpr GaussianNetwork kSafeActor{"safe_trunk", "safe_mean", "safe_log_deviation"};

// Constants of the published code.
constexpr double kClipNorm = 10;  // of the gradient of each of the critics and values
constexpr double kDropped = 0.1;  // of the actors' features

/// The draws of surpluses within a step.
enum Draw : int { kValueDraw, kBackupDraw, kActorDraw };

/// Surpluses [1, B, 1], uniform up to the greatest one, times `factor`.
template <class T>
Tensor<T> drawn_surplus(Recorder<T>& r, const std::string& name, Draw which, double factor = 1) {
  const Tensor<T> greatest = r.scalar(kGreatestBudget),
                  drawn = r.tape().value(name, {1, r.settings().batch, 1});
  r.tape().row_operation(name, drawn->shape.rows, {greatest, r.tape().place(r.state())}, {drawn},
                         [=, seed = r.seed(), state = r.state()](const Slice& slice) {
                           return DrawSurplus<T>{seed,
                                                 state,
                                                 slice.first,
                                                 which,
                                                 greatest->whole().data,
                                                 static_cast<T>(factor),
                                                 drawn->view(slice)};
                         });
  r.trace(name, drawn);
  return drawn;
}

/// The surplus of a budget over `cost`, [1, B, 1]. The budget is [1, 1, 1], or it is [1, B, 1] above the
/// greater of both costs. greatest: [1, 1, 1], or null for none.
template <class T>
Tensor<T> surplus_over(Recorder<T>& r, Tensor<T> budget, Tensor<T> cost, Tensor<T> other,
                       Tensor<T> greatest) {
  const Tensor<T> surplus = r.tape().value("surplus", cost->shape);
  std::vector<Tensor<T>> reads = {budget, cost};
  for (const Tensor<T> more : {other, greatest})
    if (more != nullptr) reads.push_back(more);
  r.tape().row_operation("surplus", cost->shape.rows, reads, {surplus}, [=](const Slice& slice) {
    return Surplus<T>{
        budget->shape.rows == 1 ? PerRow<T>{budget->whole().data, 0} : PerRow<T>{budget->view(slice).data, 1},
        cost->view(slice), other != nullptr ? other->view(slice) : View<T>{},
        greatest != nullptr ? greatest->whole().data : nullptr, surplus->view(slice)};
  });
  return surplus;
}

/// The batch's actions, kept inside their bounds.
template <class T>
Tensor<T> actions_of(Recorder<T>& r) {
  return r.template once<Tensor<T>>(
      "bounded actions", [&] { return clamp_columns(r.tape(), r.batch().actions, kInnerActionBound); });
}

/// States and actions beside each other; critics of reward see the surplus between them.
template <class T>
Tensor<T> pairs_of(Recorder<T>& r, Tensor<T> surplus = nullptr) {
  const Tensor<T> states = r.batch().observations;
  if (surplus == nullptr)
    return r.template once<Tensor<T>>("bounded pairs", [&] {
      return concatenate<T>(r.tape(), {states, actions_of(r)});
    });
  return concatenate<T>(r.tape(), {states, surplus, actions_of(r)});
}

/// What the batch's actions and states cost, by the followers that count and by V_c, as constants.
template <class T>
struct Costs {
  Tensor<T> q, v;
};
template <class T>
Costs<T> costs_of(Recorder<T>& r, Tensor<T> pairs) {
  const auto out =
      r.apply({{kCost.q, Weights::follower, pairs}, {kCost.v, Weights::constant, r.batch().observations}});
  return {believed(r, kCost, out[0]), out[1]};
}
/// The same of finished cost critics: once, for all stages after theirs.
template <class T>
Costs<T> costs(Recorder<T>& r) {
  return r.template once<Costs<T>>("costs", [&] { return costs_of(r, pairs_of(r)); });
}

/// V_c follows a lower expectile of what the followers believe.
template <class T>
void learn_cost_values(Recorder<T>& r) {
  const auto out = r.apply(
      {{kCost.q, Weights::follower, pairs_of(r)}, {kCost.v, Weights::learning, r.batch().observations}});
  const Tensor<T> q = believed(r, kCost, out[0]);
  r.loss(kCost.v,
         expectile_loss(r.tape(), "loss v_c", out[1], q, r.settings().resolved_cost_expectile(), kCost.side));
  r.mean(kCost.q, q);
  r.mean(kCost.v, out[1]);
  r.trace_batch();
}

/// The mean over twins of the squared error of critics to what was earned and the value after.
template <class T>
void learn_backup(Recorder<T>& r, const Signal& signal, Tensor<T> earned, Tensor<T> v_next, Tensor<T> q) {
  const std::string name = signal.q;
  const Tensor<T> target =
      limited_backup(r.tape(), name + "_target", earned, r.batch().mask, v_next, r.settings().discount);
  r.loss(name, squared_error_loss(r.tape(), "loss " + name, q, target, mean_of_critics(r, q)));
  r.trace(name + "_target", target);
}

template <class T>
void learn_cost_critics(Recorder<T>& r) {
  const auto out = r.apply(
      {{kCost.v, Weights::constant, r.batch().next_observations}, {kCost.q, Weights::learning, pairs_of(r)}});
  learn_backup(r, kCost, r.batch().costs, out[0], out[1]);
}

/// V_r follows an upper expectile over the actions that a budget allows: it is above what both state and
/// action cost, and each sees its surplus over its own cost.
template <class T>
void learn_values(Recorder<T>& r) {
  const auto [q_cost, v_cost] = costs(r);
  const Tensor<T> drawn = drawn_surplus(r, "value_surplus", kValueDraw);
  const Tensor<T> of_action = surplus_over<T>(r, drawn, q_cost, v_cost, nullptr),
                  of_state = surplus_over<T>(r, drawn, v_cost, q_cost, nullptr);
  const Tensor<T> states = concatenate<T>(r.tape(), {r.batch().observations, of_state});
  const auto out = r.apply(
      {{kReward.q, Weights::follower, pairs_of(r, of_action)}, {kReward.v, Weights::learning, states}});
  const Tensor<T> q = believed(r, kReward, out[0]);
  r.loss(kReward.v, expectile_loss(r.tape(), "loss v_r", out[1], q, r.settings().expectile, kReward.side));
  r.mean(kReward.q, q);
  r.mean(kReward.v, out[1]);
}

/// What is left beyond an action's cost is left, with interest, beyond the cost of the state after it.
template <class T>
void learn_critics(Recorder<T>& r) {
  const Tensor<T> after = drawn_surplus(r, "next_surplus", kBackupDraw),
                  before = drawn_surplus(r, "surplus", kBackupDraw, r.settings().discount);
  const Tensor<T> next_states = concatenate<T>(r.tape(), {r.batch().next_observations, after});
  const auto out = r.apply(
      {{kReward.v, Weights::constant, next_states}, {kReward.q, Weights::learning, pairs_of(r, before)}});
  learn_backup(r, kReward, r.batch().rewards, out[0], out[1]);
}

/// An actor imitates the data as a Gaussian by the windows' weights.
template <class T>
void imitate(Recorder<T>& r, const GaussianNetwork& names, Tensor<T> seen, Tensor<T> dropout,
             const Estimates<T>& estimates, const Shares& shares) {
  const auto heads = gaussian_heads(r, names, Weights::learning, seen, dropout);
  const Tensor<T> mean = activate(r.tape(), heads.mean, Activation::tanh);
  const std::string name = names.mean;
  r.loss(name, gaussian_loss(r.tape(), "loss " + name, mean, heads.log_deviation, actions_of(r),
                             head_weight(r, estimates, shares), kActorRange<T>));
}

/// One actor sees the surplus and follows the reward; the other one sees none and saves.
template <class T>
void learn_actors(Recorder<T>& r) {
  Tape<T>& tape = r.tape();
  const Tensor<T> states = r.batch().observations;
  const auto [q_cost, v_cost] = costs(r);
  const Tensor<T> drawn = drawn_surplus(r, "actor_surplus", kActorDraw);
  const Tensor<T> of_action = surplus_over<T>(r, drawn, q_cost, v_cost, nullptr),
                  of_state = surplus_over<T>(r, drawn, v_cost, q_cost, r.scalar(kGreatestBudget));
  const Tensor<T> seen = concatenate<T>(tape, {states, of_state});
  const auto out =
      r.apply({{kReward.q, Weights::constant, pairs_of(r, of_action)}, {kReward.v, Weights::constant, seen}});
  const Estimates<T> estimates = {{nullptr, believed(r, kReward, out[0]), out[1], nullptr},
                                  {nullptr, q_cost, v_cost, nullptr}};
  const Tensor<T> dropout =
      dropout_factors<T>(tape, {1, states->shape.rows, r.settings().resolved_actor_hidden().back()}, kDropped,
                         r.seed(), r.state(), 0);
  r.trace("dropout", dropout);
  imitate(r, kActor, seen, dropout, estimates, {1, 0});
  imitate(r, kSafeActor, states, dropout, estimates, {0, 1});
}

/// Values at the beginning of an episode that may cost the limit.
template <class T>
std::vector<std::pair<std::string, Tensor<T>>> inspect(Recorder<T>& r) {
  const Tensor<T> states = r.batch().observations, end = r.scalar(kRegionEnd),
                  greatest = r.scalar(kGreatestBudget);
  const auto [q_cost, v_cost] = costs_of(r, r.pairs());
  const auto seen = [&](Tensor<T> cost, auto... actions) {
    return concatenate<T>(r.tape(), {states, surplus_over<T>(r, end, cost, nullptr, greatest), actions...});
  };
  const auto out = r.apply({{kReward.v, Weights::constant, seen(v_cost)},
                            {kReward.q, Weights::follower, seen(q_cost, r.batch().actions)}});
  return {{"v_r", out[0]},
          {"v_c", v_cost},
          {"q_r", believed(r, kReward, out[1])},
          {"q_c", q_cost},
          {"safe", within_end(r.tape(), v_cost, end)}};
}

/// What a state may cost at most: the data's greatest cost, for ever.
template <class T>
Scalar<T> greatest_surplus(const Settings& settings, const DataFacts<T>& facts) {
  const double cost = std::isfinite(facts.costs.greatest) ? static_cast<double>(facts.costs.greatest) : 0;
  Scalar<T> scalar;
  scalar.name = kGreatestBudget;
  scalar.fixed = cost / (1 - settings.discount);
  return scalar;
}

}  // namespace

template <class T>
Method<T> bcrl_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts) {
  Method<T> method;
  method.name = "bcrl";
  method.networks.networks = iql_networks(settings, dimensions);
  const Columns observation{"observation", dimensions.observation}, surplus{kSurplusInput, 1};
  for (Network& network : method.networks.networks) {
    const bool of_reward = network.name == kReward.q || network.name == kReward.v,
               value = network.name == kReward.v || network.name == kCost.v;
    if (of_reward) network.inputs.insert(network.inputs.begin() + 1, surplus);
    network.layer_norm = network.norm_first = value && settings.layer_norm;
    network.clip_norm = kClipNorm;
    network.rate_stays = true;
  }
  for (const auto& [names, inputs] :
       {std::pair{kActor, std::vector{observation, surplus}}, {kSafeActor, std::vector{observation}}})
    declare_gaussian_network(settings, names, inputs, settings.resolved_actor_hidden(), dimensions.chunk(), 1,
                             method.networks);
  method.scalars = {region_end(settings, facts), episode_steps(facts), greatest_surplus(settings, facts)};
  const auto stage = [&](const char* name, std::vector<std::string> trains, auto record) {
    const auto steps = [](const Settings& s) { return s.steps; };
    method.stages.push_back(Stage<T>{name, std::move(trains), steps, record, true});
  };
  stage("cost values", {kCost.v}, learn_cost_values<T>);
  stage("cost critics", {kCost.q}, learn_cost_critics<T>);
  stage("values", {kReward.v}, learn_values<T>);
  stage("critics", {kReward.q}, learn_critics<T>);
  stage("actors",
        {kActor.trunk, kActor.mean, kActor.log_deviation, kSafeActor.trunk, kSafeActor.mean,
         kSafeActor.log_deviation},
        learn_actors<T>);
  method.inspect = inspect<T>;
  method.acting = judging_networks();
  act_by_mean(kActor, method.acting);
  method.acting.safe_trunk = kSafeActor.trunk;
  method.acting.safe_mean = kSafeActor.mean;
  method.acting.switch_by = Selection::surplus;
  return method;
}

template Method<float> bcrl_method(const Settings&, Dimensions, const DataFacts<float>&);
template Method<double> bcrl_method(const Settings&, Dimensions, const DataFacts<double>&);

}  // namespace r2pac
