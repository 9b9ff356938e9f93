#include "model/step.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace r2pac {
namespace {

/// What a discounted sum of steps in `steps` can be, of any length (BOUNDS).
template <class T>
Range<T> sums_of(const Range<T>& steps, double discount) {
  const auto horizon = static_cast<T>(1 / (1 - discount));
  return {std::min(steps.least, T(0)) * horizon, std::max(steps.greatest, T(0)) * horizon};
}

template <class T>
TargetConstants<T> target_constants(const Settings& settings, const StepInputs<T>& inputs) {
  constexpr T kAnything = std::numeric_limits<T>::infinity();
  TargetConstants<T> constants{static_cast<T>(settings.discount),
                               static_cast<T>(std::pow(settings.discount, inputs.source.chunk_length)),
                               static_cast<T>(settings.penalty),
                               settings.penalty_reading,
                               {-kAnything, kAnything},
                               {-kAnything, kAnything}};
  if (!settings.bounded_values) return constants;
  constants.cost_values = sums_of(inputs.costs, settings.discount);
  constants.reward_values = sums_of(inputs.rewards, settings.discount);
  if (settings.penalty_reading != PenaltyReading::none)
    constants.reward_values.least =
        std::min(constants.reward_values.least, formula::penalty_target(constants));
  return constants;
}

/// Which nets' pieces of the optimiser belong to which public network.
template <class T>
std::string owner(const Networks<T>& networks, int entry, int net) {
  const std::string& name = networks.online.entry(entry).name;
  if (name.rfind("q.", 0) == 0) return net < networks.critics_per_side() ? "q_r" : "q_c";
  if (name.rfind("v.", 0) == 0) return net == 0 ? "v_r" : "v_c";
  return "flow";
}

}  // namespace

template <class T>
Step<T>::Step(const Settings& settings, StepKind kind, const StepInputs<T>& inputs,
              std::shared_ptr<Device> device)
    : networks_(inputs.networks), device_(std::move(device)), kind_(kind) {
  device_->require_training();
  Networks<T>& nets = *inputs.networks;
  Tape<T> tape(device_);
  if (kind == StepKind::flow) {
    if (inputs.labels == nullptr) throw InvalidArgument("Step: the flow phase needs `labels`");
    const auto seed = static_cast<std::uint64_t>(settings.seed);
    const Batch<T> batch = draw_batch(tape, inputs.source, settings.batch, seed, inputs.state);
    traced_ = {{"observations", batch.observations}, {"actions", batch.actions}};
    record_flow(
        tape, settings, inputs, batch,
        stored_labels<T>(tape, inputs.labels, inputs.source.windows, settings.batch, seed, inputs.state));
  } else {
    record_critics(tape, settings, inputs, kind == StepKind::joint);
  }
  if (inputs.trace)
    for (const auto& [name, tensor] : traced_) tape.keep(tensor);
  tape.backward();
  if (inputs.update) {
    const int first = kind == StepKind::flow ? nets.values_end() : 0;
    const int last = kind == StepKind::critics ? nets.values_end() : nets.flow_end();
    int pieces = 0;
    for (int entry = first; entry < last; ++entry) pieces += nets.online.entry(entry).shape.nets;
    squares_ = tape.kept("squared gradients", {1, pieces, 1});
    const AdamSettings adam{settings.learning_rate, settings.adam_beta1, settings.adam_beta2,
                            settings.adam_epsilon, settings.polyak};
    std::vector<Tensor<T>> losses;
    for (const auto& [name, loss] : losses_) losses.push_back(loss);
    optimizer_step(tape, nets.online, kind == StepKind::flow ? nullptr : &nets.target, first, last, adam,
                   inputs.state, inputs.first_step, losses, squares_);
  }
  program_ = tape.finish();
}

