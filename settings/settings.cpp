#include "settings/settings.h"

// toml++ asserts of its input what it then handles as an error; a bad file must not end a debug build.
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <ostream>
#include <sstream>

#include "base/error.h"
#include "base/nearest.h"
#include "settings/methods.h"
#include "settings/text_value.h"
#include "settings/toml_nesting.h"

namespace r2pac {
namespace {

/// What a TOML file has to give, and how a message says it.
enum class Kind { boolean, integer, real, text, integers, real_or_text };
constexpr std::string_view kKindWords[] = {
    "true or false, without quotes",          "a whole number",       "a number", "a text in quotes",
    "a list of whole numbers, as [512, 512]", "a number, or \"auto\""};

/// A member, its description, and how text becomes its value. The text is what TOML has after `key =`,
/// strings without quotes.
struct Field {
  Kind kind;
  std::string_view key, doc;
  std::string range;
  SettingStage stage;
  std::function<std::string(const Settings&)> format;       ///< as TOML spells it
  std::function<bool(Settings&, std::string_view)> parse;   ///< false: not a value of the range
  std::function<void(Settings&, const Task&)> preset = {};  ///< the task's own value, if tasks have one
};

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
             std::string_view doc) {
  return {Kind::integers,
          key,
          doc,
          "1 to 16 widths, each in [1, 16384]",
          stage,
          [member](const Settings& s) {
            std::string text;
            for (const int width : s.*member) text += (text.empty() ? "" : ", ") + std::to_string(width);
            return "[" + text + "]";
          },
          [member](Settings& s, std::string_view text) {
            if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
              text = text.substr(1, text.size() - 2);
            std::vector<int> result;
            while (true) {
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
                     double low, double high, std::string_view doc) {
  return {Kind::real_or_text,
          key,
          doc,
          "auto, or [" + format_number(low) + ", " + format_number(high) + "]",
          stage,
          [member](const Settings& s) {
            return (s.*member).has_value() ? real_text(*(s.*member)) : std::string("\"auto\"");
          },
          [=](Settings& s, std::string_view text) {
            const auto value = parse_number<double>(text);
            if (text != "auto" && (!value || !(*value >= low && *value <= high))) return false;
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

const std::vector<Field>& fields() {
  using S = Settings;
  using enum SettingStage;
  constexpr std::int64_t kManySteps = 1'000'000'000'000;
  static const std::vector<Field> all = {
      method_name(),
      task_name(),
      number<std::int64_t>(actor, "seed", &S::seed, 0, std::int64_t{1} << 53, "of all random numbers"),
      choice<Schedule>(actor, "schedule", &S::schedule,
                       {{"sequential", Schedule::sequential}, {"joint", Schedule::joint}},
                       "sequential: critics, then the actor on finished critics; joint: both in every step"),
      number<std::int64_t>(actor, "steps", &S::steps, 1, kManySteps,
                           "gradient steps (sequential: of each stage)"),
      number<std::int64_t>(actor, "critic_steps", &S::critic_steps, -1, kManySteps,
                           "steps of the critics' stage if not as many as `steps` (-1)"),
      widths(critics, "hidden", &S::hidden, "widths of the hidden layers of all nets"),
      number<int>(critics, "batch", &S::batch, 1, 65536, "windows per step"),
      per_task(number<int>(data, "chunk_length", &S::chunk_length, 1, 1000, "actions per chunk, h"),
               [](S& s, const Task& task) { s.chunk_length = task.chunk_length; }),
      number<double>(critics, "discount", &S::discount, 0, 1, "gamma", Open::both),
      number<double>(critics, "expectile", &S::expectile, 0, 1, "tau of both value functions", Open::both),
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
      per_task(
          number<double>(data, "reward_scale", &S::reward_scale, 0, 1e9, "factor on every reward", Open::low),
          [](S& s, const Task& task) { s.reward_scale = task.reward_scale; }),
      number<double>(data, "cost_scale", &S::cost_scale, 0, 1e9, "factor on every cost", Open::low),
      per_task(number<double>(critics, "cost_limit", &S::cost_limit, 0, 1e9,
                              "kappa, episode cost allowed when scoring"),
               [](S& s, const Task& task) { s.cost_limit = task.cost_limit; }),
      number<double>(critics, "threshold_ema", &S::threshold_ema, 0, 1,
                     "weight kept of the old threshold from step to step", Open::high),
      choice<Threshold>(
          critics, "threshold", &S::threshold,
          {{"quantile", Threshold::quantile}, {"limit", Threshold::limit}, {"zero", Threshold::zero}},
          "where the safe region ends: alpha-quantile of V_c, cost limit as a value (Eq. 42), 0"),
      choice<Timeouts>(data, "timeouts", &S::timeouts,
                       {{"bootstrap", Timeouts::bootstrap}, {"terminal", Timeouts::terminal}},
                       "whether targets look beyond the time limit of an episode, or it ended there"),
      flag(data, "pad_terminals", &S::pad_terminals, "let windows run past a genuine end, padded with zeros"),
      flag(data, "normalize_observations", &S::normalize_observations,
           "subtract the mean and divide by the deviation of the data"),
      flag(critics, "twin_critics", &S::twin_critics,
           "two critics for reward and two for cost, else one each"),
      flag(critics, "layer_norm", &S::layer_norm, "normalise hidden layers of critics and values"),
      choice<Activation>(critics, "activation", &S::activation,
                         {{"gelu_erf", Activation::gelu_erf}, {"gelu_tanh", Activation::gelu_tanh}},
                         "exact GELU or its tanh form"),
      choice<Initializer>(critics, "initializer", &S::initializer,
                          {{"torch", Initializer::torch}, {"xavier", Initializer::xavier}},
                          "initial weights"),
      number<double>(critics, "learning_rate", &S::learning_rate, 0, 1e30, "of Adam", Open::low),
      number<double>(critics, "adam_beta1", &S::adam_beta1, 0, 1, "decay of the first moment", Open::high),
      number<double>(critics, "adam_beta2", &S::adam_beta2, 0, 1, "decay of the second moment", Open::high),
      number<double>(critics, "adam_epsilon", &S::adam_epsilon, 0, 1,
                     "added to the root of the second moment", Open::low),
      number<double>(critics, "polyak", &S::polyak, 0, 1, "weight of the critics in their targets, per step",
                     Open::low),
      choice<ActorKind>(actor, "actor", &S::actor,
                        {{"flow", ActorKind::flow},
                         {"gaussian", ActorKind::gaussian},
                         {"weighted-flow", ActorKind::weighted_flow}},
                        "what acts: a flow of labelled chunks; a Gaussian or a flow by weighted regression"),
      number<double>(actor, "advantage_temperature", &S::advantage_temperature, 0, 1e6,
                     "factor on advantages in the weights of regression"),
      number<double>(actor, "weight_cap", &S::weight_cap, 0, 1e30,
                     "greatest weight of a window in regression", Open::low),
      choice<LabelRule>(
          actor, "label_rule", &S::label_rule,
          {{"regions", LabelRule::regions}, {"reward", LabelRule::reward}},
          "chunks worth imitating: by reward where safe and by cost elsewhere, or by reward alone"),
      number<double>(actor, "label_dropout", &S::label_dropout, 0, 1, "share of labels replaced by null"),
      number<int>(actor, "label_dim", &S::label_dim, 1, 4096, "columns of the label table"),
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
      number<std::int64_t>(logging, "log_every", &S::log_every, 1, kManySteps,
                           "steps between lines of metrics"),
      number<std::int64_t>(logging, "checkpoint_every", &S::checkpoint_every, 1, kManySteps,
                           "steps between checkpoints"),
      number<int>(logging, "keep_checkpoints", &S::keep_checkpoints, 1, 1000, "checkpoints kept"),
  };
  return all;
}

const Field& field_of(std::string_view key, const std::string& where, ExitCode code = ExitCode::settings) {
  for (const Field& field : fields())
    if (field.key == key) return field;
  std::vector<std::string> keys;
  for (const Field& field : fields()) keys.emplace_back(field.key);
  throw Error(code, "unknown key `" + std::string(key.substr(0, 100)) + "`", where,
              did_you_mean(key, keys) + " `r2pac config show` lists all keys");
}

void assign(Settings& settings, std::string_view key, std::string_view text, const std::string& where,
            ExitCode code = ExitCode::settings) {
  const Field& field = field_of(key, where);
  bool parsed = false;
  try {
    parsed = field.parse(settings, text);
  } catch (const Error& error) {  // an unknown task: which failure it is depends on where the name stands
    throw Error(code, error.what(), where, error.todo());
  }
  if (!parsed)
    throw Error(code, "`" + std::string(key) + "` cannot be `" + std::string(text.substr(0, 100)) + "`",
                where, "allowed: " + field.range);
}

/// The text of a TOML value as assign() wants it. Throws Error(settings) for a value of another kind.
std::string text_of(const toml::node& node, const Field& field, const std::string& where) {
  const auto wrong_kind = [&] {
    return Error(
        ExitCode::settings, "`" + std::string(field.key) + "` has a value of the wrong kind", where,
        "give " + std::string(kKindWords[static_cast<int>(field.kind)]) + "; allowed: " + field.range);
  };
  if (const auto* value = node.as_boolean(); value && field.kind == Kind::boolean)
    return value->get() ? "true" : "false";
  if (const auto* value = node.as_string();
      value && (field.kind == Kind::text || field.kind == Kind::real_or_text))
    return value->get();
  if (const auto* value = node.as_floating_point();
      value && (field.kind == Kind::real || field.kind == Kind::real_or_text))
    return format_number(value->get());
  if (const auto* value = node.as_integer();
      value && (field.kind == Kind::integer || field.kind == Kind::real || field.kind == Kind::real_or_text))
    return format_number(value->get());
  const toml::array* list = node.as_array();
  if (!list || field.kind != Kind::integers) throw wrong_kind();
  std::string text;
  for (const toml::node& item : *list) {
    if (!item.is_integer()) throw wrong_kind();
    text += (text.empty() ? "" : ",") + format_number(item.as_integer()->get());
  }
  return text;
}

/// What earlier versions called both `timeouts` and `threshold`.
constexpr std::string_view kOldTimeouts = "timeouts_are_terminal";

/// Calls `set(key, text, where)` for each key of a TOML document.
void for_each_key(std::string_view toml_text, const std::string& name,
                  const std::function<void(std::string_view, const std::string&, const std::string&)>& set) {
  if (const std::size_t line = line_with_deep_key(toml_text); line > 0)
    throw Error(ExitCode::settings, "this line has too many dots", name + ":" + std::to_string(line),
                "write one `key = value` a line");
  try {
    const toml::table table = toml::parse(toml_text, name);
    for (const auto& [key, node] : table) {
      const std::string where = name + ":" + std::to_string(node.source().begin.line) + ":" +
                                std::to_string(node.source().begin.column);
      if (key.str() == kOldTimeouts) {
        if (!node.is_boolean())
          throw Error(ExitCode::settings, "`" + std::string(kOldTimeouts) + "` is neither true nor false",
                      where, "use `timeouts` and `threshold`, which took its place");
        const bool terminal = node.as_boolean()->get();
        set("timeouts", terminal ? "terminal" : "bootstrap", where);
        set("threshold", terminal ? "limit" : "quantile", where);
        continue;
      }
      set(key.str(), text_of(node, field_of(key.str(), where), where), where);
    }
  } catch (const toml::parse_error& error) {
    throw Error(ExitCode::settings, "this is not TOML: " + std::string(error.description()),
                name + ":" + std::to_string(error.source().begin.line) + ":" +
                    std::to_string(error.source().begin.column),
                "write one `key = value` a line");
  }
}

std::string file_text(const std::string& path) {
  constexpr std::size_t kLargest = std::size_t{1} << 20;
  std::ifstream in(path, std::ios::binary);
  std::string text(kLargest + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad())
    throw Error(ExitCode::settings, "the settings file cannot be read", path, "give the name of a file");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kLargest)
    throw Error(ExitCode::settings, "the settings file is larger than a mebibyte", path,
                "give a TOML file of settings");
  return text;
}

std::pair<std::string, std::string> split_override(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error(ExitCode::usage, "`" + text + "` is not of the form key=value", "--set",
                "for example --set alpha=0.9");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

/// One layer of settings: key, text, and where the user wrote it.
struct Assignment {
  std::string key, text, origin;
  ExitCode code;
};

}  // namespace

namespace {

SettingInfo info_of(const Field& field) {
  return {field.key, field.doc, field.range, field.stage, static_cast<bool>(field.preset)};
}

/// The value that a key gets last, if it is given at all.
const Assignment* last_of(const std::vector<Assignment>& assignments, std::string_view key) {
  const Assignment* last = nullptr;
  for (const Assignment& a : assignments)
    if (a.key == key) last = &a;
  return last;
}

/// Whether the text means the value that was assigned. Throws as assign() does.
bool same_value(const Assignment& assigned, std::string_view text) {
  Settings a, b;
  assign(a, assigned.key, assigned.text, assigned.origin, assigned.code);
  assign(b, assigned.key, text, assigned.origin);
  const Field& field = field_of(assigned.key, assigned.origin);
  return field.format(a) == field.format(b);
}

}  // namespace

std::vector<SettingInfo> settings_fields() {
  std::vector<SettingInfo> infos;
  for (const Field& field : fields()) infos.push_back(info_of(field));
  return infos;
}

std::string setting_text(const Settings& settings, std::string_view key) {
  return field_of(key, "").format(settings);
}

Settings preset(const Task& task) {
  Settings settings;
  settings.task = task.alias;
  for (const Field& field : fields())
    if (field.preset) field.preset(settings, task);
  return settings;
}

ResolvedSettings resolve_settings(const SettingsRequest& request) {
  std::vector<Assignment> assignments;
  if (!request.config_file.empty())
    for_each_key(file_text(request.config_file), request.config_file,
                 [&](std::string_view key, const std::string& text, const std::string& where) {
                   assignments.push_back({std::string(key), text, where, ExitCode::settings});
                 });
  for (const std::string& text : request.overrides) {
    auto [key, value] = split_override(text);
    assignments.push_back({key, value, "--set", ExitCode::settings});
  }
  for (const auto& [key, text] : request.flags)
    assignments.push_back({key, text, "--" + key, ExitCode::usage});

  ResolvedSettings resolved;
  for (const Field& field : fields()) resolved.origin[std::string(field.key)] = "default";
  std::optional<Task> task =
      request.data_file.empty() ? std::nullopt : task_from_file_name(request.data_file);
  std::string task_origin = task ? "file name" : "default";
  if (const Assignment* a = last_of(assignments, "task")) {
    Settings named;
    assign(named, a->key, a->text, a->origin, a->code);
    task = named.task.empty() ? std::nullopt : std::optional(find_task(named.task));
    task_origin = a->origin;
  }
  if (task) {
    resolved.values = preset(*task);
    for (const Field& field : fields())
      if (field.preset) resolved.origin[std::string(field.key)] = "preset " + std::string(task->alias);
  }
  for (const Companions& choice : companions()) {
    const Assignment* a = last_of(assignments, choice.key);
    if (a == nullptr || a->text != choice.value) continue;
    for (const Companion& companion : choice.settings) {
      const Assignment* other = last_of(assignments, companion.key);
      if (other != nullptr && companion.fixed && !same_value(*other, companion.value))
        throw Error(other->code,
                    "`" + other->key + "` cannot be `" + other->text + "` with `" + std::string(choice.key) +
                        "` = `" + std::string(choice.value) + "`",
                    other->origin, "leave it out, or give " + std::string(companion.value));
      assign(resolved.values, companion.key, companion.value, a->origin);
      resolved.origin[std::string(companion.key)] = std::string(choice.key) + "=" + std::string(choice.value);
    }
  }
  for (const Assignment& a : assignments) {
    if (a.key == "task") continue;
    assign(resolved.values, a.key, a.text, a.origin, a.code);
    resolved.origin[a.key] = a.origin;
  }
  resolved.origin["task"] = task_origin;
  return resolved;
}

void change_acting(Settings& settings, std::string_view key, std::string_view text, const std::string& where,
                   ExitCode code) {
  if (field_of(key, where, code).stage != SettingStage::acting) {
    std::string keys;
    for (const Field& field : fields())
      if (field.stage == SettingStage::acting) keys += (keys.empty() ? "" : ", ") + std::string(field.key);
    throw Error(code, "`" + std::string(key) + "` is settled by training", where,
                "change how the policy acts: " + keys);
  }
  assign(settings, key, text, where, code);
}

void change_acting(Settings& settings, const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides) {
    const auto [key, value] = split_override(text);
    change_acting(settings, key, value, "--set", ExitCode::settings);
  }
}

Settings parse_settings(std::string_view toml, const std::string& where) {
  Settings settings;
  for_each_key(toml, where, [&](std::string_view key, const std::string& text, const std::string& at) {
    assign(settings, key, text, at);
  });
  return settings;
}

Settings read_settings(const std::string& path) { return parse_settings(file_text(path), path); }

void write_settings(std::ostream& out, const ResolvedSettings& resolved) {
  for (const Field& field : fields()) {
    out << "# " << field.doc << "; " << field.range;
    if (const auto origin = resolved.origin.find(std::string(field.key)); origin != resolved.origin.end())
      out << "  (" << origin->second << ")";
    out << "\n" << field.key << " = " << field.format(resolved.values) << "\n";
  }
}

std::string settings_toml(const ResolvedSettings& resolved) {
  std::ostringstream text;
  write_settings(text, resolved);
  return text.str();
}

std::vector<SettingDifference> differences(const Settings& first, const Settings& second) {
  std::vector<SettingDifference> found;
  for (const Field& field : fields()) {
    const std::string a = field.format(first), b = field.format(second);
    if (a != b) found.push_back({std::string(field.key), a, b, info_of(field)});
  }
  return found;
}

}  // namespace r2pac
