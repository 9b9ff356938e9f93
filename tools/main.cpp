// The `r2pac` command: the one place where errors become messages.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "base/descriptors.h"
#include "base/error.h"
#include "base/printable.h"
#include "base/version.h"
#include "tools/command_line.h"
#include "tools/help.h"
#include "tools/usage_error.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

/// Errors quote files and other programs: nothing of them reaches the terminal as it is.
int report(const Error& error) {
  std::fprintf(stderr, "error: %s\n", printable_message(error.what()).c_str());
  if (!error.where().empty()) std::fprintf(stderr, "  where: %s\n", printable(error.where()).c_str());
  if (!error.todo().empty()) std::fprintf(stderr, "  to do: %s\n", printable(error.todo()).c_str());
  return static_cast<int>(error.code());
}

/// Fails when what was printed did not arrive, for example on a full disk.
void check_standard_output() {
  std::cout.flush();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout)
    throw Error(ExitCode::disk, "standard output could not be written", "",
                "free space where it goes, or send it elsewhere");
}

/// Takes `help` and `version` as words, as other programs do.
void understand_words(std::vector<std::string>& arguments) {
  if (arguments.empty()) arguments.emplace_back("r2pac");
  if (arguments.size() < 2) return;
  if (arguments[1] == "version" || arguments[1] == "-v") arguments[1] = "--version";
  if (arguments[1] == "help") {
    arguments.erase(arguments.begin() + 1);
    arguments.emplace_back("--help");
  }
}

int run(int argc, char** argv) {
  std::vector<std::string> command_line(argv, argv + argc);
  understand_words(command_line);
  CLI::App app("R2PAC: safe policies from recorded data, in C++.", "r2pac");
  app.set_version_flag("--version", std::string("r2pac ") + kVersion + " (" + kCommit + ")");
  app.require_subcommand(1);
  app.formatter(std::make_shared<HelpFormatter>());
  Action action{command_line, {}};
  for (AddVerb* add : kVerbs) add(app, action);
  if (command_line.size() == 2 && command_line[1] == "--help-all") {
    for_each_verb(app, [](const std::string& path, const CLI::App& verb) {
      const std::string words = path.empty() ? "" : "r2pac " + path;  // CLI11 adds the last one itself
      std::cout << (path.empty() ? "" : "\n") << verb.help(words.substr(0, words.rfind(' ')));
    });
    return 0;
  }
  try {
    // CLI11 takes the words from the last one on.
    app.parse(std::vector<std::string>(command_line.rbegin(), command_line.rend() - 1));
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return report(usage_error(app, error, {command_line.begin() + 1, command_line.end()}));
  }
  const int status = action.run();
  check_standard_output();
  return status;
}

/// Ends the program when even a message would need memory, or an error has nowhere to go.
[[noreturn]] void end_without_memory() noexcept {
  constexpr std::string_view kMessage =
      "error: there is not enough memory\n  to do: lower batch, hidden or num_candidates, or free memory\n";
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(static_cast<int>(ExitCode::usage));
}

/// Called where an exception cannot be thrown. Out of memory, that may be anywhere.
[[noreturn]] void on_terminate() noexcept {
  const std::exception_ptr thrown = std::current_exception();
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    end_without_memory();
  } catch (...) {
    std::fputs("error: internal error: an exception was thrown where none may be\n", stderr);
  }
  std::abort();
}

/// What the system refused, in words of ours.
Error system_error(const std::system_error& error) {
  if (error.code() == std::errc::resource_unavailable_try_again)
    return {ExitCode::device, "the system starts no further thread or process: " + error.code().message(), "",
            "lower --threads, or raise the limits on processes and memory (`ulimit -u`, `ulimit -v`)"};
  return {ExitCode::disk, "a file or folder cannot be used: " + error.code().message(), "",
          "check the paths of the command and their permissions"};
}

int run_and_report(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Error& error) {
    return report(error);
  } catch (const std::bad_alloc&) {
    end_without_memory();
  } catch (const std::length_error&) {
    end_without_memory();
  } catch (const std::filesystem::filesystem_error& error) {
    return report({ExitCode::disk, "a file or folder cannot be used: " + error.code().message(),
                   error.path1().string(), "check the path and its permissions"});
  } catch (const std::system_error& error) {
    return report(system_error(error));
  } catch (const std::exception& error) {
    return report({ExitCode::usage, std::string("internal error: ") + error.what(), "",
                   "please report this with the command and its input"});
  }
}

}  // namespace
}  // namespace r2pac

int main(int argc, char** argv) {
  std::set_terminate(r2pac::on_terminate);
  r2pac::open_standard_descriptors();
  std::signal(SIGPIPE, SIG_DFL);  // a closed pipe, as of `| head`, ends the program without a word
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow further is an error like a full disk
  return r2pac::run_and_report(argc, argv);
}
