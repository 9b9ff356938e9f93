// All settings of a run: the structure that holds them, their description, and where their values come from.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "acting/budget.h"
#include "acting/select.h"
#include "base/error.h"
#include "engine/parameters.h"
#include "kernels/critic.h"
#include "kernels/pointwise.h"
#include "settings/tasks.h"

namespace r2pac {

/// sequential: the critics first, then the actor with finished critics. joint: both in every step.
enum class Schedule { sequential, joint };

/// How the learning rate changes over the steps of a stage.
enum class RateDecay {
  none,
  cosine,  ///< half a cosine from the full rate to zero
};

/// What the cost critics learn.
enum class Backup {
  discounted,   ///< the discounted sum of costs (Eq. 14)
  feasibility,  ///< whether a cost can be avoided for ever: above 0 it cannot (Eq. 43)
};

/// Where the safe region ends, in units of V_c.
enum class Threshold {
  quantile,  ///< the alpha-quantile of V_c over the data
  limit,     ///< the cost limit as a discounted value (Eq. 42)
  zero,
};

/// Which columns of an observation are replaced by their normal scores (training/fit_normalization.h).
enum class NormalScores { none, tied, all };

/// What it means that an episode ends by its time limit.
enum class Timeouts {
  bootstrap,  ///< the episode could have gone on, so targets use the value of the next state
  terminal,   ///< it ended, so they do not
};

/// What acts, and how it learns from the data.
enum class ActorKind {
  flow,           ///< a flow that imitates labelled chunks
  gaussian,       ///< a Gaussian by advantage-weighted regression (Eq. 40)
  weighted_flow,  ///< a flow without labels, by the same weights (Eq. 41)
  one_step,       ///< a network that says one chunk at once, distilled from the flow of labelled chunks
};

/// Which velocity the flow follows when it acts.
enum class ActingLabel { good, null };

/// Which of a policy's networks acts.
enum class ActWith {
  actor,  ///< what its actor is
  flow,   ///< of a one-step actor the flow that it learned from
};

/// Which episodes are trained on.
enum class Episodes {
  all,
  within_limit,  ///< those whose own cost is within the cost limit
};

/// Which form of a published method is trained, where its code and its paper differ (docs/methods.md).
enum class Form {
  published,   ///< what the published code computes
  consistent,  ///< what the method's paper says
};

/// Meaning, unit and range of each member: settings_fields(), printed by `r2pac config show`.
struct Settings {
  std::string method = "r2pac";
  Form form = Form::published;
  bool dead_terms = false;
  std::string task;
  std::int64_t seed = 0;
  Schedule schedule = Schedule::sequential;
  std::int64_t steps = 600000;
  std::int64_t critic_steps = -1;
  std::int64_t distill_steps = -1;
  std::vector<int> hidden = {512, 512, 512, 512};
  std::vector<int> actor_hidden;
  std::vector<int> vae_hidden = {400, 400};
  int heads = 2;
  int batch = 1024;
  int chunk_length = 5;
  double discount = 0.99;
  double expectile = 0.9;
  std::optional<double> cost_expectile;
  double alpha = 0.9;
  double penalty = 1;
  PenaltyReading penalty_reading = PenaltyReading::absorbing;
  bool bounded_values = true;
  double cost_ceiling = 0;
  double reward_scale = 1;
  double cost_scale = 1;
  double cost_limit = 10;
  double greatest_limit = 20;
  double threshold_ema = 0;
  Backup backup = Backup::discounted;
  double feasibility_scale = 25;
  Threshold threshold = Threshold::quantile;
  double hold_out = 0;
  Episodes episodes = Episodes::all;
  Timeouts timeouts = Timeouts::bootstrap;
  bool pad_terminals = false;
  bool normalize_observations = false;
  NormalScores normal_scores = NormalScores::none;
  bool twin_critics = true;
  bool layer_norm = false;
  Activation activation = Activation::gelu_erf;
  Initializer initializer = Initializer::torch;
  double learning_rate = 3e-4;
  RateDecay rate_decay = RateDecay::none;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double polyak = 0.005;
  ActorKind actor = ActorKind::flow;
  double advantage_temperature = 6;
  double weight_cap = 100;
  LabelRule label_rule = LabelRule::regions;
  double gate_weight = 0.1;
  int distill_flow_steps = 4;
  double label_dropout = 0.1;
  int label_dim = 32;
  ActWith act_with = ActWith::actor;
  double guidance_scale = 2;
  int flow_steps = 32;
  int num_candidates = 16;
  Selection selection = Selection::least_cost;
  ActingLabel label = ActingLabel::good;
  std::optional<double> region_bound;
  double bound_scale = 1;
  BudgetRule budget = BudgetRule::none;
  std::int64_t log_every = 1000;
  std::int64_t checkpoint_every = 10000;
  int keep_checkpoints = 2;

