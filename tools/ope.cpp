#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

#include "acting/budget.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/printable.h"
#include "settings/text_value.h"
#include "storage/atomic_file.h"
#include "tools/acting.h"
#include "tools/bar.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/interruption.h"
#include "tools/scoring.h"
#include "tools/training.h"
#include "tools/verbs.h"
#include "training/action_support.h"
#include "training/fitted_q.h"
#include "training/training_data.h"
#include "training/window_values.h"

namespace r2pac {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kLong = 10;  // seconds from which on a price is said before it is paid

struct OpeOptions {
  std::string policy, data;
  std::string out;                             ///< "" writes none
  std::int64_t horizon = 0;                    ///< 0: the longest episode
  std::size_t episodes = 0;                    ///< 0: all
  std::optional<double> discount, cost_limit;  ///< none: the policy's
  FittedQOptions fit;
  ActingFlags acting;
  DeviceFlags device;
  bool json = false;
};

/// How far some work is, and its price in seconds as soon as that is known, if it is long.
class Priced {
 public:
  /// what: of the work, "acting"; counted: plural of what it does
  Priced(std::string what, const std::string& counted) : what_(std::move(what)), progress_(counted) {}
  void update(std::uint64_t done, std::uint64_t total) {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start_;
    if (!said_ && done > 0 && taken.count() > 0.5) {
      const double price = taken.count() / static_cast<double>(done) * static_cast<double>(total);
      if (price > kLong)
        std::fprintf(stderr, "%s takes about %s\n", what_.c_str(), duration_text(price).c_str());
      said_ = true;
    }
    progress_.update(done, total);
  }
  /// Seconds so far.
  double clear() {
    progress_.clear();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  std::string text() const { return progress_.text(); }

 private:
  std::string what_;
  Progress progress_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  bool said_ = false;
};

/// What each stored row's episode has cost before it.
std::vector<double> spent_before(const Dataset& data) {
  std::vector<double> spent(data.costs.size(), 0.0);
  for (const Episode& episode : data.episodes)
    for (auto row = static_cast<std::size_t>(episode.first);
         row < static_cast<std::size_t>(episode.first + episode.length); ++row)
      spent[row + 1] = spent[row] + static_cast<double>(data.costs[row]);
  return spent;
}

/// What the policy does in each stored state of the episodes, and in those that they ended in: [stored_rows,
/// A]. Empty where it was stopped.
std::vector<float> actions_of(Sampler<float>& sampler, const Policy& policy, const Dataset& data,
                              std::span<const double> spent, std::uint64_t seed,
                              const Interruption& interruption, Priced& price) {
  constexpr std::int64_t kAtOnce = 256;
  const BatchPolicy act = acting_policy(sampler, policy.dimensions(), seed);
  const auto s = static_cast<std::size_t>(data.observation_dim),
             a = static_cast<std::size_t>(data.action_dim);
  std::vector<float> actions(data.actions.size());
  std::uint64_t total = 0, done = 0;
  for (const Episode& episode : data.episodes) total += static_cast<std::uint64_t>(episode.length + 1);
  for (std::size_t e = 0; e < data.episodes.size(); ++e) {
    const Episode& episode = data.episodes[e];
    for (std::int64_t t = 0; t <= episode.length; t += kAtOnce) {
      price.update(done, total);
      if (interruption.requested()) return {};
      const auto first = static_cast<std::size_t>(episode.first + t),
                 n = static_cast<std::size_t>(std::min(kAtOnce, episode.length + 1 - t));
      const std::vector<std::int64_t> episodes(n, static_cast<std::int64_t>(e));
      std::vector<int> steps(n);
      std::iota(steps.begin(), steps.end(), static_cast<int>(t));
      act(std::span(data.observations).subspan(first * s, n * s), episodes, steps, spent.subspan(first, n),
          std::span(actions).subspan(first * a, n * a));
      done += n;
    }
  }
  return actions;
}

/// Everything that is told.
struct Report {
  std::size_t episodes, rows;
  std::int64_t horizon;
  double discount, cost_limit, limit;  ///< limit: as a discounted sum
  SignalEstimates policy, data;
  double data_return, data_cost;  ///< undiscounted means
  double far_share;
  double sums;  ///< of one discounted unit in an episode's sum, where it is spread evenly over the steps