/// On the CPU each network by itself; on a device of whole batches the networks of one input in one call per
/// layer, and V at s and s' as one batch. Targets and labels pass no gradient back.
template <class T>
auto Step<T>::estimate(Tape<T>& tape, Networks<T>& nets, Networks<T>& reference, const Batch<T>& batch)
    -> Estimates {
  const Tensor<T> pairs = concatenate<T>(tape, {batch.observations, batch.actions});
  const bool stacked = tape.device().whole_batches() && &reference == &nets && nets.value.norms.empty();
  Estimates e;
  if (stacked) {
    const int rows = batch.observations->shape.rows, critics = 2 * nets.critics_per_side();
    const Tensor<T> v =
        apply(tape, nets.online, nets.value, stack_rows(tape, batch.observations, batch.next_observations));
    const Tensor<T> q = apply(tape, nets.online, nets.critic_and_target(), pairs);
    e.v = e.v_seen = tape.row_range(v, 0, rows);
    e.v_next = tape.row_range(v, rows, rows);
    e.q = tape.members(q, 0, critics);
    e.q_target = tape.members(q, critics, critics);
    return e;
  }
  e.v = e.v_seen = apply(tape, nets.online, nets.value, batch.observations);
  {
    const typename Tape<T>::NoGradient constant(tape);
    if (&reference != &nets) e.v_seen = apply(tape, reference.online, reference.value, batch.observations);
    e.v_next = apply(tape, reference.online, reference.value, batch.next_observations);
    e.q_target = apply(tape, reference.target, reference.critic, pairs);
  }
  e.q = apply(tape, nets.online, nets.critic, pairs);
  return e;
}

/// Targets, critic losses and value losses; the flow too if the schedule is joint.
template <class T>
void Step<T>::record_critics(Tape<T>& tape, const Settings& settings, const StepInputs<T>& inputs,
                             bool with_flow) {
  Networks<T>& nets = *inputs.networks;
  Networks<T>& reference = inputs.reference != nullptr ? *inputs.reference : nets;
  const int side = nets.critics_per_side();
  const auto seed = static_cast<std::uint64_t>(settings.seed);
  const Tensor<T> threshold = tape.external("threshold", {1, 1, 1}, inputs.threshold);

  const Batch<T> batch = draw_batch(tape, inputs.source, settings.batch, seed, inputs.state);
  const auto [q, q_target, v, v_seen, v_next] = estimate(tape, nets, reference, batch);
  const Tensor<T> q_reward = ensemble_min(tape, tape.members(q_target, 0, side));
  const Tensor<T> q_cost = ensemble_max(tape, tape.members(q_target, side, side));

  // The threshold of the safe region; everything below waits for it.
  if (!inputs.fixed_threshold)
    record_threshold(tape, tape.members(v_seen, 1, 1), settings.alpha, settings.threshold_ema, inputs.state,
                     inputs.first_step, threshold);

  const Targets<T> target =
      critic_targets(tape, batch, tape.members(v_next, 0, 1), tape.members(v_next, 1, 1), threshold,
                     target_constants(settings, inputs));
  const Tensor<T> v_reward = tape.members(v, 0, 1), v_cost = tape.members(v, 1, 1);
  losses_ = {{"q_r", squared_error_loss(tape, "loss q_r", tape.members(q, 0, side), target.reward)},
             {"q_c", squared_error_loss(tape, "loss q_c", tape.members(q, side, side), target.cost)},
             {"v_r", expectile_loss(tape, "loss v_r", v_reward, q_reward, settings.expectile, Side::upper)},
             {"v_c", expectile_loss(tape, "loss v_c", v_cost, q_cost, settings.expectile, Side::lower)}};
  means_ = {{"q_r", sum_of_means(tape, "mean q_r", q_reward)},
            {"q_c", sum_of_means(tape, "mean q_c", q_cost)},
            {"v_r", sum_of_means(tape, "mean v_r", v_reward)},
            {"v_c", sum_of_means(tape, "mean v_c", v_cost)},
            {"unsafe", sum_of_means(tape, "unsafe", target.unsafe)}};
  traced_ = {{"observations", batch.observations},
             {"actions", batch.actions},
             {"next_observations", batch.next_observations},
             {"rewards", batch.rewards},
             {"costs", batch.costs},
             {"mask", batch.mask},
             {"reward_target", target.reward},
             {"cost_target", target.cost},
             {"unsafe", target.unsafe},
             {"q_reward", q_reward},
             {"q_cost", q_cost}};
  if (with_flow)
    record_flow(tape, settings, inputs, batch,
                optimality_labels(tape, q_reward, tape.members(v_seen, 0, 1), q_cost,
                                  tape.members(v_seen, 1, 1), threshold));
}

