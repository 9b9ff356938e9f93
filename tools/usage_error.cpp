#include "tools/usage_error.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

#include "base/nearest.h"
#include "settings/settings.h"
#include "tools/command_line.h"

namespace r2pac {
namespace {

/// What other programs call our options and settings.
constexpr std::pair<std::string_view, std::string_view> kOtherNames[] = {
    {"--lr", "learning_rate"},     {"--gamma", "discount"},
    {"--kappa", "cost_limit"},     {"--omega", "guidance_scale"},
    {"--horizon", "chunk_length"}, {"--layers", "hidden"},
    {"--batch-size", "--batch"},   {"--hidden-sizes", "--hidden"},
    {"--epochs", "--steps"},       {"--num-steps", "--steps"},
    {"--output", "--out"},         {"--gpu", "--device"},
    {"--workers", "--threads"},    {"--num-episodes", "--episodes"},
    {"--dataset", "--data"},       {"--resume-from", "--resume"},
    {"--silent", "--quiet"},
};

/// Options by the names that a user gives them, and words below it.
struct Known {
  std::vector<std::string> options, verbs;

  explicit Known(const CLI::App& verb) {
    for (const CLI::Option* option : verb.get_options()) {
      for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
      for (const std::string& name : option->get_snames()) options.push_back("-" + name);
    }
    for (const CLI::App* below : verb.get_subcommands([](const CLI::App*) { return true; }))
      verbs.push_back(below->get_name());
  }
  bool has(const std::string& option) const {
    return std::find(options.begin(), options.end(), option) != options.end();
  }
};

/// The settings that the verb's `--set` takes: those of acting for a trained policy, all for training.
std::vector<std::string> settable(const Known& known) {
  std::vector<std::string> keys;
  if (!known.has("--set")) return keys;
  for (const SettingInfo& info : settings_fields())
    if (known.has("--config") || info.stage == SettingStage::acting) keys.emplace_back(info.key);
  return keys;
}

std::string option_of(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

/// What to do about an option that the verb does not have.
std::string hint(const std::string& option, const Known& known) {
  std::string meant = option;
  for (const auto& [other, ours] : kOtherNames)
    if (option == other) meant = ours.starts_with("--") ? std::string(ours) : option_of(std::string(ours));
  const std::vector<std::string> keys = settable(known);
  std::vector<std::string> names = known.options;
  for (const std::string& key : keys) names.push_back(option_of(key));
  const std::string near = nearest_name(meant, names);
  if (near.empty() || known.has(near)) return did_you_mean(meant, known.options);
  for (const std::string& key : keys)
    if (near == option_of(key)) return "give it as `--set " + key + "=VALUE`";
  return did_you_mean(meant, known.options);
}

/// The option behind whose value another one stands, as in `--hidden 64 64`; "" if there is none.
std::string option_with_two_values(const CLI::App& verb, const std::vector<std::string>& arguments) {
  const auto is_value = [](const std::string& word) { return word.rfind('-', 0) != 0; };
  for (std::size_t i = 0; i + 2 < arguments.size(); ++i) {
    if (is_value(arguments[i]) || !is_value(arguments[i + 1]) || !is_value(arguments[i + 2])) continue;
    const CLI::Option* option = verb.get_option_no_throw(arguments[i]);
    if (option != nullptr && option->get_items_expected_max() == 1) return arguments[i];
  }
  return "";
}

}  // namespace

Error usage_error(const CLI::App& app, const CLI::ParseError& error,
                  const std::vector<std::string>& arguments) {
  const CLI::App* verb = &app;
  std::string where = "r2pac";
  auto word = arguments.begin();
  for (; word != arguments.end(); ++word) {
    const auto named = [&](const CLI::App* candidate) { return candidate->get_name() == *word; };
    const auto below = verb->get_subcommands(named);
    if (below.empty()) break;
    verb = below.front();
    where += " " + *word;
  }
  const Known known(*verb);
  if (!known.verbs.empty() && word != arguments.end() && word->rfind('-', 0) != 0)
    return {ExitCode::usage, "unknown verb `" + *word + "`", where, did_you_mean(*word, known.verbs)};
  for (auto rest = word; rest != arguments.end(); ++rest) {
    const bool is_long = rest->rfind("--", 0) == 0;
    const bool is_short = !is_long && rest->size() > 1 && (*rest)[0] == '-' &&
                          std::isalpha(static_cast<unsigned char>((*rest)[1]));
    if (!is_long && !is_short) continue;
    const std::string name = is_long ? rest->substr(0, rest->find('=')) : rest->substr(0, 2);
    if (!known.has(name)) return {ExitCode::usage, "unknown option `" + name + "`", where, hint(name, known)};
  }
  if (!known.verbs.empty())
    return {ExitCode::usage, "a verb is missing", where, did_you_mean("", known.verbs)};
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
    if (const std::string option = option_with_two_values(*verb, {word, arguments.end()}); !option.empty())
      return {ExitCode::usage, error.what(), where,
              "`" + option + "` takes one value: write a list with commas, as 64,64"};
  return {ExitCode::usage, error.what(), where, "see `" + where + " --help`"};
}

}  // namespace r2pac