  /// Steps of the critics: `critic_steps`, or `steps` where that is -1.
  std::int64_t resolved_critic_steps() const { return critic_steps < 0 ? steps : critic_steps; }
  /// Steps of the one-step actor: `distill_steps`, or `steps` where that is -1.
  std::int64_t resolved_distill_steps() const { return distill_steps < 0 ? steps : distill_steps; }
  /// Widths of the actor's hidden layers: `actor_hidden`, or `hidden` where that is empty.
  const std::vector<int>& resolved_actor_hidden() const {
    return actor_hidden.empty() ? hidden : actor_hidden;
  }
  /// tau of V_c: `cost_expectile`, or `expectile` where there is none.
  double resolved_cost_expectile() const { return cost_expectile.value_or(expectile); }
};

/// The first stage that a setting changes. All later ones depend on it, too.
enum class SettingStage { data, critics, actor, acting, scoring, logging };

/// What the table says about one setting.
struct SettingInfo {
  std::string_view key;
  std::string_view doc;  ///< meaning and unit
  std::string range;     ///< allowed values, in words
  SettingStage stage;
  bool per_task = false;  ///< tasks have a value of their own
  /// Whether a run that is resumed must have the same value: trained numbers depend on it.
  bool trains() const { return stage <= SettingStage::actor; }
  /// Whether trained critics depend on it.
  bool shapes_critics() const { return stage <= SettingStage::critics; }
};

/// One entry for every member of Settings, in the order of the structure.
std::vector<SettingInfo> settings_fields();

/// Value of a setting as TOML spells it. Throws Error(ExitCode::settings) when the key is unknown.
std::string setting_text(const Settings& settings, std::string_view key);

/// Defaults with the task's own values of the settings that are per task.
Settings preset(const Task& task);

/// Where the values of a run come from. Later members of this list win: defaults, the task's preset, what
/// goes with other settings (a method's own), `preset`, the file, `overrides`, `flags`.
struct SettingsRequest {
  std::string data_file;                                   ///< tells the task where nothing else does
  std::string config_file;                                 ///< TOML; "" for none
  std::vector<std::string> overrides;                      ///< `key=value` texts of `--set`
  std::vector<std::pair<std::string, std::string>> flags;  ///< key and text of flags such as `--seed`
  std::string preset = {};                                 ///< a name of run_presets(), or "" for none
};

struct ResolvedSettings {
  Settings values;
  /// Per key: "default", "preset BallRun", "preset quick", "method=cloning", "run.toml:7:1", "--set",
  /// "--seed" or "file name".
  std::map<std::string, std::string> origin;
};

/// Puts the layers of `request` together. The task is resolved first and names the preset; `task` becomes
/// its alias, or stays empty when nothing names one. Throws Error: usage for a bad flag, settings for a
/// bad file or override; the error says key, value, allowed range or nearest name, and for a file
/// `name:line:column`.
ResolvedSettings resolve_settings(const SettingsRequest& request);

/// The settings of a file, such as a run's `config.toml`: defaults, then the file, without a preset.
/// Names of earlier versions are understood. Throws Error(ExitCode::settings).
Settings read_settings(const std::string& path);

/// The same from TOML text, as a policy or checkpoint stores it; `where` names it in errors.
Settings parse_settings(std::string_view toml, const std::string& where);

/// Changes settings of the stage `acting` for a trained policy. They are given as `key=value`. Throws Error:
/// usage for a text of another form, settings for another key or a value out of range.
void change_acting(Settings& settings, const std::vector<std::string>& overrides);
/// The same for one setting that was given in another form; its errors have `where` and `code`.
void change_acting(Settings& settings, std::string_view key, std::string_view text, const std::string& where,
                   ExitCode code);

/// All settings as TOML, each below a comment with its meaning and range and, where `resolved` knows it,
/// its origin. read_settings() gives the same values back.
void write_settings(std::ostream& out, const ResolvedSettings& resolved);

/// The same as text, as checkpoints, policies and traces store it.
std::string settings_toml(const ResolvedSettings& resolved);

struct SettingDifference {
  std::string key;
  std::string first, second;  ///< the values, as TOML spells them
  SettingInfo info;
};

/// The settings in which `first` and `second` differ; empty when they are equal.
std::vector<SettingDifference> differences(const Settings& first, const Settings& second);

}  // namespace r2pac
