#include "report/diagnosis.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/counted.h"
#include "base/error.h"
#include "base/statistics.h"
#include "report/chart.h"
#include "training/training_data.h"
#include "training/window_values.h"

namespace r2pac {
namespace {

using Json = nlohmann::ordered_json;

/// One window of the data beside what the critics say of it.
struct Window {
  std::size_t episode;
  double v_reward, v_cost, q_reward, q_cost;
  bool good;
  double chunk_reward;            // discounted, scaled
  double realized;                // cost from here to the episode's end, discounted, scaled
  std::optional<double> v_after;  // V_c of the state after the chunk, where a window starts there
};

std::string text_of(const char* format, auto... values) {
  char text[400];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::vector<Window> windows_of(const Policy& policy, const Dataset& dataset) {
  const Settings& s = policy.settings();
  const WindowColumns<float> columns = inspect_windows(policy, dataset);
  if (std::ranges::none_of(columns, [](const auto& named) { return named.first == "label"; }))
    throw Error(ExitCode::usage, "method `" + s.method + "` labels no chunks, which a diagnosis asks for",
                policy.path().string(), "give a policy whose method labels chunks, such as r2pac");
  const auto column = [&](const char* name) -> const auto& { return column_of(columns, name); };
  const auto &v_r = column("v_r"), &v_c = column("v_c"), &q_r = column("q_r"), &q_c = column("q_c"),
             &label = column("label");
  const std::vector<std::uint32_t> starts = window_starts(dataset, s.chunk_length, s.pad_terminals);
  const std::vector<double> realized = realized_costs(dataset, s);
  std::vector<Window> windows(starts.size());
  const std::vector<std::size_t> episode_of = window_episodes(dataset, starts);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const Episode& episode = dataset.episodes[episode_of[i]];
    const std::int64_t end =
        std::min<std::int64_t>(starts[i] + s.chunk_length, episode.first + episode.length);
    Window& w = windows[i];
    w = {episode_of[i],
         double{v_r[i]},
         double{v_c[i]},
         double{q_r[i]},
         double{q_c[i]},
         label[i] == static_cast<float>(kLabelGood),
         0,
         realized[starts[i]],
         std::nullopt};
    double power = s.reward_scale;
    for (std::int64_t t = starts[i]; t < end; ++t) {
      w.chunk_reward += power * static_cast<double>(dataset.rewards[static_cast<std::size_t>(t)]);
      power *= s.discount;
    }
    const std::size_t after = i + static_cast<std::size_t>(s.chunk_length);
    if (after < starts.size() && episode_of[after] == episode_of[i]) w.v_after = double{v_c[after]};
  }
  return windows;
}

template <class Value>
std::vector<double> values_of(const std::vector<const Window*>& windows, Value value) {
  std::vector<double> values;
  for (const Window* w : windows) values.push_back(value(*w));
  return values;
}

CostAgreement agreement_of(const std::vector<const Window*>& windows, const std::vector<double>& costs,
                           double cost_limit, double l) {
  CostAgreement c;
  c.windows = windows.size();
  std::vector<std::size_t> episodes;
  for (const Window* w : windows)
    if (episodes.empty() || episodes.back() != w->episode) episodes.push_back(w->episode);
  c.episodes = episodes.size();
  const auto v = values_of(windows, [](const Window&w) { return w.v_cost; }),
             q = values_of(windows, [](const Window&w) { return w.q_cost; }),
             realized = values_of(windows, [](const Window&w) { return w.realized; });
  c.v_correlation = correlation(v, realized);
  c.q_correlation = correlation(q, realized);
  c.v_bias = mean(v) - mean(realized);
  c.q_bias = mean(q) - mean(realized);
  const double kInfinite = std::numeric_limits<double>::infinity();
  const double ends[] = {-1, 0, cost_limit, 3 * cost_limit, kInfinite};
  for (std::size_t g = 0; g + 1 < std::size(ends); ++g) {
    if (!(ends[g + 1] > ends[g])) continue;
    std::vector<const Window*> inside;
    for (const Window* w : windows)
      if (costs[w->episode] > ends[g] && costs[w->episode] <= ends[g + 1]) inside.push_back(w);
    if (inside.empty()) continue;
    const auto average = [&](auto value) { return mean(values_of(inside, value)); };
    c.groups.push_back({ends[g], ends[g + 1], inside.size(),
                        average([](const Window& w) { return w.v_cost; }),
                        average([](const Window& w) { return w.q_cost; }),
                        average([](const Window& w) { return w.realized; }),
                        average([l](const Window& w) { return w.v_cost <= l ? 1.0 : 0.0; })});
  }
  return c;
}

/// What makes critics learn better, of what is not done yet.
std::string better_critics(const Settings& s) {
  if (!s.layer_norm && !s.normalize_observations) return "layer_norm=true and normalize_observations=true";
  if (!s.layer_norm) return "layer_norm=true";
  if (!s.normalize_observations) return "normalize_observations=true";
  if (s.rate_decay == RateDecay::none) return "rate_decay=cosine, so that values settle";
  return "wider critics (hidden) or more critic steps";
}

/// What stands out, the gravest first.
std::vector<DiagnosisFinding> findings_of(const Diagnosis& d, const Settings& s) {
  std::vector<DiagnosisFinding> found;
  const bool penalised = s.penalty_reading != PenaltyReading::none;
  if (d.held_out) {
    const double drop = d.training.q_correlation - d.held_out->q_correlation;
    if (drop > 0.3)
      found.push_back(
          {"memorised",
           text_of("memorised: Q_c follows the costs of the episodes that it learned from (correlation "
                   "%.2f) and not those of the %zu kept aside (%.2f)",
                   d.training.q_correlation, d.held_out->episodes, d.held_out->q_correlation),
           "more episodes, smaller networks or fewer critic steps; nothing else helps before that"});
  }
  if (d.judged < 100)
    found.push_back(
        {"no-region",
         text_of("hardly any window (%zu of %zu) lies within the safe region", d.judged, d.windows),
         "see whether the cost limit and threshold suit the data: threshold=limit, cost_limit"});
  // A copy of the cost advantage, and no sign of the reward that a chunk earns.
  if (d.judged >= 100 && d.advantage_cost < -0.4 && d.advantage_reward < 0.2)
    found.push_back(
        {"reward-drowned",
         text_of("the reward is drowned: among safe chunks A_r varies %.1f times as much as a chunk's "
                 "reward, has a "
                 "correlation of %.2f with it and of %.2f with A_c, so Q_r is a second cost critic",
                 d.advantage_spread / std::max(d.reward_spread, 1e-12), d.advantage_reward, d.advantage_cost),
         penalised ? "the penalty does it: --method safe-chunks, or penalty_reading=direct or none"
                   : better_critics(s)});
  const double gain = d.best_return - d.safe_return;
  if (d.safe_episodes >= 5 && gain > 0 && d.return_label < 0.2)
    found.push_back({"labels-blind",
                     text_of("labels do not tell good episodes from bad: the share labelled good has a "
                             "correlation of %.2f with "
                             "the return of safe episodes; weighted by it their mean return is %.3g, plainly "
                             "%.3g, the best %.3g",
                             d.return_label, d.good_return, d.safe_return, d.best_return),
                     penalised ? "as for Q_r: --method safe-chunks" : better_critics(s)});
  if (d.has_free_episodes && d.free_states_safe < 0.8)
    found.push_back(
        {"free-states-unsafe",
         text_of("V_c calls %.0f %% of the states of episodes without any cost unsafe",
                 100 * (1 - d.free_states_safe)),
         better_critics(s) +
             (s.cost_ceiling == 0 && s.backup == Backup::discounted ? ", or cost_ceiling=4" : "") +
             (s.resolved_cost_expectile() < 0.95 ? ", or a cost_expectile nearer to 1" : "")});
  if (d.safe_episodes == 0)
    found.push_back({"no-safe-episode", "no episode of the data keeps the cost limit",
                     "collect some that do, or raise cost_limit"});
  if (found.empty())
    found.push_back({"none", "nothing stands out", "to earn more: longer training, larger networks"});
  if (!d.held_out)
    found.push_back({"not-held-out", "all episodes were trained on, so memorised costs would not show",
                     "train with --hold-out 0.1"});
  return found;
}

Json to_json(const CostAgreement& c) {
  Json groups = Json::array();
  for (const CostGroup& g : c.groups)
    groups.push_back({{"above", g.least < 0 ? Json(nullptr) : Json(g.least)},
                      {"up_to", std::isfinite(g.most) ? Json(g.most) : Json(nullptr)},
                      {"windows", g.windows},
                      {"v_c", g.v_cost},
                      {"q_c", g.q_cost},
                      {"realized", g.realized},
                      {"safe_share", g.safe_share}});
  return {{"episodes", c.episodes},
          {"windows", c.windows},
          {"v_c_correlation", c.v_correlation},
          {"q_c_correlation", c.q_correlation},
          {"v_c_bias", c.v_bias},
          {"q_c_bias", c.q_bias},
          {"groups", groups}};
}

std::string table_of(const char* title, const CostAgreement& c) {
  std::string text = text_of("%s: %s, %s\n", title, counted(c.episodes, "episode").c_str(),
                             counted(c.windows, "window").c_str());
  text += text_of("  correlation with the realised cost   V_c %.2f   Q_c %.2f\n", c.v_correlation,
                  c.q_correlation);
  text += "  episode cost         windows    V_c     Q_c  realised  V_c <= l\n";
  for (const CostGroup& g : c.groups) {
    const std::string name = g.least < 0             ? "0"
                             : std::isfinite(g.most) ? text_of("%g to %g", g.least, g.most)
                                                     : text_of("above %g", g.least);
    text += text_of("  %-18s %9zu %7.2f %7.2f %8.2f %8.0f %%\n", name.c_str(), g.windows, g.v_cost, g.q_cost,
                    g.realized, 100 * g.safe_share);
  }
  return text;
}

}  // namespace

Diagnosis diagnose(const Policy& policy, const Dataset& dataset) {
  const Settings& s = policy.settings();
  const double l = policy.region_end().value_or(0);
  const std::vector<Window> windows = windows_of(policy, dataset);
  const std::vector<double> returns = episode_sums(dataset.episodes, dataset.rewards),
                            costs = episode_sums(dataset.episodes, dataset.costs);
  const std::vector<bool> held = held_out_episodes(dataset.episodes.size(), s.hold_out);
  std::vector<const Window*> trained, kept, judged;
  std::vector<double> good(returns.size()), all(returns.size());
  std::size_t safe = 0, safe_good = 0, of_free = 0, of_free_safe = 0;
  for (const Window& w : windows) {
    (held[w.episode] ? kept : trained).push_back(&w);
    if (held[w.episode]) continue;
    const bool safe_state = w.v_cost <= l;
    if (safe_state && w.v_after && *w.v_after <= l) judged.push_back(&w);
    safe += safe_state, safe_good += safe_state && w.good;
    good[w.episode] += w.good, all[w.episode] += 1;
    if (costs[w.episode] == 0) ++of_free, of_free_safe += safe_state;
  }
  Diagnosis d;
  d.windows = trained.size();
  d.judged = judged.size();
  const auto advantage = values_of(judged, [](const Window&w) { return w.q_reward - w.v_reward; }),
             cost_advantage = values_of(judged, [](const Window&w) { return w.q_cost - w.v_cost; }),
             reward = values_of(judged, [](const Window&w) { return w.chunk_reward; });
  d.advantage_spread = standard_deviation(advantage);
  d.reward_spread = standard_deviation(reward);
  d.advantage_reward = correlation(advantage, reward);
  d.advantage_cost = correlation(advantage, cost_advantage);
  d.good_share = safe == 0 ? 0 : static_cast<double>(safe_good) / static_cast<double>(safe);
  d.has_free_episodes = of_free > 0;
  d.free_states_safe = of_free == 0 ? 0 : static_cast<double>(of_free_safe) / static_cast<double>(of_free);

  std::vector<double> safe_returns, shares;
  double weight = 0, weighted = 0;
  for (std::size_t e = 0; e < returns.size(); ++e) {
    if (held[e]) continue;
    ++d.episodes;
    if (costs[e] > s.cost_limit || all[e] == 0) continue;
    safe_returns.push_back(returns[e]);
    shares.push_back(good[e] / all[e]);
    weight += good[e], weighted += good[e] * returns[e];
  }
  d.safe_episodes = safe_returns.size();
  d.safe_return = mean(safe_returns);
  d.best_return = safe_returns.empty() ? 0 : *std::ranges::max_element(safe_returns);
  d.good_return = weight > 0 ? weighted / weight : 0;
  d.return_label = correlation(safe_returns, shares);
  d.training = agreement_of(trained, costs, s.cost_limit, l);
  if (!kept.empty()) d.held_out = agreement_of(kept, costs, s.cost_limit, l);

  std::vector<std::size_t> order(judged.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return reward[i]; });
  constexpr std::size_t kParts = 10;
  for (std::size_t part = 0; part < kParts && judged.size() >= kParts; ++part) {
    const std::size_t begin = part * judged.size() / kParts, end = (part + 1) * judged.size() / kParts;
    double x = 0, y = 0;
    for (std::size_t i = begin; i < end; ++i) x += reward[order[i]], y += advantage[order[i]];
    const auto n = static_cast<double>(end - begin);
    d.advantage_by_reward.emplace_back(x / n, y / n);
  }
  d.findings = findings_of(d, s);
  return d;
}

