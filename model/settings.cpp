#include "model/settings.h"

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
#include "model/text_value.h"
#include "model/toml_nesting.h"

namespace r2pac {
namespace {

/// What a TOML file has to give, and how a message says it.
enum class Kind { boolean, integer, real, text, integers };
constexpr std::string_view kKindWords[] = {"true or false, without quotes", "a whole number", "a number",
                                           "a text in quotes", "a list of whole numbers, as [512, 512]"};

/// A member, its description, and how text becomes its value. The text is what TOML has after `key =`,
/// strings without quotes.
struct Field {
  Kind kind;
  std::string_view key, doc;
  std::string range;
  bool resumable;
  std::function<std::string(const Settings&)> format;      ///< as TOML spells it
  std::function<bool(Settings&, std::string_view)> parse;  ///< false: not a value of the range
};

template <class T>
Field number(std::string_view key, T Settings::*member, T low, T high, std::string_view doc,
             bool resumable = false, bool open_low = false, bool open_high = false) {
  std::string range =
      (open_low ? "(" : "[") + format_number(low) + ", " + format_number(high) + (open_high ? ")" : "]");
  return {std::is_floating_point_v<T> ? Kind::real : Kind::integer,
          key,
          doc,
          std::move(range),
          resumable,
          [member](const Settings& s) {
            std::string text = format_number(s.*member);
            if constexpr (std::is_floating_point_v<T>)
              if (text.find_first_of(".en") == std::string::npos) text += ".0";
            return text;
          },
          [=](Settings& s, std::string_view text) {
            const auto value = parse_number<T>(text);
            if (!value || *value < low || *value > high) return false;
            if ((open_low && *value == low) || (open_high && *value == high)) return false;
            s.*member = *value;
            return true;
          }};
}

Field flag(std::string_view key, bool Settings::*member, std::string_view doc) {
  return {Kind::boolean,
          key,
          doc,
          "true, false",
          false,
          [member](const Settings& s) { return std::string(s.*member ? "true" : "false"); },
          [member](Settings& s, std::string_view text) {
            if (text != "true" && text != "false") return false;
            s.*member = text == "true";
            return true;
          }};
}

template <class E>
Field choice(std::string_view key, E Settings::*member, std::vector<std::pair<std::string_view, E>> names,
             std::string_view doc) {
  std::string range;
  for (const auto& name : names) range += (range.empty() ? "" : ", ") + std::string(name.first);
  return {Kind::text,
          key,
          doc,
          range,
          false,
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
Field widths(std::string_view key, std::vector<int> Settings::*member, std::string_view doc) {
  return {Kind::integers,
          key,
          doc,
          "1 to 16 widths, each in [1, 16384]",
          false,
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

/// The task's alias; resolve_settings() has looked it up before, so any short text will do here.
Field task_name() {
  return {Kind::text,
          "task",
          "task whose preset and score bounds apply; empty for none",
          "a task's name or empty",
          false,
          [](const Settings& s) { return "\"" + s.task + "\""; },
          [](Settings& s, std::string_view text) {
            s.task = text.empty() ? std::string() : std::string(find_task(text).alias);
            return true;
          }};
}

const std::vector<Field>& fields() {
  using S = Settings;
  constexpr std::int64_t kManySteps = 1'000'000'000'000;
  static const std::vector<Field> all = {
      task_name(),
      number<std::int64_t>("seed", &S::seed, 0, std::int64_t{1} << 53, "of all random numbers"),
      choice<Schedule>("schedule", &S::schedule,
                       {{"sequential", Schedule::sequential}, {"joint", Schedule::joint}},
                       "sequential: critics, then the flow on finished critics; joint: both in every step"),
      number<std::int64_t>("steps", &S::steps, 1, kManySteps, "gradient steps (sequential: of each phase)"),
      number<std::int64_t>("critic_steps", &S::critic_steps, -1, kManySteps,
                           "steps of the critic phase if not as many as `steps` (-1)"),
      widths("hidden", &S::hidden, "widths of the hidden layers of all nets"),
      number<int>("batch", &S::batch, 1, 65536, "windows per step"),
      number<int>("chunk_length", &S::chunk_length, 1, 1000, "actions per chunk, h"),
      number<double>("discount", &S::discount, 0, 1, "gamma", false, true, true),
      number<double>("expectile", &S::expectile, 0, 1, "tau of both value functions", false, true, true),
      number<double>("alpha", &S::alpha, 0, 1, "quantile of V_c that bounds the safe region"),
      number<double>("penalty", &S::penalty, 0, 1e9, "C, charged when a chunk leaves the safe region"),
      choice<PenaltyReading>(
          "penalty_reading", &S::penalty_reading,
          {{"absorbing", PenaltyReading::absorbing},
           {"direct", PenaltyReading::direct},
           {"none", PenaltyReading::none}},
          "target of an unsafe chunk: -penalty / (1 - discount), -penalty, or as any other"),
      flag("bounded_values", &S::bounded_values,
           "bootstrap from values clamped to what sums of the data's rewards and costs can be"),
      number<double>("reward_scale", &S::reward_scale, 0, 1e9, "factor on every reward", false, true),
      number<double>("cost_scale", &S::cost_scale, 0, 1e9, "factor on every cost", false, true),
      number<double>("cost_limit", &S::cost_limit, 0, 1e9, "kappa, episode cost allowed when scoring"),
      number<double>("threshold_ema", &S::threshold_ema, 0, 1,
                     "weight kept of the old threshold from step to step", false, false, true),
      flag("timeouts_are_terminal", &S::timeouts_are_terminal,
           "no bootstrap through timeouts, and the threshold from cost_limit (Eq. 42)"),
      flag("pad_terminals", &S::pad_terminals, "let windows run past a genuine end, padded with zeros"),
      flag("normalize_observations", &S::normalize_observations,
           "subtract the mean and divide by the deviation of the data"),
      flag("twin_critics", &S::twin_critics, "two critics for reward and two for cost, else one each"),
      flag("layer_norm", &S::layer_norm, "normalise hidden layers of critics and values"),
      choice<Activation>("activation", &S::activation,
                         {{"gelu_erf", Activation::gelu_erf}, {"gelu_tanh", Activation::gelu_tanh}},
                         "exact GELU or its tanh form"),
      choice<Initializer>("initializer", &S::initializer,
                          {{"torch", Initializer::torch}, {"xavier", Initializer::xavier}},
                          "initial weights"),
      number<double>("learning_rate", &S::learning_rate, 0, 1e30, "of Adam", false, true),
      number<double>("adam_beta1", &S::adam_beta1, 0, 1, "decay of the first moment", false, false, true),
      number<double>("adam_beta2", &S::adam_beta2, 0, 1, "decay of the second moment", false, false, true),
      number<double>("adam_epsilon", &S::adam_epsilon, 0, 1, "added to the root of the second moment", false,
                     true),
      number<double>("polyak", &S::polyak, 0, 1, "weight of the critics in their targets, per step", false,
                     true),
      number<double>("label_dropout", &S::label_dropout, 0, 1,
                     "share of labels replaced by null; 1 is behaviour cloning"),
      number<int>("label_dim", &S::label_dim, 1, 4096, "columns of the label table"),
      number<double>("guidance_scale", &S::guidance_scale, 0, 1e3, "omega of the acting policy"),
      number<int>("flow_steps", &S::flow_steps, 1, 100000, "Euler steps of the acting policy"),
      number<int>("num_candidates", &S::num_candidates, 1, 65536,
                  "chunks that the acting policy chooses from"),
      choice<Selection>(
          "selection", &S::selection,
          {{selection_name(Selection::least_cost), Selection::least_cost},
           {selection_name(Selection::region), Selection::region}},
          "the chunk executed: of least Q_c, or where safe of greatest Q_r within the threshold"),
      number<std::int64_t>("log_every", &S::log_every, 1, kManySteps, "steps between lines of metrics"),
      number<std::int64_t>("checkpoint_every", &S::checkpoint_every, 1, kManySteps,
                           "steps between checkpoints", true),
      number<int>("keep_checkpoints", &S::keep_checkpoints, 1, 1000, "checkpoints kept", true),
  };
  return all;
}

const Field& field_of(std::string_view key, const std::string& where) {
  for (const Field& field : fields())
    if (field.key == key) return field;
  std::vector<std::string> keys;
  for (const Field& field : fields()) keys.emplace_back(field.key);
  throw Error(ExitCode::settings, "unknown key `" + std::string(key.substr(0, 100)) + "`", where,
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
  if (const auto* value = node.as_string(); value && field.kind == Kind::text) return value->get();
  if (const auto* value = node.as_floating_point(); value && field.kind == Kind::real)
    return format_number(value->get());
  if (const auto* value = node.as_integer();
      value && (field.kind == Kind::integer || field.kind == Kind::real))
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

std::vector<SettingInfo> settings_fields() {
  std::vector<SettingInfo> infos;
  for (const Field& field : fields()) infos.push_back({field.key, field.doc, field.range, field.resumable});
  return infos;
}

std::string setting_text(const Settings& settings, std::string_view key) {
  return field_of(key, "").format(settings);
}

Settings preset(const Task& task) {
  Settings settings;
  settings.task = task.alias;
  settings.cost_limit = task.cost_limit;
  settings.alpha = task.alpha;
  settings.penalty = task.penalty;
  settings.reward_scale = task.reward_scale;
  settings.chunk_length = task.chunk_length;
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
  std::optional<Task> task =
      request.data_file.empty() ? std::nullopt : task_from_file_name(request.data_file);
  std::string task_origin = task ? "file name" : "default";
  for (const Assignment& a : assignments)
    if (a.key == "task") {
      Settings named;
      assign(named, a.key, a.text, a.origin, a.code);
      task = named.task.empty() ? std::nullopt : std::optional(find_task(named.task));
      task_origin = a.origin;
    }
  for (const Field& field : fields()) resolved.origin[std::string(field.key)] = "default";
  if (task) {
    resolved.values = preset(*task);
    for (const char* key : {"cost_limit", "alpha", "penalty", "reward_scale", "chunk_length"})
      resolved.origin[key] = "preset " + std::string(task->alias);
  }
  for (const Assignment& a : assignments) {
    if (a.key == "task") continue;
    assign(resolved.values, a.key, a.text, a.origin, a.code);
    resolved.origin[a.key] = a.origin;
  }
  resolved.origin["task"] = task_origin;
  return resolved;
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
    if (a != b) found.push_back({std::string(field.key), a, b, field.resumable});
  }
  return found;
}

}  // namespace r2pac