/// The flow-matching loss of the labelled batch.
template <class T>
void Step<T>::record_flow(Tape<T>& tape, const Settings& settings, const StepInputs<T>& inputs,
                          const Batch<T>& batch, Tensor<T> label) {
  Networks<T>& nets = *inputs.networks;
  const auto seed = static_cast<std::uint64_t>(settings.seed);
  const Tensor<T> dropped = label_dropout(tape, label, settings.label_dropout, seed, inputs.state);
  const FlowSample<T> sample = draw_flow_sample(tape, batch.actions, seed, inputs.state);
  const Tensor<T> embedded = embedding(tape, nets.online, nets.label_table, dropped);
  const Tensor<T> input = concatenate<T>(tape, {batch.observations, embedded, sample.point, sample.time});
  const Tensor<T> velocity = apply(tape, nets.online, nets.velocity, input);
  losses_.emplace_back("flow", flow_matching_loss(tape, "loss flow", velocity, sample.noise, batch.actions));
  means_.emplace_back("good", sum_of_means(tape, "good", label));
  traced_.insert(
      traced_.end(),
      {{"label", label}, {"dropped_label", dropped}, {"noise", sample.noise}, {"flow_time", sample.time}});
}

/// The values of some kept tensors, one after the other, by one copy of the memory that they span: recorded
/// together, they lie together.
template <class T>
std::vector<T> Step<T>::fetch(const std::vector<Tensor<T>>& tensors) const {
  std::vector<T> values;
  if (tensors.empty()) return values;
  const auto first = [](Tensor<T> x) { return static_cast<const T*>(x->whole().data); };
  const T *begin = first(tensors.front()), *end = begin;
  for (const Tensor<T> x : tensors) {
    begin = std::min(begin, first(x));
    end = std::max(end, first(x) + x->shape.size());
  }
  std::vector<T> span(static_cast<std::size_t>(end - begin));
  device_->memory().copy_out(span.data(), begin, span.size() * sizeof(T));
  for (const Tensor<T> x : tensors) {
    const auto at = span.begin() + (first(x) - begin);
    values.insert(values.end(), at, at + static_cast<std::ptrdiff_t>(x->shape.size()));
  }
  return values;
}

template <class T>
auto Step<T>::read(const Named& scalars) const -> std::vector<std::pair<std::string, double>> {
  std::vector<Tensor<T>> tensors;
  for (const auto& scalar : scalars) tensors.push_back(scalar.second);
  const std::vector<T> fetched = fetch(tensors);
  std::vector<std::pair<std::string, double>> values;
  for (std::size_t i = 0; i < scalars.size(); ++i) {
    const std::string& name = scalars[i].first;
    values.emplace_back(name, static_cast<double>(fetched[i]) - (name == "good" ? double{kLabelBad} : 0.0));
  }
  return values;
}

template <class T>
std::vector<std::pair<std::string, double>> Step<T>::gradient_norms() const {
  std::vector<std::pair<std::string, double>> norms;
  if (squares_ == nullptr) return norms;
  const std::vector<T> squares = fetch({squares_});
  std::size_t piece = 0;
  const int first = kind_ == StepKind::flow ? networks_->values_end() : 0;
  for (int entry = first; piece < squares.size(); ++entry)
    for (int net = 0; net < networks_->online.entry(entry).shape.nets; ++net, ++piece) {
      const std::string name = owner(*networks_, entry, net);
      auto found =
          std::find_if(norms.begin(), norms.end(), [&](const auto& norm) { return norm.first == name; });
      if (found == norms.end()) found = norms.insert(norms.end(), {name, 0.0});
      found->second += static_cast<double>(squares[piece]);
    }
  for (auto& [name, sum] : norms) sum = std::sqrt(sum);
  return norms;
}

template class Step<float>;
template class Step<double>;

}  // namespace r2pac
