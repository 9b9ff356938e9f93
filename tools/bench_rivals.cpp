#include "tools/bench_rivals.h"

#include <unistd.h>

#include <vector>

#include "base/error.h"
#include "base/installation.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

Error missing(const std::string& file) {
  return {ExitCode::usage, "PyTorch and JAX are measured in an environment of their own, which is not there",
          file, "make it with `./setup.sh --rivals`, and use the program of that folder"};
}

}  // namespace

void run_rivals(const RivalsOptions& options) {
  const std::string python = find_above(".rivals/bin/python3"), script = find_above("bench/rivals.py");
  if (python.empty()) throw missing(".rivals/bin/python3");
  if (script.empty()) throw missing("bench/rivals.py");
  std::vector<std::string> words = {python,
                                    script,
                                    "--program",
                                    own_program(),
                                    "--threads",
                                    std::to_string(options.threads),
                                    "--trials",
                                    std::to_string(options.trials),
                                    "--seconds",
                                    format_number(options.seconds),
                                    "--filter=" + options.filter,
                                    "--out=" + options.out};
  if (options.json) words.emplace_back("--json");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(argv.front(), argv.data());
  throw missing(python);
}

}  // namespace r2pac
