#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/version.h"
#include "tools/help.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

constexpr std::pair<ExitCode, const char*> kExitCodes[] = {
    {ExitCode::ok, "done"},
    {ExitCode::slower, "bench compare: a row is slower"},
    {ExitCode::usage, "a mistake of the command line, or not enough memory"},
    {ExitCode::data, "a data set that cannot be read or used"},
    {ExitCode::settings, "a setting, or a resume with other data or settings"},
    {ExitCode::checkpoint, "a checkpoint or policy file that is damaged or of another kind"},
    {ExitCode::device, "a compute device that is missing or unusable"},
    {ExitCode::diverged, "a loss, gradient or action stopped being finite"},
    {ExitCode::disk, "a file could not be written"},
    {ExitCode::environment, "a simulator is missing, died, hung or broke the protocol"},
    {ExitCode::resumable, "stopped by a signal after saving: the same command continues"},
};

/// Text of a manual page: no character of it is a command.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    if (c == '\n') out += "\\&";
  }
  return "\\&" + out;
}

void print_option(const OptionWords& option) {
  std::string names;
  for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + name;
  std::printf(".TP\n.B \"%s\"%s\n%s\n", roff(names).c_str(),
              option.value.empty() ? "" : (" " + roff(option.value)).c_str(),
              roff(option.description).c_str());
  if (option.choices.empty()) return;
  std::string choices;
  for (const std::string& choice : option.choices) choices += (choices.empty() ? "" : ", ") + choice;
  std::printf("(%s)\n", roff(choices).c_str());
}

void print_manual(const CLI::App& app) {
  std::printf(
      ".TH R2PAC 1 \"\" \"r2pac %s\"\n.SH NAME\nr2pac \\- %s\n.SH SYNOPSIS\n.B r2pac\n.I verb\n"
      "[options]\n.SH VERBS\n",
      roff(kVersion).c_str(), roff("safe policies from recorded data").c_str());
  for_each_verb(app, [&](const std::string& path, const CLI::App& verb) {
    if (path.empty() || verb.get_require_subcommand_min() > 0) return;
    std::string usage = "r2pac " + path;
    for (const CLI::Option* word : verb.get_options([](const CLI::Option* o) { return o->get_positional(); }))
      usage += " " + word->get_name(true, false);
    std::printf(".SS \"%s\"\n%s.\n", roff(usage).c_str(), roff(verb.get_description()).c_str());
    for (const CLI::Option* word : verb.get_options([](const CLI::Option* o) { return o->get_positional(); }))
      std::printf(".TP\n.I %s\n%s\n", roff(word->get_name(true, false)).c_str(),
                  roff(word->get_description()).c_str());
    for (const OptionWords& option : options_of(verb))
      if (option.names.back() != "--help") print_option(option);
    std::printf(".PP\n%s\n", roff(verb.get_footer()).c_str());
  });
  std::printf(".SH EXIT STATUS\n");
  for (const auto& [code, text] : kExitCodes)
    std::printf(".TP\n%d\n%s\n", static_cast<int>(code), roff(text).c_str());
}

}  // namespace

void add_manual(CLI::App& app, Action& action) {
  CLI::App* verb =
      add_word(app, "manual", "Print the manual page of all verbs and options", "r2pac manual | man -l -");
  verb->callback([&app, &action] {
    action.run = [&app] {
      print_manual(app);
      return 0;
    };
  });
}

}  // namespace r2pac
