#include "settings/table.h"

#include "settings/methods.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

/// Which ends of a range are not part of it.
enum class Open { none, low, high, both };

template <class T>
std::string real_text(T value) {
  std::string text = format_number(value);
  if constexpr (std::is_floating_point_v<T>)
    if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

template <class T>
Field number(SettingStage stage, std::string_view key, T Settings::*member, T low, T high,
             std::string_view doc, Open open = Open::none) {
  const bool open_low = open == Open::low || open == Open::both,
             open_high = open == Open::high || open == Open::both;
  std::string range =
      (open_low ? "(" : "[") + format_number(low) + ", " + format_number(high) + (open_high ? ")" : "]");
  return {std::is_floating_point_v<T> ? Kind::real : Kind::integer,
          key,
          doc,
          std::move(range),
          stage,
          [member](const Settings& s) { return real_text(s.*member); },
          [=](Settings& s, std::string_view text) {
            const auto value = parse_number<T>(text);
            if (!value || *value < low || *value > high) return false;
            if ((open_low && *value == low) || (open_high && *value == high)) return false;
            s.*member = *value;
            return true;
          }};
}

Field flag(SettingStage stage, std::string_view key, bool Settings::*member, std::string_view doc) {
  return {Kind::boolean,
          key,
          doc,
          "true, false",
          stage,
          [member](const Settings& s) { return std::string(s.*member ? "true" : "false"); },
          [member](Settings& s, std::string_view text) {
            if (text != "true" && text != "false") return false;
            s.*member = text == "true";
            return true;
          }};
}

template <class E>
Field choice(SettingStage stage, std::string_view key, E Settings::*member,
             std::vector<std::pair<std::string_view, E>> names, std::string_view doc) {
  std::string range;
  for (const auto& name : names) range += (range.empty() ? "" : ", ") + std::string(name.first);
  return {Kind::text,
          key,
          doc,
          range,
          stage,
          [=](const Settings& s) {
            for (const auto& [name, value] : names)
              if (value == s.*member) return "\"" + std::string(name) + "\"";
            return std::string("\"?\"");
          },
          [=](Settings& s, std::string_view text) {
            for (const auto& [name, value] : names)
              if (name == text) {
                s.*member = value;
                return true;
              }
            return false;
          }};
}

/// The widths of the hidden layers: `512,512` on the command line, `[512, 512]` in TOML.
Field widths(SettingStage stage, std::string_view key, std::vector<int> Settings::*member,
             std::string_view doc, bool may_be_empty = false) {
  return {Kind::integers,
          key,
          doc,
          std::string(may_be_empty ? "0" : "1") + " to 16 widths, each in [1, 16384]",
          stage,
          [member](const Settings& s) {
            std::string text;
            for (const int width : s.*member) text += (text.empty() ? "" : ", ") + std::to_string(width);
            return "[" + text + "]";
          },
          [member, may_be_empty](Settings& s, std::string_view text) {
            if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
              text = text.substr(1, text.size() - 2);
            std::vector<int> result;
            while (!(text.empty() && may_be_empty)) {
              const std::size_t comma = text.find(',');
              std::string_view item = text.substr(0, comma);
              while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
              while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
              const auto width = parse_number<int>(item);
              if (!width || *width < 1 || *width > 16384 || result.size() == 16) return false;
              result.push_back(*width);
              if (comma == std::string_view::npos) break;
              text.remove_prefix(comma + 1);
            }
            s.*member = std::move(result);
            return true;
          }};
}

/// A number, or what the policy found out itself: "auto".
Field number_or_auto(SettingStage stage, std::string_view key, std::optional<double> Settings::*member,
                     double low, double high, std::string_view doc, Open open = Open::none) {
  const bool open_ends = open == Open::both;
  return {Kind::real_or_text,
          key,
          doc,
          std::string("auto, or ") + (open_ends ? "(" : "[") + format_number(low) + ", " +
              format_number(high) + (open_ends ? ")" : "]"),
          stage,
          [member](const Settings& s) {
            return (s.*member).has_value() ? real_text(*(s.*member)) : std::string("\"auto\"");
          },
          [=](Settings& s, std::string_view text) {
            const auto value = parse_number<double>(text);
            if (text != "auto" && (!value || !(*value >= low && *value <= high))) return false;
            if (value && open_ends && (*value == low || *value == high)) return false;
            s.*member = text == "auto" ? std::nullopt : value;
            return true;
          }};
}

/// The method's name.
Field method_name() {
  std::string range;
  for (const MethodInfo& method : method_list())
    range += (range.empty() ? "" : ", ") + std::string(method.name);
  return {Kind::text,
          "method",
          "what is trained; `r2pac methods` describes them",
          range,
          SettingStage::critics,
          [](const Settings& s) { return "\"" + s.method + "\""; },
          [](Settings& s, std::string_view text) {
            for (const MethodInfo& method : method_list())
              if (method.name == text) {
                s.method = text;
                return true;
              }
            return false;
          }};
}

/// The task's alias; resolve_settings() has looked it up before, so any short text will do here.
Field task_name() {
  return {Kind::text,
          "task",
          "task whose preset and score bounds apply; empty for none",
          "a task's name or empty",
          SettingStage::actor,
          [](const Settings& s) { return "\"" + s.task + "\""; },
          [](Settings& s, std::string_view text) {
            s.task = text.empty() ? std::string() : std::string(find_task(text).alias);
            return true;
          }};
}

/// The field with the task's own value.
Field per_task(Field field, std::function<void(Settings&, const Task&)> preset) {
  field.preset = std::move(preset);
  return field;
}

}  // namespace

