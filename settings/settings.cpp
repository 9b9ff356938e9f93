#include "settings/settings.h"

#include <algorithm>
#include <functional>
#include <ostream>
#include <sstream>

#include "base/error.h"
#include "base/nearest.h"
#include "settings/methods.h"
#include "settings/table.h"
#include "settings/text_value.h"
#include "settings/toml_document.h"

namespace r2pac {
namespace {

/// How a message says each Kind.
constexpr std::string_view kKindWords[] = {
    "true or false, without quotes",          "a whole number",       "a number", "a text in quotes",
    "a list of whole numbers, as [512, 512]", "a number, or \"auto\""};

const Field& field_of(std::string_view key, const std::string& where, ExitCode code = ExitCode::settings) {
  for (const Field& field : settings_table())
    if (field.key == key) return field;
  std::vector<std::string> keys;
  for (const Field& field : settings_table()) keys.emplace_back(field.key);
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
    if (!text.empty()) text += ',';
    text += format_number(item.as_integer()->get());
  }
  return text;
}

/// What earlier versions called both `timeouts` and `threshold`.
constexpr std::string_view kOldTimeouts = "timeouts_are_terminal";

/// Calls `set(key, text, where)` for each key of a TOML document.
void for_each_key(std::string_view toml_text, const std::string& name,
                  const std::function<void(std::string_view, const std::string&, const std::string&)>& set) {
  const toml::table table = parse_toml(toml_text, name);
  for (const auto& [key, node] : table) {
    const std::string where = toml_position(node, name);
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
}

constexpr char kSettingsFile[] = "settings file";

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
  for (const Field& field : settings_table()) infos.push_back(info_of(field));
  return infos;
}

std::string setting_text(const Settings& settings, std::string_view key) {
  return field_of(key, "").format(settings);
}

Settings preset(const Task& task) {
  Settings settings;
  settings.task = task.alias;
  for (const Field& field : settings_table())
    if (field.preset) field.preset(settings, task);
  return settings;
}

ResolvedSettings resolve_settings(const SettingsRequest& request) {
  std::vector<Assignment> assignments;
  if (!request.config_file.empty())
    for_each_key(toml_file_text(request.config_file, kSettingsFile), request.config_file,
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
  for (const Field& field : settings_table()) resolved.origin[std::string(field.key)] = "default";
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
    for (const Field& field : settings_table())
      if (field.preset) resolved.origin[std::string(field.key)] = "preset " + std::string(task->alias);
  }
  std::vector<std::string_view> settled;  // that no preset changes
  for (const Companions& choice : companions()) {
    const Assignment* a = last_of(assignments, choice.key);
    if (a == nullptr || a->text != choice.value) continue;
    for (const Companion& companion : choice.settings) {
      const Assignment* other = last_of(assignments, companion.key);
      if (other != nullptr && companion.fixed && !same_value(*other, companion.value) &&
          (companion.other.empty() || !same_value(*other, companion.other)))
        throw Error(other->code,
                    "`" + other->key + "` cannot be `" + other->text + "` with `" + std::string(choice.key) +
                        "` = `" + std::string(choice.value) + "`",
                    other->origin,
                    "leave it out, or give " + std::string(companion.value) +
                        (companion.other.empty() ? "" : " or " + std::string(companion.other)));
      if (companion.fixed) settled.push_back(companion.key);
      assign(resolved.values, companion.key,
             companion.of_task != nullptr && task ? companion.of_task(*task) : std::string(companion.value),
             a->origin);
      resolved.origin[std::string(companion.key)] = std::string(choice.key) + "=" + std::string(choice.value);
    }
  }
  if (!request.preset.empty()) {
    const Assignment* method = last_of(assignments, "method");
    for (const auto& [key, value] :
         settings_of(run_preset(request.preset), method != nullptr ? method->text : resolved.values.method)) {
      if (std::ranges::find(settled, key) != settled.end()) continue;
      assign(resolved.values, key, value, "--preset", ExitCode::usage);
      resolved.origin[std::string(key)] = "preset " + request.preset;
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
    for (const Field& field : settings_table())
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

Settings read_settings(const std::string& path) {
  return parse_settings(toml_file_text(path, kSettingsFile), path);
}

void write_settings(std::ostream& out, const ResolvedSettings& resolved) {
  for (const Field& field : settings_table()) {
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
  for (const Field& field : settings_table()) {
    const std::string a = field.format(first), b = field.format(second);
    if (a != b) found.push_back({std::string(field.key), a, b, info_of(field)});
  }
  return found;
}

}  // namespace r2pac
