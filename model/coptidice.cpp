// COptiDICE (Lee et al., 2022), in the form of the published code and in a consistent one; docs/methods.md
// says in what they differ.
#include <cmath>

#include "engine/losses.h"
#include "engine/optidice.h"
#include "model/gaussian_network.h"
#include "model/method.h"
#include "model/region.h"

namespace r2pac {
namespace {

constexpr char kNu[] = "nu", kChi[] = "chi";
constexpr char kMultiplier[] = "cost_multiplier", kTemperature[] = "bound_temperature";  // before softplus

// Constants of the published code.
constexpr double kAlpha = 0.5;             // of the divergence from the data
constexpr double kBoundDivergence = 0.01;  // of the bound's weights from the batch
constexpr double kNoise = 0.1;             // on what the actor imitates, in deviations of the data

/// The draws of normal noise within a step.
enum Draw : int { kObservationNoise, kActionNoise };

template <class T>
Transitions<T> transitions(Recorder<T>& r) {
  return r.template once<Transitions<T>>("transitions", [&] {
    const Batch<T> b = r.batch();
    const Tensor<T> initial = r.tape().value("initial", b.mask->shape);
    r.tape().row_operation("initial states", b.mask->shape.rows, {r.tape().place(r.state())}, {initial},
                           [=, source = r.source(), seed = r.seed(), state = r.state()](const Slice& slice) {
                             return GatherSteps<T>{source, source.initial, seed,
                                                   state,  slice.first,    initial->view(slice)};
                           });
    r.trace("initial", initial);
    const double discount = r.settings().discount;
    return Transitions<T>{b.rewards, b.costs,  b.mask,
                          initial,   discount, (1 - discount) / r.facts().initial_share};
  });
}

/// softplus of a learned number, in each row, as the step found it.
template <class T>
Tensor<T> positive(Recorder<T>& r, const char* table, Gradient gradient) {
  Networks<T>& networks = r.networks();
  return activate(
      r.tape(),
      free_vector(r.tape(), networks.online, networks.table(table), r.batch().mask->shape.rows, gradient),
      Activation::softplus);
}
template <class T>
Tensor<T> cost_multiplier(Recorder<T>& r) {
  return r.template once<Tensor<T>>(kMultiplier,
                                    [&] { return positive(r, kMultiplier, Gradient::constant); });
}

/// The least of the twins' answers in the states before and after the transitions.
template <class T>
std::pair<Tensor<T>, Tensor<T>> least(Recorder<T>& r, const char* network, Weights weights) {
  const Batch<T> b = r.batch();
  const auto out = r.apply({{network, weights, b.observations}, {network, weights, b.next_observations}});
  return {ensemble_min(r.tape(), out[0]), ensemble_min(r.tape(), out[1])};
}

/// Learns a positive number x by the loss x (goal - measured).
template <class T>
void learn_number(Recorder<T>& r, const char* table, double goal, Tensor<T> measured) {
  const Tensor<T> x = positive(r, table, Gradient::learn);
  const std::string name = std::string("loss ") + table;
  r.loss(std::string(table) + "_goal", linear_loss(r.tape(), name + " goal", x, goal));
  r.loss(table, linear_loss(r.tape(), name, x, -1, in_each_row(r.tape(), measured, x->shape.rows)));
}

/// nu, chi, the cost's multiplier and the bound's temperature, each from the others as the step found them.
template <class T>
void learn_ratios(Recorder<T>& r) {
  Tape<T>& tape = r.tape();
  const Transitions<T> batch = transitions(r);
  const auto [nu, nu_next] = least(r, kNu, Weights::learning);
  const auto [chi, chi_next] = least(r, kChi, Weights::learning);
  const Ratios<T> ratios = dice_ratios(tape, batch, cost_multiplier(r), nu, nu_next, kAlpha);
  r.loss(kNu, dice_loss(tape, "loss nu", batch, nu, nu_next, ratios, kAlpha));
  const CostBound<T> bound = cost_bound(tape, "loss chi", batch, ratios.ratio, chi, chi_next,
                                        positive(r, kTemperature, Gradient::constant), r.state());
  r.loss(kChi, bound.loss);
  learn_number(r, kTemperature, kBoundDivergence, bound.divergence);
  // The bound is of the cost a step; the published code holds it against a discounted sum of steps.
  double limit = limit_as_value(r.settings(), r.facts().longest_episode);
  if (r.settings().form == Form::consistent) limit *= 1 - r.settings().discount;
  learn_number(r, kMultiplier, limit, bound.cost);
  r.mean("ratio", ratios.ratio);
  r.mean("bound_of_cost", in_each_row(tape, bound.cost, ratios.ratio->shape.rows));
  r.mean("multiplier", cost_multiplier(r));
  r.trace_batch();
  r.trace("ratio", ratios.ratio);
}

/// The actor imitates disturbed transitions, each by its ratio with the new nu.
template <class T>
void learn_actor(Recorder<T>& r) {
  Tape<T>& tape = r.tape();
  const Batch<T> b = r.batch();
  const auto disturbed = [&](Tensor<T> x, const T* deviation, const char* name, int which) {
    const Tensor<T> noise = normal_noise(tape, x->shape.rows, x->shape.cols, r.seed(), r.state(), which);
    r.trace(name, noise);
    return perturbed(tape, x, deviation, kNoise, noise);
  };
  const Tensor<T> states =
      disturbed(b.observations, r.source().observation_deviation, "noise_observations", kObservationNoise);
  Tensor<T> actions = disturbed(b.actions, r.source().action_deviation, "noise_actions", kActionNoise);
  // The actor acts by tanh of its mean, which the published code leaves out here.
  if (r.settings().form == Form::consistent) actions = before_tanh(tape, actions);
  const auto [nu, nu_next] = least(r, kNu, Weights::constant);
  const Ratios<T> ratios = dice_ratios(tape, transitions(r), cost_multiplier(r), nu, nu_next, kAlpha);
  const auto heads = gaussian_heads(r, kActor, Weights::learning, states);
  r.loss("actor", gaussian_loss(tape, "loss actor", heads.mean, heads.log_deviation, actions, ratios.ratio,
                                kActorRange<T>));
}

}  // namespace

template <class T>
Method<T> coptidice_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>&) {
  Method<T> method;
  method.name = "coptidice";
  Network values;
  values.name = kNu;
  values.inputs = {{"observation", dimensions.observation}};
  values.count = 2;
  values.hidden = settings.hidden;
  values.activation = settings.activation;
  method.networks.networks = {values, values};
  method.networks.networks[1].name = kChi;
  declare_gaussian_network(settings, kActor, values.inputs, settings.resolved_actor_hidden(),
                           dimensions.chunk(), 1, method.networks);
  method.networks.tables = {{kMultiplier, kNu, 1, 1, TableStart::one},
                            {kTemperature, kChi, 1, 1, TableStart::one}};
  const auto steps = [](const Settings& s) { return s.steps; };
  method.stages = {
      {"ratios", {kNu, kChi}, steps, learn_ratios<T>, true},
      {"actor", {kActor.trunk, kActor.mean, kActor.log_deviation}, steps, learn_actor<T>, false}};
  act_by_mean(kActor, method.acting);
  return method;
}

template Method<float> coptidice_method(const Settings&, Dimensions, const DataFacts<float>&);
template Method<double> coptidice_method(const Settings&, Dimensions, const DataFacts<double>&);

}  // namespace r2pac