  const char* verdict() const {
    const ConfidenceInterval& cost = policy.cost.interval;
    return cost.high <= limit ? "within the limit"
           : cost.low > limit ? "beyond the limit"
                              : "these data cannot tell whether it is within the limit";
  }
};

std::string text_of(const Report& r) {
  std::string text;
  const auto add = [&](const char* format, auto... values) {
    char line[300];
    std::snprintf(line, sizeof line, format, values...);
    text += line;
  };
  const auto row = [&](const char* name, const ValueEstimate& own, const ValueEstimate& data) {
    char left[100], right[100];
    for (const auto& [to, e] : {std::pair{left, &own}, {right, &data}})
      std::snprintf(to, sizeof left, "%.4g [%.4g, %.4g]", e->mean, e->interval.low, e->interval.high);
    add("%-8s  %-32s%s\n", name, left, right);
  };
  add("sums over at most %lld steps, discounted by %g; [95 %% interval] over %s\n",
      static_cast<long long>(r.horizon), r.discount, counted(r.episodes, "episode").c_str());
  add("%-8s  %-32s%s\n", "", "policy, estimated", "data, as recorded");
  row("return", r.policy.reward, r.data.reward);
  row("cost", r.policy.cost, r.data.cost);
  add("limit     %.4g, which kappa = %g is as such a sum (Eq. 42): %s\n", r.limit, r.cost_limit, r.verdict());
  add("As plain sums of an episode, if all was spread evenly over its steps: policy %.4g and cost %.4g; data "
      "%.4g "
      "and %.4g (truly %.4g and %.4g).\n",
      r.policy.reward.mean * r.sums, r.policy.cost.mean * r.sums, r.data.reward.mean * r.sums,
      r.data.cost.mean * r.sums, r.data_return, r.data_cost);
  add("%.0f %% of the policy's actions are farther from those recorded in like states than 95 %% of the "
      "latter.\n",
      100 * r.far_share);
  return text;
}

Json json_of(const Report& r, const Policy& policy, const Dataset& data, const OpeOptions& options) {
  const auto estimate = [](const ValueEstimate& e) {
    return Json{{"mean", e.mean}, {"interval", {e.interval.low, e.interval.high}}};
  };
  return {{"format", "r2pac-ope-1"},
          {"policy", policy.path().string()},
          {"policy_checksum", policy.checksum()},
          {"method", policy.settings().method},
          {"data", data.path},
          {"data_fingerprint", data.fingerprint},
          {"episodes", r.episodes},
          {"rows", r.rows},
          {"horizon", r.horizon},
          {"discount", r.discount},
          {"members", options.fit.members},
          {"hidden", options.fit.hidden},
          {"steps", options.fit.steps},
          {"batch", options.fit.batch},
          {"seed", options.fit.seed},
          {"policy_return", estimate(r.policy.reward)},
          {"policy_cost", estimate(r.policy.cost)},
          {"data_return", estimate(r.data.reward)},
          {"data_cost", estimate(r.data.cost)},
          {"cost_limit", r.cost_limit},
          {"limit", r.limit},
          {"verdict", r.verdict()},
          {"policy_return_as_sum", r.policy.reward.mean * r.sums},
          {"policy_cost_as_sum", r.policy.cost.mean * r.sums},
          {"data_return_sum", r.data_return},
          {"data_cost_sum", r.data_cost},
          {"far_action_share", r.far_share}};
}

int run_ope(const OpeOptions& options) {
  const Policy policy = Policy::load(options.policy, open_device(options.device));
  require_output(options.out, {options.data, policy.path()});
  Settings settings = acting_settings(policy, options.acting);
  settings.cost_limit = options.cost_limit.value_or(settings.cost_limit);
  Settings single = settings;  // transitions, and no chunks
  single.chunk_length = 1;
  single.pad_terminals = false;
  Dataset data = load_data(options.data, single);
  require_widths(policy, data);
  if (options.episodes > 0 && options.episodes < data.episodes.size()) {
    const double share = static_cast<double>(options.episodes) / static_cast<double>(data.episodes.size());
    const std::vector<bool> chosen = held_out_episodes(data.episodes.size(), share);
    std::size_t e = 0;
    std::erase_if(data.episodes, [&](const Episode&) { return !chosen[e++]; });
  }
  Report report{};
  report.horizon = options.horizon > 0 ? options.horizon : longest_episode(data.episodes);
  data = with_horizon(std::move(data), report.horizon);
  FittedQOptions fit = options.fit;
  fit.discount = report.discount = options.discount.value_or(settings.discount);
  report.episodes = data.episodes.size();
  for (const Episode& episode : data.episodes) report.rows += static_cast<std::size_t>(episode.length);

  const Interruption interruption;
  Sampler<float> sampler = policy.sampler(policy.sampler_options(settings));
  const std::vector<double> spent = spent_before(data);
  Priced acting("acting in the recorded states", "states");
  const std::vector<float> actions = actions_of(sampler, policy, data, spent, fit.seed, interruption, acting);
  acting.clear();
  if (actions.empty()) interruption.end("stopped after " + acting.text() + "; nothing was written");
  report.far_share = far_action_share(data, actions, fit.seed);
  Priced fitting("fitting the values", "steps");
  const auto fitted =
      fitted_q(data, report.horizon, actions, sampler.reads_spent() ? spent : std::vector<double>(), fit,
               policy.device(), [&](std::int64_t done) {
                 fitting.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(fit.steps));
                 return interruption.requested();
               });
  const double seconds = fitting.clear();
  if (!fitted) interruption.end("stopped after " + fitting.text() + "; nothing was written");
  report.policy = *fitted;
  report.data = recorded_estimates(data, fit);
  report.data_return = mean(episode_sums(data.episodes, data.rewards));
  report.data_cost = mean(episode_sums(data.episodes, data.costs));
  report.cost_limit = settings.cost_limit;
  const auto steps = static_cast<double>(report.horizon);
  report.limit = spread_as_value(report.cost_limit, report.discount, steps);
  report.sums = 1 / spread_as_value(1, report.discount, steps);

