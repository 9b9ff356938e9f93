#include "model/budget.h"

#include <algorithm>
#include <cmath>

#include "model/region.h"

namespace r2pac {
namespace {

bool sees_budget(const Network& network) {
  return std::ranges::any_of(network.inputs, [](const Columns& input) { return input.name == kBudget; });
}

/// What networks see of budgets [1, B, 1].
template <class T>
Tensor<T> inputs_of(Recorder<T>& r, const std::string& name, Tensor<T> budget) {
  const Tensor<T> greatest = r.scalar(kGreatestBudget), input = r.tape().value(name, budget->shape);
  r.tape().row_operation(
      name, budget->shape.rows, {budget, greatest}, {input},
      [=, scale = static_cast<T>(r.settings().cost_scale)](const Slice& slice) {
        return BudgetInputs<T>{budget->view(slice), greatest->whole().data, scale, input->view(slice)};
      });
  return input;
}

}  // namespace

template <class T>
Scalar<T> greatest_budget(const Settings& settings, const DataFacts<T>& facts) {
  Settings greatest = settings;
  greatest.cost_limit = std::max(settings.greatest_limit, settings.cost_limit);
  Scalar<T> scalar;
  scalar.name = kGreatestBudget;
  scalar.fixed = facts.longest_episode > 0 ? limit_as_value(greatest, facts.longest_episode) : 0;
  return scalar;
}

void see_budgets(Declaration& declaration, const std::vector<std::string>& networks) {
  for (Network& network : declaration.networks)
    if (std::ranges::find(networks, network.name) != networks.end())
      network.inputs.insert(network.inputs.begin() + 1, {kBudget, 1});  // after the observation
}

template <class T>
bool sees_budgets(Recorder<T>& r) {
  return std::ranges::any_of(r.networks().declaration().networks, sees_budget);
}

template <class T>
Tensor<T> budgets(Recorder<T>& r) {
  return r.template once<Tensor<T>>("budgets", [&] {
    const int rows = r.settings().batch;
    const Tensor<T> budget = r.tape().value("budget", {1, rows, 1});
    if (r.in_order()) {
      const Tensor<T> end = r.scalar(kRegionEnd);
      r.tape().row_operation("budgets", rows, {end}, {budget}, [=](const Slice& slice) {
        return Broadcast<T>{end->whole().data, budget->view(slice)};
      });
      return budget;
    }
    const Tensor<T> greatest = r.scalar(kGreatestBudget);
    r.tape().row_operation(
        "budgets", rows, {greatest, r.tape().place(r.state())}, {budget},
        [=, seed = r.seed(), state = r.state(),
         scale = static_cast<T>(r.settings().cost_scale)](const Slice& slice) {
          return DrawBudgets<T>{seed, state, slice.first, greatest->whole().data, scale, budget->view(slice)};
        });
    r.trace("budget", budget);
    return budget;
  });
}

template <class T>
Tensor<T> next_budgets(Recorder<T>& r) {
  return r.template once<Tensor<T>>("next budgets", [&] {
    const Tensor<T> budget = budgets(r), costs = r.batch().costs, greatest = r.scalar(kGreatestBudget),
                    next = r.tape().value("next_budget", budget->shape);
    r.tape().row_operation("next budgets", budget->shape.rows, {budget, costs, greatest}, {next},
                           [=, discount = static_cast<T>(std::pow(r.settings().discount, r.chunk_length()))](
                               const Slice& slice) {
                             return NextBudgets<T>{budget->view(slice), costs->view(slice),
                                                   greatest->whole().data, discount, next->view(slice)};
                           });
    r.trace("next_budget", next);
    return next;
  });
}

template <class T>
Tensor<T> seen_states(Recorder<T>& r, const std::string& network, Moment moment) {
  const bool before = moment == Moment::before;
  const Tensor<T> observations = before ? r.batch().observations : r.batch().next_observations;
  if (!sees_budget(r.networks().declared(network))) return observations;
  const std::string name = before ? "budget input" : "next budget input";
  return r.template once<Tensor<T>>("states beside the " + name, [&] {
    const Tensor<T> input = inputs_of(r, name, before ? budgets(r) : next_budgets(r));
    return concatenate<T>(r.tape(), {observations, input});
  });
}

template <class T>
Tensor<T> seen_pairs(Recorder<T>& r, const std::string& network) {
  if (!sees_budget(r.networks().declared(network))) return r.pairs();
  return r.template once<Tensor<T>>("pairs beside budgets", [&] {
    return concatenate<T>(r.tape(), {seen_states(r, network), r.batch().actions});
  });
}

#define R2_INSTANTIATE(T)                                                   \
  template Scalar<T> greatest_budget(const Settings&, const DataFacts<T>&); \
  template bool sees_budgets(Recorder<T>&);                                 \
  template Tensor<T> budgets(Recorder<T>&);                                 \
  template Tensor<T> next_budgets(Recorder<T>&);                            \
  template Tensor<T> seen_states(Recorder<T>&, const std::string&, Moment); \
  template Tensor<T> seen_pairs(Recorder<T>&, const std::string&);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
