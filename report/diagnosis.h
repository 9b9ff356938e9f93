// Why a policy earns what it earns: what its critics and labels say of the data that they learned from.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "policy/policy.h"

namespace r2pac {

/// Windows of episodes of a similar cost, and what the critics say of them. Values are scaled and discounted.
struct CostGroup {
  double least = 0, most = 0;  ///< episode costs in the group, undiscounted: least < cost <= most
  std::size_t windows = 0;
  double v_cost = 0, q_cost = 0;  ///< means
  double realized = 0;            ///< mean of what the episode went on to cost, to its end
  double safe_share = 0;          ///< of windows with V_c <= l
};

/// The cost critics against what happened.
struct CostAgreement {
  std::size_t episodes = 0, windows = 0;
  double v_correlation = 0, q_correlation = 0;  ///< with the realised cost
  double v_bias = 0, q_bias = 0;                ///< mean of critic - realised cost
  std::vector<CostGroup> groups;                ///< those with windows, from free episodes on
};

struct DiagnosisFinding {
  std::string name;      ///< for programs: "reward-drowned", ...
  std::string sentence;  ///< what was found, with its numbers
  std::string advice;    ///< what to change
};

/// "Judged" windows are those of a safe state (V_c <= l) whose chunk ends in one. A_r = Q_r - V_r, A_c alike.
struct Diagnosis {
  std::size_t windows = 0, judged = 0;
  double advantage_spread = 0, reward_spread = 0;  ///< standard deviations of A_r and of a chunk's reward
  double advantage_reward = 0,
         advantage_cost = 0;                    ///< correlations of A_r with a chunk's reward and with A_c
  double good_share = 0;                        ///< labelled good, of windows in safe states
  std::size_t episodes = 0, safe_episodes = 0;  ///< safe: cost <= kappa
  /// Returns of safe episodes: their mean, the best, their mean weighted by the number of their windows that
  /// are labelled good, and the correlation with the share of these.
  double safe_return = 0, best_return = 0, good_return = 0, return_label = 0;
  double free_states_safe = 0;  ///< share of windows of episodes without any cost with V_c <= l
  bool has_free_episodes = false;
  CostAgreement training;
  std::optional<CostAgreement> held_out;   ///< of episodes that were kept aside
  std::vector<DiagnosisFinding> findings;  ///< the gravest first; never empty
  /// Means of A_r over tenths of judged windows by their chunk's reward: (reward, A_r).
  std::vector<std::pair<double, double>> advantage_by_reward;
};

/// Throws as inspect_windows().
Diagnosis diagnose(const Policy& policy, const Dataset& dataset);

/// In words, for a terminal.
std::string diagnosis_text(const Diagnosis& diagnosis);
/// One JSON object.
std::string diagnosis_json(const Diagnosis& diagnosis, const Policy& policy);
/// A_r by a chunk's reward, and V_c against realised costs. Throws as draw_with_gnuplot().
void draw_diagnosis(const std::vector<std::string>& paths, const Diagnosis& diagnosis,
                    const std::string& title);

}  // namespace r2pac
