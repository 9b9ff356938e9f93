#include "tools/help.h"

#include <sstream>

#include "settings/methods.h"
#include "settings/table.h"
#include "settings/tasks.h"

namespace r2pac {
namespace {

constexpr std::size_t kWidth = 80, kNames = 30;  // columns: of a line, and of CLI11's names of options

/// The words of "TEXT:{auto,dsrl}"; none for another type.
std::vector<std::string> choices_of(const std::string& type) {
  const std::size_t open = type.find('{'), close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

/// The names that a table has for the option's value; none for other options. A verb that can change how a
/// policy acts, and nothing else, has --flow-steps.
std::vector<std::string> names_for(const CLI::App& verb, const std::string& option) {
  std::vector<std::string> names;
  if (option == "method")
    for (const MethodInfo& method : method_list()) names.emplace_back(method.name);
  else if (option == "preset")
    for (const RunPreset& preset : run_presets()) names.emplace_back(preset.name);
  else if (option == "task")
    for (const Task& task : all_tasks()) names.emplace_back(task.alias);
  else if (option == "set") {
    const bool acts = verb.get_option_no_throw("--flow-steps") != nullptr;
    for (const Field& field : settings_table())
      if (!acts || field.stage == SettingStage::acting) names.push_back(std::string(field.key) + "=");
  }
  return names;
}

}  // namespace

std::string wrapped(const std::string& text, std::size_t width) {
  std::istringstream words(text);
  std::string out;
  std::size_t column = 0;
  for (std::string word; words >> word; column += word.size()) {
    const bool fits = column + 1 + word.size() <= width;
    if (column > 0) out += fits ? ' ' : '\n';
    column = column > 0 && fits ? column + 1 : 0;
    out += word;
  }
  return out;
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  return wrapped(CLI::Formatter::make_option_desc(option), kWidth - kNames);
}

std::string HelpFormatter::make_subcommand(const CLI::App* verb) const {
  std::ostringstream out;
  CLI::detail::format_help(out, verb->get_display_name(true),
                           wrapped(verb->get_description(), kWidth - kNames), kNames);
  return out.str();
}

std::string HelpFormatter::make_description(const CLI::App* verb) const {
  return wrapped(verb->get_description(), kWidth) + "\n";
}

void for_each_verb(const CLI::App& app,
                   const std::function<void(const std::string&, const CLI::App&)>& visit) {
  const std::function<void(const std::string&, const CLI::App&)> walk = [&](const std::string& path,
                                                                            const CLI::App& verb) {
    visit(path, verb);
    for (const CLI::App* below : verb.get_subcommands([](const CLI::App*) { return true; }))
      walk(path + (path.empty() ? "" : " ") + below->get_name(), *below);
  };
  walk("", app);
}

std::vector<OptionWords> options_of(const CLI::App& verb) {
  std::vector<OptionWords> all;
  for (const CLI::Option* option :
       verb.get_options([](const CLI::Option* o) { return o->nonpositional(); })) {
    OptionWords words;
    for (const std::string& name : option->get_snames()) words.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) words.names.push_back("--" + name);
    const std::string type = option->get_type_name();
    words.offered = words.choices = choices_of(type);
    for (const std::string& name : option->get_lnames())
      if (words.offered.empty()) words.offered = names_for(verb, name);
    if (option->get_items_expected_max() > 0) words.value = type.substr(0, type.find(':'));
    words.description = option->get_description();
    all.push_back(std::move(words));
  }
  return all;
}

}  // namespace r2pac