std::string diagnosis_text(const Diagnosis& d) {
  std::string text;
  text += text_of(
      "windows             %zu, of which %zu are judged: safe (V_c <= l) before and after the chunk\n",
      d.windows, d.judged);
  text +=
      text_of("spread              A_r %.3g, reward of a chunk %.3g\n", d.advantage_spread, d.reward_spread);
  text += text_of("correlation of A_r  with a chunk's reward %.2f, with A_c %.2f\n", d.advantage_reward,
                  d.advantage_cost);
  text += text_of("labels              %.0f %% good in safe states\n", 100 * d.good_share);
  text += text_of(
      "safe episodes       %zu of %zu; return: mean %.3g, weighted by good labels %.3g, best %.3g; "
      "correlation with labels %.2f\n",
      d.safe_episodes, d.episodes, d.safe_return, d.good_return, d.best_return, d.return_label);
  if (d.has_free_episodes)
    text +=
        text_of("free episodes       %.0f %% of their states are called safe\n", 100 * d.free_states_safe);
  text += "\n" + table_of("costs, on episodes that were trained on", d.training);
  if (d.held_out) text += "\n" + table_of("costs, on episodes kept aside", *d.held_out);
  text += "\n";
  for (const DiagnosisFinding& f : d.findings) text += "- " + f.sentence + "\n  to do: " + f.advice + "\n";
  return text;
}