  const Json json = json_of(report, policy, data, options);
  const auto dump = [&](int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
  };
  std::fputs(options.json ? dump(-1).c_str() : text_of(report).c_str(), stdout);
  if (!options.json)
    std::printf("%lld steps of %d networks for each sum: %.1f s, %.0f transitions a second\n",
                static_cast<long long>(fit.steps), fit.members, seconds,
                static_cast<double>(fit.steps) * fit.batch / seconds);
  std::fflush(stdout);
  if (report.far_share > kFarWarning)
    std::fprintf(stderr,
                 "warning: the policy leaves the data: the estimate extrapolates, and its interval does not "
                 "know by how much\n");
  if (!options.out.empty()) write_file_atomically(options.out, dump(2));
  if (!options.out.empty() && !options.json) std::printf("written to %s\n", printable(options.out).c_str());
  return 0;
}

}  // namespace

void add_ope(CLI::App& app, Action& action) {
  const auto [verb, options] = add_verb(
      app, action, run_ope, "ope",
      "Judge a policy by recorded data, without a simulator: its return and cost (fitted Q evaluation)",
      "r2pac ope runs/ball --data FILE.hdf5 -o ope.json");
  verb->add_option("policy", options->policy, "Run folder, policy or checkpoint file")->required();
  verb->add_option("--data", options->data, "DSRL file (HDF5)")->required();
  verb->add_option("--episodes", options->episodes,
                   "Episodes to judge by, chosen at random (all if not given)")
      ->check(CLI::Range(std::size_t{2}, std::size_t{1} << 32));
  verb->add_option("--horizon", options->horizon,
                   "Greatest number of steps of an episode (that of the longest if not given)")
      ->check(CLI::Range(1, 1000000));
  verb->add_option("--discount", options->discount,
                   "gamma of the sums (the policy's if not given); near 1 they take more steps to fit")
      ->check(number_in(0.01, 0.9999));
  verb->add_option("--cost-limit", options->cost_limit,
                   "Episode cost allowed, kappa (the policy's if not given)")
      ->check(number_in(0, 1e12));
  {
    OptionGroup group(*verb, "How values are fitted");
    verb->add_option("--steps", options->fit.steps, "Gradient steps")
        ->capture_default_str()
        ->check(CLI::Range(1, 100000000));
    verb->add_option("--members", options->fit.members,
                     "Networks for each sum, each of a resample of the episodes")
        ->capture_default_str()
        ->check(CLI::Range(4, 100));
    verb->add_option("--hidden", options->fit.hidden, "Widths of their hidden layers")
        ->delimiter(',')
        ->capture_default_str()
        ->check(CLI::Range(1, 4096));
    verb->add_option("--batch", options->fit.batch, "Transitions per step")
        ->capture_default_str()
        ->check(CLI::Range(1, 65536));
    add_seed(*verb, "--seed", options->fit.seed,
             "Seed of resamples, weights, batches and the policy's noise");
  }
  add_acting_flags(*verb, options->acting);
  add_output(*verb, "-o,--out", options->out, "File for all numbers (JSON)");
  add_device_flags(*verb, options->device);
  verb->add_flag("--json", options->json, "Print one JSON object");
}

}  // namespace r2pac
