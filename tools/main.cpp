// The `r2pac` command: the one place where errors become messages.
#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <new>

#include "base/descriptors.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/version.h"
#include "tools/command_line.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

int report(const Error& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  if (!error.where().empty()) std::fprintf(stderr, "  where: %s\n", error.where().c_str());
  if (!error.todo().empty()) std::fprintf(stderr, "  to do: %s\n", error.todo().c_str());
  return static_cast<int>(error.code());
}

/// CLI11's complaint in our form, with the nearest name for something unknown.
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
  std::vector<std::string> options, verbs;
  for (const CLI::Option* option : verb->get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
    for (const std::string& name : option->get_snames()) options.push_back("-" + name);
  }
  for (const CLI::App* below : verb->get_subcommands([](const CLI::App*) { return true; }))
    verbs.push_back(below->get_name());
  if (!verbs.empty() && word != arguments.end() && word->rfind('-', 0) != 0)
    return {ExitCode::usage, "unknown verb `" + *word + "`", where, did_you_mean(*word, verbs)};
  for (; word != arguments.end(); ++word) {
    const bool is_long = word->rfind("--", 0) == 0;
    const bool is_short = !is_long && word->size() > 1 && (*word)[0] == '-' &&
                          std::isalpha(static_cast<unsigned char>((*word)[1]));
    if (!is_long && !is_short) continue;
    const std::string name = is_long ? word->substr(0, word->find('=')) : word->substr(0, 2);
    if (std::find(options.begin(), options.end(), name) == options.end())
      return {ExitCode::usage, "unknown option `" + name + "`", where, did_you_mean(name, options)};
  }
  if (!verbs.empty()) return {ExitCode::usage, "a verb is missing", where, did_you_mean("", verbs)};
  return {ExitCode::usage, error.what(), where, "see `" + where + " --help`"};
}

/// Fails when what was printed did not arrive, for example on a full disk.
void check_standard_output() {
  std::cout.flush();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout)
    throw Error(ExitCode::disk, "standard output could not be written", "",
                "free space where it goes, or send it elsewhere");
}

int run(int argc, char** argv) {
  const std::vector<std::string> command_line(argv, argv + argc);
  CLI::App app("R2PAC: safe policies from recorded data, in C++.", "r2pac");
  app.set_version_flag("--version", std::string("r2pac ") + kVersion + " (" + kCommit + ")");
  app.require_subcommand(1);
  Action action{command_line, {}};
  for (AddVerb* add : kVerbs) add(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return report(usage_error(app, error, {command_line.begin() + 1, command_line.end()}));
  }
  const int status = action.run();
  check_standard_output();
  return status;
}

}  // namespace
}  // namespace r2pac

int main(int argc, char** argv) {
  r2pac::open_standard_descriptors();
  std::signal(SIGPIPE, SIG_DFL);  // a closed pipe, as of `| head`, ends the program without a word
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow further is an error like a full disk
  try {
    return r2pac::run(argc, argv);
  } catch (const r2pac::Error& error) {
    return r2pac::report(error);
  } catch (const std::bad_alloc&) {
    return r2pac::report(
        {r2pac::ExitCode::usage, "there is not enough memory", "", "lower batch, hidden or num_candidates"});
  } catch (const std::exception& error) {
    return r2pac::report({r2pac::ExitCode::usage, std::string("internal error: ") + error.what(), "",
                          "please report this with the command and its input"});
  }
}
