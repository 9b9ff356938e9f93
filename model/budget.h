// Budgets as an input of networks (BUDGETED.md): what the rest of an episode may cost, as a discounted and
// scaled value like V_c.
#pragma once

#include <string>
#include <vector>

#include "model/method.h"

namespace r2pac {

/// The name of the input, which follows the observation.
inline constexpr char kBudget[] = "budget";

/// The name of the greatest budget that networks have seen.
inline constexpr char kGreatestBudget[] = "greatest_budget";

/// That budget as the settings choose it: their greatest limit as a value.
template <class T>
Scalar<T> greatest_budget(const Settings& settings, const DataFacts<T>& facts);

/// Lets the networks of these names see the budget, too.
void see_budgets(Declaration& declaration, const std::vector<std::string>& networks);

/// Whether any network of the recording sees budgets.
template <class T>
bool sees_budgets(Recorder<T>& r);

/// The budget of each window before its chunk, [1, B, 1]: drawn for the step, or the cost limit as a value
/// where the batch is windows in order.
template <class T>
Tensor<T> budgets(Recorder<T>& r);
/// What is left of it after the chunk, as seen from the state there, [1, B, 1].
template <class T>
Tensor<T> next_budgets(Recorder<T>& r);

/// Which state of the batch's windows.
enum class Moment { before, after };

/// What the network sees of the states: observations [1, B, S], or with the budgets beside them [1, B, S +
/// 1].
template <class T>
Tensor<T> seen_states(Recorder<T>& r, const std::string& network, Moment moment = Moment::before);
/// The same before the chunks, and the chunks beside it.
template <class T>
Tensor<T> seen_pairs(Recorder<T>& r, const std::string& network);

}  // namespace r2pac
