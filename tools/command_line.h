// The parts of which the command line of a verb is built.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "settings/text_value.h"

namespace r2pac {

/// What the program was asked to do.
struct Action {
  std::vector<std::string> command_line;  ///< as given
  std::function<int()> run;               ///< of the chosen verb; returns the exit status
};

/// A word of the command line with its help.
inline CLI::App* add_word(CLI::App& parent, const std::string& name, const std::string& description,
                          const std::string& example) {
  CLI::App* word = parent.add_subcommand(name, description);
  word->footer("Example:\n  " + example);
  return word;
}

/// A word that does nothing alone: the caller adds verbs below it.
inline CLI::App* add_verb_group(CLI::App& parent, const std::string& name, const std::string& description,
                                const std::string& example) {
  CLI::App* group = add_word(parent, name, description, example);
  group->require_subcommand(1);
  return group;
}

/// A verb that does run(options), and these options, which live as long as the app. The caller adds the flags
/// that fill them.
template <class Options>
std::pair<CLI::App*, Options*> add_verb(CLI::App& parent, Action& action, int (*run)(const Options&),
                                        const std::string& name, const std::string& description,
                                        const std::string& example) {
  CLI::App* verb = add_word(parent, name, description, example);
  const auto options = std::make_shared<Options>();
  verb->callback([&action, run, options] { action.run = [run, options] { return run(*options); }; });
  return {verb, options.get()};
}

/// The options that are added to a verb while it lives stand below this heading of the verb's help.
class OptionGroup {
 public:
  OptionGroup(CLI::App& verb, const std::string& heading) : verb_(verb) {
    verb_.option_defaults()->group(heading);
  }
  ~OptionGroup() { verb_.option_defaults()->group("Options"); }
  OptionGroup(const OptionGroup&) = delete;
  OptionGroup& operator=(const OptionGroup&) = delete;

 private:
  CLI::App& verb_;
};

/// An option that takes the name of one of an enum's values. Not given, it leaves `chosen` as it is.
template <class Enum, class Chosen>
void add_choice(CLI::App& verb, const std::string& option, Chosen& chosen, const char* (*name_of)(Enum),
                std::initializer_list<Enum> values, const std::string& description) {
  std::vector<std::string> names;
  std::map<std::string, Enum> by_name;
  for (const Enum value : values) {
    names.emplace_back(name_of(value));
    by_name[names.back()] = value;
  }
  verb.add_option_function<std::string>(
          option, [&chosen, by_name](const std::string& name) { chosen = by_name.at(name); }, description)
      ->check(CLI::IsMember(names));
}

/// An option for a file or folder to write. An empty name, as of a shell's unset variable, is no name.
inline CLI::Option* add_output(CLI::App& verb, const std::string& option, std::string& path,
                               const std::string& description) {
  return verb.add_option(option, path, description)
      ->check([](const std::string& text) { return text.empty() ? "the name is empty" : ""; }, "PATH");
}

/// The check of an option that takes a number from `least` to `most`: unlike CLI::Range, it refuses NaN.
inline CLI::Validator number_in(double least, double most) {
  return {[=](const std::string& text) {
            const auto value = parse_number<double>(text);
            return value && *value >= least && *value <= most
                       ? std::string()
                       : text + " is no number from " + format_number(least) + " to " + format_number(most);
          },
          "[" + format_number(least) + ", " + format_number(most) + "]"};
}

/// The check of an option that names a file to write, whose ending says in what form.
inline CLI::Validator ends_in(std::vector<std::string> endings) {
  return {[endings = std::move(endings)](const std::string& text) {
            std::string known;
            for (const std::string& ending : endings) {
              if (text.ends_with(ending)) return std::string();
              known += (known.empty() ? "" : ", ") + ending;
            }
            return text + " ends in none of " + known;
          },
          "PATH"};
}

/// An option for the path of a picture, which is judged before anything is computed.
inline void add_picture(CLI::App& verb, std::string& path, const std::string& description) {
  verb.add_option("--picture", path, description + ", .png or .pdf")->check(ends_in({".png", ".pdf"}));
}

/// An option for a seed: a whole number that every JSON reader keeps exact.
inline void add_seed(CLI::App& verb, const std::string& option, std::uint64_t& seed,
                     const std::string& description) {
  verb.add_option(option, seed, description)
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 53));
}

}  // namespace r2pac
