// How the command line explains itself: help that fits a terminal, and a walk over all verbs for programs
// that want the same tables in another form.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/command_line.h"

namespace r2pac {

/// `text` with line ends at spaces, so that no line is longer than `width` if its words are not.
std::string wrapped(const std::string& text, std::size_t width);

/// CLI11's help in 80 columns.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* verb) const override;
  std::string make_description(const CLI::App* verb) const override;
};

/// Calls `visit` for the program, with an empty path, and then for each word below it: "data", "data info".
void for_each_verb(const CLI::App& app,
                   const std::function<void(const std::string&, const CLI::App&)>& visit);

/// An option as users write it.
struct OptionWords {
  std::vector<std::string> names;    ///< "-o", "--out"
  std::string value;                 ///< what it takes: "FILE", or "" for a flag
  std::vector<std::string> choices;  ///< the words that it takes, where there are only some
  std::vector<std::string>
      offered;  ///< what a shell completes: the choices, or where a table has them its names
  std::string description;
};

/// The options of a verb, without its positional arguments.
std::vector<OptionWords> options_of(const CLI::App& verb);

}  // namespace r2pac