std::string diagnosis_json(const Diagnosis& d, const Policy& policy) {
  Json findings = Json::array();
  for (const DiagnosisFinding& f : d.findings)
    findings.push_back({{"name", f.name}, {"sentence", f.sentence}, {"advice", f.advice}});
  const Json json = {{"format", "r2pac-diagnosis-1"},
                     {"policy", policy.path().string()},
                     {"method", policy.settings().method},
                     {"windows", d.windows},
                     {"judged", d.judged},
                     {"advantage_spread", d.advantage_spread},
                     {"chunk_reward_spread", d.reward_spread},
                     {"correlation_advantage_reward", d.advantage_reward},
                     {"correlation_advantage_cost_advantage", d.advantage_cost},
                     {"good_share", d.good_share},
                     {"episodes", d.episodes},
                     {"safe_episodes", d.safe_episodes},
                     {"safe_return_mean", d.safe_return},
                     {"safe_return_by_labels", d.good_return},
                     {"safe_return_best", d.best_return},
                     {"correlation_return_labels", d.return_label},
                     {"free_states_safe", d.has_free_episodes ? Json(d.free_states_safe) : Json(nullptr)},
                     {"training", to_json(d.training)},
                     {"held_out", d.held_out ? to_json(*d.held_out) : Json(nullptr)},
                     {"findings", findings}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void draw_diagnosis(const std::vector<std::string>& paths, const Diagnosis& d, const std::string& title) {
  const auto plain = [](double x, double y) { return BandPoint{x, y, y, y}; };
  Chart chart;
  chart.title = title;
  chart.x_label = "left: reward of a chunk, right: realised cost; discounted and scaled";
  chart.columns = 2;
  Panel advantage{"A_r by the reward of a chunk, tenths of safe windows", "mean A_r"};
  Band line;
  for (const auto& [x, y] : d.advantage_by_reward) line.push_back(plain(x, y));
  const auto agreement = [&](const CostAgreement& c) {
    Band band;
    for (const CostGroup& g : c.groups) band.push_back(plain(g.realized, g.v_cost));
    return band;
  };
  Panel costs{"V_c by realised cost, groups of episodes", "mean V_c"};
  chart.key = {"episodes that were trained on"};
  advantage.lines = {line};
  costs.lines = {agreement(d.training)};
  if (d.held_out) {
    chart.key.push_back("episodes kept aside");
    advantage.lines.emplace_back();
    costs.lines.push_back(agreement(*d.held_out));
  }
  for (Panel* panel : {&advantage, &costs})
    if (has_points(*panel)) chart.panels.push_back(*panel);
  draw_chart(paths, chart);
}

}  // namespace r2pac
