// Choosing one of several sampled chunks (PAPER.md, SELECT).
#pragma once

#include <optional>
#include <string_view>

#include "base/host_device.h"

namespace r2pac {

/// Which candidate is executed.
enum class Selection {
  least_cost,  ///< the one of least Q_c, whatever its reward
  region,  ///< in a safe state (V_c <= threshold) the one of greatest Q_r among those with Q_c <= threshold;
           ///< where there is none, or the state is not safe, the one of least Q_c
};

/// "least-cost" or "region", as settings and --select spell it.
constexpr const char* selection_name(Selection selection) {
  return selection == Selection::least_cost ? "least-cost" : "region";
}

/// The selection of that name, if there is one.
constexpr std::optional<Selection> selection_of(std::string_view name) {
  for (const Selection selection : {Selection::least_cost, Selection::region})
    if (name == selection_name(selection)) return selection;
  return std::nullopt;
}

/// What a choice knows of one candidate.
template <class T>
struct CandidateScore {
  T cost;    ///< Q_c, the greatest of the critics
  T reward;  ///< Q_r, the least of the critics
};

namespace formula {

/// Whether a later candidate's cost beats the best so far: of equal ones the first stays, and a NaN is beaten
/// by all.
template <class T>
R2_FORMULA bool beats(T cost, T best) {
  return cost < best || best != best;
}

/// The same in a safe state under Selection::region with its threshold. A candidate with a NaN in either
/// score is beaten by all that have none.
template <class T>
R2_FORMULA bool beats_in_region(const CandidateScore<T>& later, const CandidateScore<T>& best, T threshold) {
  if (later.cost != later.cost || later.reward != later.reward) return false;
  if (best.cost != best.cost || best.reward != best.reward) return true;
  const bool admissible = later.cost <= threshold, best_admissible = best.cost <= threshold;
  if (admissible != best_admissible) return admissible;
  return admissible ? later.reward > best.reward : later.cost < best.cost;
}

}  // namespace formula

/// The index of the least cost [candidates]; of several equal ones the first. A NaN is never chosen unless
/// all are.
template <class T>
int least_cost(const T* cost, int candidates);

/// The index that Selection::region chooses by costs and rewards [candidates] in a state of value v_cost; of
/// equal ones the first. A NaN is never chosen unless all are.
template <class T>
int best_by_region(const T* cost, const T* reward, int candidates, T v_cost, T threshold);

}  // namespace r2pac
