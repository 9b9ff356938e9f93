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
  within,  ///< of those with Q_c < bound the one of greatest Q_r, in whatever state; where there is none, the
           ///< one of least Q_c. Of methods that switch between actors, which no setting changes
  surplus,  ///< of two the first, unless the surplus of the bound over V_c is less than kLeastSurplus.
            ///< Likewise
};

/// Cost, as a value, that must be left beyond V_c for the first of two actors under Selection::surplus.
inline constexpr double kLeastSurplus = 0.1;

/// "least-cost" or "region", as settings and --select spell it; or "within" or "surplus".
constexpr const char* selection_name(Selection selection) {
  return selection == Selection::least_cost ? "least-cost"
         : selection == Selection::region   ? "region"
         : selection == Selection::within   ? "within"
                                            : "surplus";
}

/// The selection of that name, if there is one that can be chosen.
constexpr std::optional<Selection> selection_of(std::string_view name) {
  for (const Selection selection : {Selection::least_cost, Selection::region})
    if (name == selection_name(selection)) return selection;
  return std::nullopt;
}

/// Whether a choice asks for Q_r and reads a bound, and whether it asks for Q_c.
constexpr bool needs_reward(Selection selection) {
  return selection == Selection::region || selection == Selection::within;
}
constexpr bool needs_cost(Selection selection) { return selection != Selection::surplus; }

/// What a choice knows of one candidate.
template <class T>
struct CandidateScore {
  T q_cost;    ///< Q_c, the greatest of the critics
  T q_reward;  ///< Q_r, the least of the critics
};

namespace formula {

/// Which of two candidates acts under Selection::surplus. A NaN leaves the first.
template <class T>
R2_FORMULA int choice_by_surplus(T surplus) {
  return surplus < static_cast<T>(kLeastSurplus) ? 1 : 0;
}

/// Whether a later candidate's Q_c beats the best so far: of equal ones the first stays, and a NaN is beaten
/// by all.
template <class T>
R2_FORMULA bool beats(T q_cost, T best) {
  return q_cost < best || best != best;
}

/// The same in a safe state under Selection::region with its threshold, to which Q_c may be equal, or if
/// `strictly` under Selection::within, to which it may not. A candidate with a NaN in either score is beaten
/// by all that have none.
template <class T>
R2_FORMULA bool beats_in_region(const CandidateScore<T>& later, const CandidateScore<T>& best, T threshold,
                                bool strictly = false) {
  if (later.q_cost != later.q_cost || later.q_reward != later.q_reward) return false;
  if (best.q_cost != best.q_cost || best.q_reward != best.q_reward) return true;
  const bool admissible = strictly ? later.q_cost < threshold : later.q_cost <= threshold,
             best_admissible = strictly ? best.q_cost < threshold : best.q_cost <= threshold;
  if (admissible != best_admissible) return admissible;
  return admissible ? later.q_reward > best.q_reward : later.q_cost < best.q_cost;
}

}  // namespace formula

/// The index of the least Q_c [candidates]; of several equal ones the first. A NaN is never chosen unless
/// all are.
template <class T>
int least_cost(const T* q_cost, int candidates);

/// The index that Selection::region chooses by Q_c and Q_r [candidates] in a state of value v_cost; of
/// equal ones the first. A NaN is never chosen unless all are.
template <class T>
int best_by_region(const T* q_cost, const T* q_reward, int candidates, T v_cost, T threshold);
/// The same for Selection::within.
template <class T>
int best_within(const T* q_cost, const T* q_reward, int candidates, T bound);

}  // namespace r2pac
