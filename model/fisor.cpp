// Feasibility-guided safe offline RL (Zheng et al., 2024), as published (docs/methods.md): critics of reward
// by implicit Q-learning, critics of feasibility, and a denoiser that imitates the data by weights of
// whichever counts in a state. Acting takes the most feasible of several denoised actions.
#include <cmath>
#include <limits>

#include "base/error.h"
#include "engine/losses.h"
#include "engine/sampling.h"
#include "model/denoiser.h"
#include "model/iql.h"
#include "model/method.h"
#include "model/region.h"

namespace r2pac {
namespace {

// Constants of the published code.
constexpr int kCriticRows = 256;  // of the batch, at most
constexpr double kCostTemperature = 5, kCostCap = 150;
constexpr int kPasses = 2;  // of the actor in a step, each over its part of the batch

int critic_rows(const Settings& settings) { return std::min(kCriticRows, settings.batch); }

/// Some rows of the step's windows, and their pairs with the actions kept inside their bounds.
template <class T>
struct Rows {
  Batch<T> batch;
  Tensor<T> actions, pairs;
};
template <class T>
Rows<T> rows_of_step(Recorder<T>& r, int first, int count) {
  return r.template once<Rows<T>>("rows " + std::to_string(first) + " " + std::to_string(count), [&] {
    const Batch<T> batch = r.batch_rows(first, count);
    const Tensor<T> actions = clamp_columns(r.tape(), batch.actions, kInnerActionBound);
    return Rows<T>{batch, actions, concatenate<T>(r.tape(), {batch.observations, actions})};
  });
}

/// What followers believe of the rows' actions, and the values of their states, as constants.
template <class T>
Estimates<T> estimates_of(Recorder<T>& r, const Rows<T>& rows) {
  const auto out = r.apply({{kReward.v, Weights::constant, rows.batch.observations},
                            {kCost.v, Weights::constant, rows.batch.observations},
                            {kReward.q, Weights::follower, rows.pairs},
                            {kCost.q, Weights::follower, rows.pairs}});
  return {{nullptr, believed(r, kReward, out[2]), out[0], nullptr},
          {nullptr, believed(r, kCost, out[3]), out[1], nullptr}};
}

/// The weights of rows in the imitation, times `factor`, [1, B, 1].
template <class T>
Tensor<T> imitation_weights(Recorder<T>& r, const Estimates<T>& estimates, double factor) {
  const auto [reward, cost] = estimates;
  const Tensor<T> weight = r.tape().value("weight", cost.v->shape);
  const auto scale = [](double temperature, double cap) {
    return formula::RegressionScale<T>{static_cast<T>(temperature), static_cast<T>(std::log(cap))};
  };
  r.tape().row_operation(
      "feasibility weights", cost.v->shape.rows, {reward.believed, reward.v, cost.believed, cost.v}, {weight},
      [=, reward = reward, cost = cost, of_cost = scale(kCostTemperature, kCostCap),
       of_reward = scale(r.settings().advantage_temperature, r.settings().weight_cap)](const Slice& slice) {
        return FeasibilityWeights<T>{reward.believed->view(slice),
                                     reward.v->view(slice),
                                     cost.believed->view(slice),
                                     cost.v->view(slice),
                                     of_reward,
                                     of_cost,
                                     static_cast<T>(factor),
                                     weight->view(slice)};
      });
  return weight;
}

/// A pass of the actor over its part of the batch: the squared error of the noise, a sum over columns.
template <class T>
void learn_actor(Recorder<T>& r, int pass) {
  const int count = r.settings().batch / kPasses;
  const Rows<T> rows = rows_of_step(r, pass * count, count);
  const DiffusionDraw<T> draw = draw_diffusion(r, count, pass);
  const Tensor<T> predicted = predicted_noise(r, draw, rows.batch.observations, rows.actions);
  const Tensor<T> weight = imitation_weights(r, estimates_of(r, rows), predicted->shape.cols);
  const std::string name = "actor." + std::to_string(pass);
  r.loss(name, squared_error_loss(r.tape(), "loss " + name, predicted, draw.noise, weight));
}

/// Expectiles of what the followers believe.
template <class T>
void learn_values(Recorder<T>& r) {
  const Rows<T> rows = rows_of_step(r, 0, critic_rows(r.settings()));
  const Estimates<T> now = estimates_of(r, rows);
  const auto learning = r.apply({{kReward.v, Weights::learning, rows.batch.observations},
                                 {kCost.v, Weights::learning, rows.batch.observations}});
  r.loss(kReward.v, expectile_loss(r.tape(), "loss v_r", learning[0], now.reward.believed,
                                   r.settings().expectile, kReward.side));
  r.loss(kCost.v, expectile_loss(r.tape(), "loss v_c", learning[1], now.cost.believed,
                                 r.settings().resolved_cost_expectile(), kCost.side));
  r.mean(kReward.q, now.reward.believed);
  r.mean(kCost.q, now.cost.believed);
  r.mean(kReward.v, now.reward.v);
  r.mean(kCost.v, now.cost.v);
}

/// The targets of feasibility critics are not clamped to what values can be.
template <class T>
TargetConstants<T> target_constants(const Settings& settings) {
  constexpr T kAnything = std::numeric_limits<T>::infinity();
  TargetConstants<T> constants{};
  constants.discount = static_cast<T>(settings.discount);
  constants.cost_values = {-kAnything, kAnything};
  constants.feasibility_scale = static_cast<T>(settings.feasibility_scale);
  return constants;
}

/// Critics follow the values, which have moved: the mean over twins of their squared error.
template <class T>
void learn_critics(Recorder<T>& r) {
  Tape<T>& tape = r.tape();
  const Rows<T> rows = rows_of_step(r, 0, critic_rows(r.settings()));
  const Batch<T>& batch = rows.batch;
  const auto out = r.apply({{kReward.v, Weights::constant, batch.next_observations},
                            {kCost.v, Weights::constant, batch.next_observations},
                            {kReward.q, Weights::learning, rows.pairs},
                            {kCost.q, Weights::learning, rows.pairs}});
  const Tensor<T> mean_of_q = mean_of_critics(r, out[2]);
  const Tensor<T> reward_target = limited_backup(tape, "reward_target", batch.rewards, batch.mask, out[0],
                                                 r.settings().discount),
                  cost_target = feasibility_targets(tape, batch.costs, batch.mask, out[1],
                                                    target_constants<T>(r.settings()));
  r.loss(kReward.q, squared_error_loss(tape, "loss q_r", out[2], reward_target, mean_of_q));
  r.loss(kCost.q, squared_error_loss(tape, "loss q_c", out[3], cost_target, mean_of_q));
  r.trace("reward_target", reward_target);
  r.trace("cost_target", cost_target);
}

}  // namespace

template <class T>
Method<T> fisor_method(const Settings& settings, Dimensions dimensions) {
  if (settings.batch < kPasses)
    throw Error(ExitCode::settings, "each pass of the actor in a step needs a row", "batch",
                "give " + std::to_string(kPasses) + " or more");
  Method<T> method;
  method.name = "fisor";
  method.networks.networks = iql_networks(settings, dimensions);
  declare_denoiser(settings, dimensions, method.networks);
  method.acting = judging_networks();
  method.acting.denoiser = denoiser_names(static_cast<int>(settings.resolved_actor_hidden().size()));
  method.acting.diffusion = kDiffusion;
  method.scalars = {region_end<T>(settings, {})};
  const auto stage = [&](const std::string& name, std::vector<std::string> trains, double share,
                         auto record) {
    const auto steps = [](const Settings& s) { return s.steps; };
    method.stages.push_back(Stage<T>{name, std::move(trains), steps, record, true, share});
  };
  const DenoiserNames& names = method.acting.denoiser;
  std::vector<std::string> actor = {names.time, names.entrance, names.exit};
  actor.insert(actor.end(), names.blocks.begin(), names.blocks.end());
  for (int pass = 0; pass < kPasses; ++pass)
    stage("actor " + std::to_string(pass), actor, 1.0 / kPasses,
          [pass](Recorder<T>& r) { learn_actor(r, pass); });
  const double share = static_cast<double>(critic_rows(settings)) / settings.batch;
  stage("values", {kReward.v, kCost.v}, share, learn_values<T>);
  stage("critics", {kReward.q, kCost.q}, share, learn_critics<T>);
  method.inspect = inspect_values<T>;
  return method;
}

template Method<float> fisor_method(const Settings&, Dimensions);
template Method<double> fisor_method(const Settings&, Dimensions);

}  // namespace r2pac