const std::vector<Field>& settings_table() {
  using S = Settings;
  using enum SettingStage;
  constexpr std::int64_t kManySteps = 1'000'000'000'000;
  static const std::vector<Field> all = {
      method_name(),
      choice<Form>(critics, "form", &S::form,
                   {{"published", Form::published}, {"consistent", Form::consistent}},
                   "of a published method, what its code computes or what its paper says"),
      flag(critics, "dead_terms", &S::dead_terms,
           "compute, too, what has no effect in a published method (--method cpq)"),
      task_name(),
      number<std::int64_t>(actor, "seed", &S::seed, 0, std::int64_t{1} << 53, "of all random numbers"),
      choice<Schedule>(actor, "schedule", &S::schedule,
                       {{"sequential", Schedule::sequential}, {"joint", Schedule::joint}},
                       "sequential: critics, then the actor on finished critics; joint: both in every step"),
      number<std::int64_t>(actor, "steps", &S::steps, 1, kManySteps,
                           "gradient steps (sequential: of each stage)"),
      number<std::int64_t>(actor, "critic_steps", &S::critic_steps, -1, kManySteps,
                           "steps of the critics' stage if not as many as `steps` (-1)"),
      number<std::int64_t>(actor, "distill_steps", &S::distill_steps, -1, kManySteps,
                           "steps of the one-step actor's stage if not as many as `steps` (-1)"),
      widths(critics, "hidden", &S::hidden, "widths of the hidden layers of all nets"),
      widths(actor, "actor_hidden", &S::actor_hidden, "of the actor's, if others ([]: as `hidden`)", true),
      widths(critics, "vae_hidden", &S::vae_hidden, "of the auto-encoder of --method cpq"),
      number<int>(actor, "heads", &S::heads, 2, 64,
                  "of the actor of --method caps, from best return to least cost"),
      number<int>(critics, "batch", &S::batch, 1, 65536, "windows per step"),
      per_task(number<int>(data, "chunk_length", &S::chunk_length, 1, 1000, "actions per chunk, h"),
               [](S& s, const Task& task) { s.chunk_length = task.chunk_length; }),
      number<double>(critics, "discount", &S::discount, 0, 1, "gamma", Open::both),
      number<double>(critics, "expectile", &S::expectile, 0, 1, "tau of both value functions", Open::both),
      number_or_auto(critics, "cost_expectile", &S::cost_expectile, 0, 1, "tau of V_c; auto: as `expectile`",
                     Open::both),
      per_task(
          number<double>(critics, "alpha", &S::alpha, 0, 1, "quantile of V_c that bounds the safe region"),
          [](S& s, const Task& task) { s.alpha = task.alpha; }),
      per_task(number<double>(critics, "penalty", &S::penalty, 0, 1e9,
                              "C, charged when a chunk leaves the safe region"),
               [](S& s, const Task& task) { s.penalty = task.penalty; }),
      choice<PenaltyReading>(
          critics, "penalty_reading", &S::penalty_reading,
          {{"absorbing", PenaltyReading::absorbing},
           {"direct", PenaltyReading::direct},
           {"none", PenaltyReading::none}},
          "target of an unsafe chunk: -penalty / (1 - discount), -penalty, or as any other"),
      flag(critics, "bounded_values", &S::bounded_values,
           "bootstrap from values clamped to what sums of the data's rewards and costs can be"),
      number<double>(critics, "cost_ceiling", &S::cost_ceiling, 0, 1e9,
                     "greatest V_c that is bootstrapped from, in cost limits as values (Eq. 42); 0: any"),
      per_task(
          number<double>(data, "reward_scale", &S::reward_scale, 0, 1e9, "factor on every reward", Open::low),
          [](S& s, const Task& task) { s.reward_scale = task.reward_scale; }),
      number<double>(data, "cost_scale", &S::cost_scale, 0, 1e9, "factor on every cost", Open::low),
      per_task(number<double>(critics, "cost_limit", &S::cost_limit, 0, 1e9,
                              "kappa, episode cost allowed when scoring"),
               [](S& s, const Task& task) { s.cost_limit = task.cost_limit; }),
      number<double>(critics, "greatest_limit", &S::greatest_limit, 0, 1e9,
                     "greatest cost_limit that --method budgeted learns to act for; at least its own",
                     Open::low),
      number<double>(critics, "threshold_ema", &S::threshold_ema, 0, 1,
                     "weight kept of the old threshold from step to step", Open::high),
      choice<Backup>(critics, "backup", &S::backup,
                     {{"discounted", Backup::discounted}, {"feasibility", Backup::feasibility}},
                     "what cost critics learn: sums of costs, or whether a cost can be avoided (Eq. 43)"),
      number<double>(critics, "feasibility_scale", &S::feasibility_scale, 0, 1e9,
                     "feasibility of a step with a cost; without one it is -1", Open::low),
      choice<Threshold>(
          critics, "threshold", &S::threshold,
          {{"quantile", Threshold::quantile}, {"limit", Threshold::limit}, {"zero", Threshold::zero}},
          "where the safe region ends: alpha-quantile of V_c, cost limit as a value (Eq. 42), 0"),
      number<double>(data, "hold_out", &S::hold_out, 0, 0.9,
                     "share of the episodes that is kept aside, to judge values by"),
      choice<Episodes>(data, "episodes", &S::episodes,
                       {{"all", Episodes::all}, {"within-limit", Episodes::within_limit}},
                       "which are trained on: all, or those whose own cost is within cost_limit"),
      choice<Timeouts>(data, "timeouts", &S::timeouts,
                       {{"bootstrap", Timeouts::bootstrap}, {"terminal", Timeouts::terminal}},
                       "whether targets look beyond the time limit of an episode, or it ended there"),
      flag(data, "pad_terminals", &S::pad_terminals, "let windows run past a genuine end, padded with zeros"),
      flag(data, "normalize_observations", &S::normalize_observations,
           "subtract the mean and divide by the deviation of the data"),
      choice<NormalScores>(
          data, "normal_scores", &S::normal_scores,
          {{"none", NormalScores::none}, {"tied", NormalScores::tied}, {"all", NormalScores::all}},
          "which columns are seen by rank: those where a tenth of the rows hold one number, or all"),
      flag(critics, "twin_critics", &S::twin_critics,
           "two critics for reward and two for cost, else one each"),
      flag(critics, "layer_norm", &S::layer_norm,
           "normalise hidden layers of critics and values, of bcrl those of values"),
      choice<Activation>(critics, "activation", &S::activation,
                         {{"gelu_erf", Activation::gelu_erf},
                          {"gelu_tanh", Activation::gelu_tanh},
                          {"relu", Activation::relu}},
                         "exact GELU, its tanh form, or max(x, 0)"),
      choice<Initializer>(critics, "initializer", &S::initializer,
                          {{"torch", Initializer::torch},
                           {"xavier", Initializer::xavier},
                           {"orthogonal", Initializer::orthogonal}},
                          "initial weights"),
      number<double>(critics, "learning_rate", &S::learning_rate, 0, 1e30, "of Adam", Open::low),
      choice<RateDecay>(critics, "rate_decay", &S::rate_decay,
                        {{"none", RateDecay::none}, {"cosine", RateDecay::cosine}},
                        "how the learning rate falls over the steps of each stage (joint: of the training)"),
      number<double>(critics, "adam_beta1", &S::adam_beta1, 0, 1, "decay of the first moment", Open::high),
      number<double>(critics, "adam_beta2", &S::adam_beta2, 0, 1, "decay of the second moment", Open::high),
      number<double>(critics, "adam_epsilon", &S::adam_epsilon, 0, 1,
                     "added to the root of the second moment", Open::low),
      number<double>(critics, "polyak", &S::polyak, 0, 1, "weight of the critics in their targets, per step",
                     Open::low),
      choice<ActorKind>(
          actor, "actor", &S::actor,
          {{"flow", ActorKind::flow},
           {"gaussian", ActorKind::gaussian},
           {"weighted-flow", ActorKind::weighted_flow},
           {"one-step", ActorKind::one_step}},
          "what acts: a flow of labelled chunks; a Gaussian or a flow by weighted regression; or "
          "one pass of a network that is distilled from the first"),
      number<double>(actor, "advantage_temperature", &S::advantage_temperature, 0, 1e6,
                     "factor on advantages in the weights of regression"),
      number<double>(actor, "weight_cap", &S::weight_cap, 0, 1e30,
                     "greatest weight of a window in regression", Open::low),
      choice<LabelRule>(
          actor, "label_rule", &S::label_rule,
          {{"regions", LabelRule::regions}, {"reward", LabelRule::reward}, {"allowed", LabelRule::allowed}},
          "chunks worth imitating: by reward where safe and by cost elsewhere, by reward alone, or as the "
          "first, but where safe only those that stay within the region"),
      number<double>(actor, "gate_weight", &S::gate_weight, 0, 1e6,
                     "of the critics against the flow in what the one-step actor learns"),
      number<int>(actor, "distill_flow_steps", &S::distill_flow_steps, 1, 100000,
                  "Euler steps of the flow that the one-step actor learns from"),
      number<double>(actor, "label_dropout", &S::label_dropout, 0, 1, "share of labels replaced by null"),
      number<int>(actor, "label_dim", &S::label_dim, 1, 4096, "columns of the label table"),
      choice<ActWith>(acting, "act_with", &S::act_with, {{"actor", ActWith::actor}, {"flow", ActWith::flow}},
                      "the actor, or of a one-step actor the flow that it learned from"),
      number<double>(acting, "guidance_scale", &S::guidance_scale, 0, 1e3, "omega of the acting policy"),
      number<int>(acting, "flow_steps", &S::flow_steps, 1, 100000, "Euler steps of the acting policy"),
      number<int>(acting, "num_candidates", &S::num_candidates, 1, 65536,
                  "chunks that the acting policy chooses from"),
      choice<Selection>(
          acting, "selection", &S::selection,
          {{selection_name(Selection::least_cost), Selection::least_cost},
           {selection_name(Selection::region), Selection::region}},
          "the chunk executed: of least Q_c, or where safe of greatest Q_r within the threshold"),
      choice<ActingLabel>(acting, "label", &S::label, {{"1", ActingLabel::good}, {"null", ActingLabel::null}},
                          "what the flow follows: 1 acts well, null imitates the data"),
      number_or_auto(acting, "region_bound", &S::region_bound, -1e12, 1e12,
                     "greatest V_c and Q_c that region calls safe; auto: l, but at most what Eq. 42 allows"),
      number<double>(acting, "bound_scale", &S::bound_scale, 0, 1e9, "factor on what region calls safe",
                     Open::low),
      choice<BudgetRule>(
          acting, "budget", &S::budget,
          {{"none", BudgetRule::none}, {"remaining", BudgetRule::remaining}, {"half", BudgetRule::half}},
          "region calls safe at most what is left of the cost limit, or half of that; a fifth of its bound "
          "where the episode's cost is not counted"),
      number<std::int64_t>(logging, "log_every", &S::log_every, 1, kManySteps,
                           "steps between lines of metrics"),
      number<std::int64_t>(logging, "checkpoint_every", &S::checkpoint_every, 1, kManySteps,
                           "steps between checkpoints"),
      number<int>(logging, "keep_checkpoints", &S::keep_checkpoints, 1, 1000, "checkpoints kept"),
  };
  return all;
}

}  // namespace r2pac
