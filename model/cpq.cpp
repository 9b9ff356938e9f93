// Constraints Penalized Q-learning (Xu, Zhan and Zhu, 2022), in the form of the published code and in a
// consistent one; docs/methods.md says in what they differ.
#include <array>
#include <cmath>

#include "engine/losses.h"
#include "model/gaussian_network.h"
#include "model/method.h"
#include "model/region.h"

namespace r2pac {
namespace {

constexpr char kQReward[] = "q_r", kQCost[] = "q_c", kDecoder[] = "decoder";
constexpr GaussianNetwork kEncoder{"encoder", "latent_mean", "latent_log_deviation"};
constexpr char kLimit[] = "limit_value";  // the cost limit as a discounted value
constexpr char kLogMultiplier[] = "log_multiplier";

// Constants of the published code.
constexpr double kActorRate = 0.1;  // of the critics' rate
constexpr double kDivergenceWeight = 0.5;
constexpr int kFarSamples = 10;
constexpr double kFarQuantile = 0.75;  // of all samples' divergences; beyond it a sample is far from the data
constexpr double kFarGoal = 1.5;       // value that far actions should reach, in cost limits
constexpr double kMultiplierRate = 1e-4, kGreatestLogMultiplier = 5;

/// The draws of normal noise within a step.
enum Draw : int { kLatent, kNextReward, kNextCost, kOwnAction, kFarActions };

template <class T>
constexpr DeviationRange<T> kLatentRange{-4, 15};

/// Whether the auto-encoder, the far actions and the multiplier are part of the step.
bool penalizes_far_actions(const Settings& settings) {
  return settings.form == Form::consistent || settings.dead_terms;
}

template <class T>
Tensor<T> noise(Recorder<T>& r, const std::string& name, int cols, int which) {
  const Tensor<T> drawn =
      normal_noise(r.tape(), r.batch().mask->shape.rows, cols, r.seed(), r.state(), which);
  r.trace("noise_" + name, drawn);
  return drawn;
}

/// A sample of the actor in the states, before tanh.
template <class T>
Tensor<T> sampled(Recorder<T>& r, Weights weights, Tensor<T> states, const std::string& name, int which) {
  const auto heads = gaussian_heads(r, kActor, weights, states);
  return gaussian_sample(r.tape(), heads.mean, heads.log_deviation,
                         noise(r, name, heads.mean->shape.cols, which), kActorRange<T>);
}

/// States beside actions that are sampled in them.
template <class T>
Tensor<T> sampled_pairs(Recorder<T>& r, Weights weights, Tensor<T> states, const std::string& name,
                        int which) {
  const Tensor<T> action = activate(r.tape(), sampled(r, weights, states, name, which), Activation::tanh);
  return concatenate<T>(r.tape(), {states, action});
}

/// The auto-encoder of actions, given the state.
template <class T>
void learn_auto_encoder(Recorder<T>& r) {
  Tape<T>& tape = r.tape();
  const Batch<T> batch = r.batch();
  const auto latent = gaussian_heads(r, kEncoder, Weights::learning, r.pairs());
  const Tensor<T> code =
      gaussian_sample(tape, latent.mean, latent.log_deviation,
                      noise(r, "latent", latent.mean->shape.cols, kLatent), kLatentRange<T>);
  const Tensor<T> seen = concatenate<T>(tape, {batch.observations, code});
  const Tensor<T> action =
      activate(tape, r.apply({{kDecoder, Weights::learning, seen}}).front(), Activation::tanh);
  r.loss("reconstruction", squared_error_loss(tape, "loss reconstruction", action, batch.actions));
  r.loss("divergence", divergence_loss(tape, "loss divergence", latent.mean, latent.log_deviation,
                                       kLatentRange<T>, kDivergenceWeight));
}

/// The reward critics' target counts no next action whose cost is beyond the limit.
template <class T>
void learn_reward(Recorder<T>& r) {
  Tape<T>& tape = r.tape();
  const Batch<T> batch = r.batch();
  const Tensor<T> next =
      sampled_pairs(r, Weights::constant, batch.next_observations, "next_reward", kNextReward);
  const auto q = r.apply({{kQReward, Weights::follower, next}, {kQCost, Weights::follower, next}});
  const Tensor<T> target = limited_backup(
      tape, "reward_target", batch.rewards, batch.mask, ensemble_min(tape, q[0]),
      std::pow(r.settings().discount, r.chunk_length()), ensemble_min(tape, q[1]), r.scalar(kLimit));
  const Tensor<T> learning = r.apply({{kQReward, Weights::learning, r.pairs()}}).front();
  r.loss(kQReward, squared_error_loss(tape, "loss q_r", learning, target));
  r.mean("target_q_r", target);
  r.trace_batch();
  r.trace("reward_target", target);
}

/// The mean value of cost of the sampled actions that the auto-encoder finds far from the data, others as
/// zeros, [1, B, 1].
template <class T>
Tensor<T> cost_of_far_actions(Recorder<T>& r) {
  Tape<T>& tape = r.tape();
  const bool consistent = r.settings().form == Form::consistent;
  const Tensor<T> states = r.batch().observations;
  std::vector<Tensor<T>> costs, divergences;
  for (int k = 0; k < kFarSamples; ++k) {
    Tensor<T> action = sampled(r, Weights::constant, states, "far." + std::to_string(k), kFarActions + k);
    if (consistent) action = activate(tape, action, Activation::tanh);
    const Tensor<T> pairs = concatenate<T>(tape, {states, action});
    const auto latent = gaussian_heads(r, kEncoder, Weights::constant, pairs);
    divergences.push_back(divergence(tape, latent.mean, latent.log_deviation, kLatentRange<T>));
    const Weights weights = consistent ? Weights::learning : Weights::follower;
    costs.push_back(ensemble_min(tape, r.apply({{kQCost, weights, pairs}}).front()));
  }
  const Tensor<T> distances = concatenate(tape, divergences);
  return mean_of_far(tape, concatenate(tape, costs), distances,
                     batch_quantile(tape, "far", distances, kFarQuantile, r.state()));
}

/// The cost critics' target follows the lesser of the twins; where far actions count, their values of cost
/// are raised.
template <class T>
void learn_cost(Recorder<T>& r) {
  Tape<T>& tape = r.tape();
  const Batch<T> batch = r.batch();
  const Tensor<T> next = sampled_pairs(r, Weights::constant, batch.next_observations, "next_cost", kNextCost);
  const Tensor<T> q = ensemble_min(tape, r.apply({{kQCost, Weights::follower, next}}).front());
  // The published code looks beyond genuine ends, too.
  const Tensor<T> mask = r.settings().form == Form::consistent ? batch.mask : nullptr;
  const Tensor<T> target = limited_backup(tape, "cost_target", batch.costs, mask, q,
                                          std::pow(r.settings().discount, r.chunk_length()));
  const Tensor<T> learning = r.apply({{kQCost, Weights::learning, r.pairs()}}).front();
  r.loss(kQCost, squared_error_loss(tape, "loss q_c", learning, target));
  r.mean("target_q_c", target);
  r.trace("cost_target", target);
  if (!penalizes_far_actions(r.settings())) return;
  const Tensor<T> far = r.template once<Tensor<T>>("far", [&] { return cost_of_far_actions(r); });
  constexpr double kRaise = -1;
  r.loss("far", linear_loss<T>(tape, "loss far", far, kRaise, nullptr, r.scalar(kLogMultiplier)));
  r.mean("far_q_c", far);
}

/// The multiplier moves after the cost critics, whose loss has it as a factor. Then the actor climbs the
/// reward critics wherever its action is within the limit.
template <class T>
void learn_actor(Recorder<T>& r) {
  Tape<T>& tape = r.tape();
  if (penalizes_far_actions(r.settings())) {
    const Tensor<T> far = r.template once<Tensor<T>>("far", [&] { return cost_of_far_actions(r); });
    const double goal = kFarGoal * limit_as_value(r.settings(), r.facts().longest_episode);
    dual_ascent(tape, r.scalar(kLogMultiplier), batch_mean(tape, "mean of far", far), kMultiplierRate, goal,
                kGreatestLogMultiplier);
  }
  const Tensor<T> pairs =
      sampled_pairs(r, Weights::learning, r.batch().observations, "own_action", kOwnAction);
  const auto q = r.apply({{kQReward, Weights::frozen, pairs}, {kQCost, Weights::constant, pairs}});
  const Tensor<T> within = within_end(tape, ensemble_min(tape, q[1]), r.scalar(kLimit));
  constexpr double kClimb = -1;
  r.loss("actor", linear_loss<T>(tape, "loss actor", ensemble_min(tape, q[0]), kClimb, within));
  r.mean("within", within);
}

}  // namespace

template <class T>
Method<T> cpq_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts) {
  Method<T> method;
  method.name = "cpq";
  Network critic;
  critic.name = kQReward;
  critic.inputs = {{"observation", dimensions.observation}, {"chunk", dimensions.chunk()}};
  critic.count = 2;
  critic.hidden = settings.hidden;
  critic.activation = settings.activation;
  critic.followed = true;
  method.networks.networks = {critic};
  // The actor lies between the critics, which move at different times and so must be no ensemble.
  declare_gaussian_network(settings, kActor, {{"observation", dimensions.observation}},
                           settings.resolved_actor_hidden(), dimensions.chunk(), kActorRate, method.networks);
  critic.name = kQCost;
  method.networks.networks.push_back(critic);

  const auto stage = [](const char* name, std::vector<std::string> trains, auto record) {
    return Stage<T>{name, std::move(trains), [](const Settings& s) { return s.steps; }, record, true};
  };
  if (penalizes_far_actions(settings)) {
    const int latent = 2 * dimensions.chunk();
    declare_gaussian_network(settings, kEncoder, critic.inputs, settings.vae_hidden, latent, 1,
                             method.networks);
    Network decoder;
    decoder.name = kDecoder;
    decoder.inputs = {{"observation", dimensions.observation}, {"latent", latent}};
    decoder.outputs = dimensions.chunk();
    decoder.hidden = settings.vae_hidden;
    decoder.activation = settings.activation;
    method.networks.networks.push_back(decoder);
    method.stages.push_back(stage("auto-encoder",
                                  {kEncoder.trunk, kEncoder.mean, kEncoder.log_deviation, kDecoder},
                                  learn_auto_encoder<T>));
    method.scalars.push_back({.name = kLogMultiplier, .fixed = {}, .start = 0, .column = {}, .reduce = {}});
  }
  method.scalars.push_back(
      {.name = kLimit,
       .fixed = facts.longest_episode > 0 ? limit_as_value(settings, facts.longest_episode) : 0,
       .start = {},
       .column = {},
       .reduce = {}});
  method.stages.push_back(stage("reward critic", {kQReward}, learn_reward<T>));
  method.stages.push_back(stage("cost critic", {kQCost}, learn_cost<T>));
  method.stages.push_back(stage("actor", {kActor.trunk, kActor.mean, kActor.log_deviation}, learn_actor<T>));
  act_by_mean(kActor, method.acting);
  return method;
}

template Method<float> cpq_method(const Settings&, Dimensions, const DataFacts<float>&);
template Method<double> cpq_method(const Settings&, Dimensions, const DataFacts<double>&);

}  // namespace r2pac
