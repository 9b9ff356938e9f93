#include "model/region.h"

#include <algorithm>
#include <cmath>

#include "acting/budget.h"
#include "engine/operations.h"
#include "kernels/reduce.h"
#include "model/budget.h"

namespace r2pac {
namespace {

/// The range of discounted sums, of any length, of values within `steps` (BOUNDS).
template <class T>
Range<T> sums_of(const Range<T>& steps, double discount) {
  const auto horizon = static_cast<T>(1 / (1 - discount));
  return {std::min(steps.least, T(0)) * horizon, std::max(steps.greatest, T(0)) * horizon};
}

template <class T>
TargetConstants<T> target_constants(const Settings& settings, const DataFacts<T>& facts, int chunk_length) {
  constexpr T kAnything = DataFacts<T>::kAnything;
  TargetConstants<T> constants{
      static_cast<T>(settings.discount), static_cast<T>(std::pow(settings.discount, chunk_length)),
      static_cast<T>(settings.penalty),  settings.penalty_reading,
      {-kAnything, kAnything},           {-kAnything, kAnything}};
  constants.feasibility_scale = static_cast<T>(settings.feasibility_scale);
  if (settings.bounded_values) {
    constants.cost_values = settings.backup == Backup::feasibility ? Range<T>{-1, constants.feasibility_scale}
                                                                   : sums_of(facts.costs, settings.discount);
    constants.reward_values = sums_of(facts.rewards, settings.discount);
    if (settings.penalty_reading != PenaltyReading::none)
      constants.reward_values.least =
          std::min(constants.reward_values.least, formula::penalty_target(constants));
  }
  if (settings.cost_ceiling > 0 && facts.longest_episode > 0) {
    const auto ceiling =
        static_cast<T>(settings.cost_ceiling * limit_as_value(settings, facts.longest_episode));
    constants.cost_values.greatest = std::min(constants.cost_values.greatest, ceiling);
  }
  return constants;
}

/// Where the region ends, [1, 1, 1] or for each window [1, B, 1].
template <class T>
Tensor<T> end_of_region(Recorder<T>& r) {
  return sees_budgets(r) ? budgets(r) : r.scalar(kRegionEnd);
}

void require_end(const char* operation, const Shape& rows, const Shape& end) {
  require_shape(operation, "region_end", end.rows == 1 ? Shape{1, 1, 1} : rows, end);
}

/// The region's end for the rows of a slice.
template <class T>
PerRow<T> ends(Tensor<T> region_end, const Slice& slice) {
  if (region_end->shape.rows == 1) return {region_end->whole().data, 0};
  return {region_end->view(slice).data, 1};
}

/// The costs of each window's steps, [1, B, h].
template <class T>
Tensor<T> step_costs(Recorder<T>& r) {
  const Tensor<T> mask = r.batch().mask,
                  costs = r.tape().value("step_costs", {1, mask->shape.rows, r.chunk_length()});
  r.tape().row_operation("costs of steps", mask->shape.rows, {r.tape().place(r.state())}, {costs},
                         [=, source = r.source(), seed = r.seed(), state = r.state()](const Slice& slice) {
                           return GatherSteps<T>{source, source.costs, seed,
                                                 state,  slice.first,  costs->view(slice)};
                         });
  r.trace("step_costs", costs);
  return costs;
}

}  // namespace

template <class T>
Tensor<T> feasibility_targets(Tape<T>& tape, Tensor<T> costs, Tensor<T> mask, Tensor<T> v_cost_next,
                              const TargetConstants<T>& constants) {
  const Tensor<T> target = tape.value("cost_target", mask->shape);
  tape.row_operation("feasibility targets", mask->shape.rows, {costs, mask, v_cost_next}, {target},
                     [=](const Slice& slice) {
                       return FeasibilityTargets<T>{costs->view(slice), mask->view(slice),
                                                    v_cost_next->view(slice), constants, target->view(slice)};
                     });
  return target;
}

double limit_as_value(const Settings& settings, std::int64_t steps) {
  return spread_as_value(settings.cost_limit * settings.cost_scale, settings.discount,
                         static_cast<double>(steps));
}

template <class T>
Scalar<T> region_end(const Settings& settings, const DataFacts<T>& facts) {
  Scalar<T> scalar;
  scalar.name = kRegionEnd;
  if (settings.threshold == Threshold::zero) scalar.fixed = 0;
  if (settings.threshold == Threshold::limit)
    scalar.fixed = facts.longest_episode > 0 ? limit_as_value(settings, facts.longest_episode) : 0;
  scalar.column = [](Recorder<T>& r) {
    return r.apply({{kCost.v, Weights::constant, r.batch().observations}}).front();
  };
  scalar.reduce = [alpha = settings.alpha](std::span<T> values) {
    std::vector<T> work(values.size());
    return quantile(values.data(), values.size(), alpha, work.data());
  };
  return scalar;
}

template <class T>
Tensor<T> updated_region_end(Recorder<T>& r, Tensor<T> v_cost) {
  const Tensor<T> end = r.scalar(kRegionEnd);
  const Settings& settings = r.settings();
  if (settings.threshold != Threshold::quantile) return end;
  require_shape("updated_region_end", "v_cost", {1, v_cost->shape.rows, 1}, v_cost->shape);
  r.tape().tasks(
      "threshold", 1, {v_cost, end, r.tape().place(r.state())}, {end},
      [=, alpha = settings.alpha, keep = settings.threshold_ema, state = r.state(), first = r.first_step(),
       &backend = r.tape().backend()](int, int, std::byte* scratch) {
        backend.update_threshold(v_cost->whole(), alpha, keep, state, first, end->whole().data,
                                 reinterpret_cast<T*>(scratch));
      },
      static_cast<std::size_t>(v_cost->shape.rows) * sizeof(T));
  return end;
}

template <class T>
Targets<T> critic_targets(Tape<T>& tape, const Batch<T>& batch, Tensor<T> v_reward_next,
                          Tensor<T> v_cost_next, Tensor<T> region_end, const TargetConstants<T>& constants) {
  const Shape shape = batch.rewards->shape;
  require_shape("critic_targets", "v_reward_next", shape, v_reward_next->shape);
  require_shape("critic_targets", "v_cost_next", shape, v_cost_next->shape);
  require_end("critic_targets", shape, region_end->shape);
  const Targets<T> t{tape.value("reward_target", shape), tape.value("cost_target", shape),
                     tape.value("unsafe", shape)};
  tape.row_operation("critic targets", shape.rows,
                     {batch.rewards, batch.costs, batch.mask, v_reward_next, v_cost_next, region_end},
                     {t.reward, t.cost, t.unsafe}, [=](const Slice& slice) {
                       return CriticTargets<T>{batch.rewards->view(slice),
                                               batch.costs->view(slice),
                                               batch.mask->view(slice),
                                               v_reward_next->view(slice),
                                               v_cost_next->view(slice),
                                               ends(region_end, slice),
                                               constants,
                                               t.reward->view(slice),
                                               t.cost->view(slice),
                                               t.unsafe->view(slice)};
                     });
  return t;
}

template <class T>
Targets<T> penalized_targets(Recorder<T>& r, Tensor<T> v_reward_next, Tensor<T> v_cost_next,
                             Tensor<T> region_end) {
  const auto constants = target_constants<T>(r.settings(), r.facts(), r.chunk_length());
  Targets<T> t = critic_targets(r.tape(), r.batch(), v_reward_next, v_cost_next, region_end, constants);
  if (r.settings().backup == Backup::feasibility)
    t.cost = feasibility_targets(r.tape(), step_costs(r), r.batch().mask, v_cost_next, constants);
  r.mean("unsafe", t.unsafe);
  for (const auto& [name, value] :
       {std::pair{"reward_target", t.reward}, {"cost_target", t.cost}, {"unsafe", t.unsafe}})
    r.trace(name, value);
  return t;
}

template <class T>
void learn_from_allowed(Recorder<T>& r, Tensor<T> next_end) {
  const auto [reward, cost] = learning_estimates(r);
  const Targets<T> target = penalized_targets(r, reward.v_next, cost.v_next, next_end);  // of no penalty
  const Tensor<T> allowed = allowed_chunks(r);
  learn(r, kReward, reward, target.reward, allowed);
  learn(r, kCost, cost, target.cost);
  r.mean("allowed", allowed);
  r.trace("allowed", allowed);
  trace_learning(r);
}

template <class T>
Tensor<T> optimality_labels(Tape<T>& tape, const Estimates<T>& estimates, Tensor<T> region_end,
                            LabelRule rule) {
  const Tensor<T> q_reward = estimates.reward.believed, v_reward = estimates.reward.v,
                  q_cost = estimates.cost.believed, v_cost = estimates.cost.v;
  const Shape shape = q_reward->shape;
  for (const Tensor<T> x : {q_reward, v_reward, q_cost, v_cost})
    require_shape("optimality_labels", x->name.c_str(), {1, shape.rows, 1}, x->shape);
  require_end("optimality_labels", shape, region_end->shape);
  const Tensor<T> label = tape.value("label", shape);
  tape.row_operation("labels", shape.rows, {q_reward, v_reward, q_cost, v_cost, region_end}, {label},
                     [=](const Slice& slice) {
                       return OptimalityLabels<T>{q_reward->view(slice),
                                                  v_reward->view(slice),
                                                  q_cost->view(slice),
                                                  v_cost->view(slice),
                                                  ends(region_end, slice),
                                                  label->view(slice),
                                                  rule};
                     });
  return label;
}

template <class T>
Tensor<T> optimality_label(Recorder<T>& r) {
  return optimality_labels(r.tape(), believed_estimates(r), end_of_region(r), r.settings().label_rule);
}

template <class T>
Tensor<T> advantage_weight(Recorder<T>& r) {
  const auto [reward, cost] = believed_estimates(r);
  const Tensor<T> end = end_of_region(r), weight = r.tape().value("weight", cost.v->shape);
  r.tape().row_operation(
      "advantage weights", cost.v->shape.rows, {reward.believed, reward.v, cost.believed, cost.v, end},
      {weight},
      [=, reward = reward, cost = cost, temperature = static_cast<T>(r.settings().advantage_temperature),
       log_cap = static_cast<T>(std::log(r.settings().weight_cap))](const Slice& slice) {
        return AdvantageWeights<T>{reward.believed->view(slice),
                                   reward.v->view(slice),
                                   cost.believed->view(slice),
                                   cost.v->view(slice),
                                   ends(end, slice),
                                   temperature,
                                   log_cap,
                                   weight->view(slice)};
      });
  return weight;
}

template <class T>
Tensor<T> within_end(Tape<T>& tape, Tensor<T> cost, Tensor<T> region_end) {
  require_end("within_end", cost->shape, region_end->shape);
  const Tensor<T> within = tape.value("safe", cost->shape);
  tape.row_operation("safe states", cost->shape.rows, {cost, region_end}, {within}, [=](const Slice& slice) {
    return SafeStates<T>{cost->view(slice), ends(region_end, slice), within->view(slice)};
  });
  return within;
}

template <class T>
Tensor<T> safe_states(Recorder<T>& r) {
  return within_end(r.tape(), believed_estimates(r).cost.v, end_of_region(r));
}

template <class T>
Tensor<T> allowed_chunks(Recorder<T>& r) {
  const Estimate<T> cost = believed_estimates(r).cost;
  const Tensor<T> end = end_of_region(r), allowed = r.tape().value("allowed", cost.v->shape);
  r.tape().row_operation("allowed chunks", cost.v->shape.rows, {cost.believed, cost.v, end}, {allowed},
                         [=](const Slice& slice) {
                           return AllowedChunks<T>{cost.believed->view(slice), cost.v->view(slice),
                                                   ends(end, slice), allowed->view(slice)};
                         });
  return allowed;
}

template <class T>
std::vector<std::pair<std::string, Tensor<T>>> inspect_values(Recorder<T>& r) {
  const auto [reward, cost] = believed_estimates(r);
  return {{"v_r", reward.v},
          {"v_c", cost.v},
          {"q_r", reward.believed},
          {"q_c", cost.believed},
          {"safe", safe_states(r)}};
}

template <class T>
std::vector<std::pair<std::string, Tensor<T>>> inspect_region(Recorder<T>& r) {
  auto columns = inspect_values(r);
  columns.insert(columns.end() - 1, {"label", optimality_label(r)});
  return columns;
}

#define R2_INSTANTIATE(T)                                                                        \
  template Scalar<T> region_end(const Settings&, const DataFacts<T>&);                           \
  template Tensor<T> updated_region_end(Recorder<T>&, Tensor<T>);                                \
  template Targets<T> penalized_targets(Recorder<T>&, Tensor<T>, Tensor<T>, Tensor<T>);          \
  template void learn_from_allowed(Recorder<T>&, Tensor<T>);                                     \
  template Tensor<T> optimality_label(Recorder<T>&);                                             \
  template Tensor<T> advantage_weight(Recorder<T>&);                                             \
  template Tensor<T> within_end(Tape<T>&, Tensor<T>, Tensor<T>);                                 \
  template Tensor<T> safe_states(Recorder<T>&);                                                  \
  template Tensor<T> allowed_chunks(Recorder<T>&);                                               \
  template std::vector<std::pair<std::string, Tensor<T>>> inspect_values(Recorder<T>&);          \
  template std::vector<std::pair<std::string, Tensor<T>>> inspect_region(Recorder<T>&);          \
  template Tensor<T> feasibility_targets(Tape<T>&, Tensor<T>, Tensor<T>, Tensor<T>,              \
                                         const TargetConstants<T>&);                             \
  template Targets<T> critic_targets(Tape<T>&, const Batch<T>&, Tensor<T>, Tensor<T>, Tensor<T>, \
                                     const TargetConstants<T>&);                                 \
  template Tensor<T> optimality_labels(Tape<T>&, const Estimates<T>&, Tensor<T>, LabelRule);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
