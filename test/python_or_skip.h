// An interpreter that a test program needs; without it the program ends as skipped.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace r2pac {

/// Ends the test program with CTest's status of a skipped test, unless `python` can run the statement.
inline void skip_unless_python_runs(const std::string& python, const std::string& statement) {
  if (std::system(("'" + python + "' -c '" + statement + "' >/dev/null 2>&1").c_str()) == 0) return;
  std::printf("skipped: %s cannot run `%s`\n", python.c_str(), statement.c_str());
  std::exit(77);
}

}  // namespace r2pac
