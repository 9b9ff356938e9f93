// What a command of the shell prints.
#pragma once

#include <catch2/catch.hpp>
#include <cstdio>
#include <string>

namespace r2pac {

/// Its standard output; the test fails unless it ends with status 0.
inline std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string out;
  char part[4096];
  for (std::size_t got; (got = std::fread(part, 1, sizeof part, pipe)) > 0;) out.append(part, got);
  REQUIRE(::pclose(pipe) == 0);
  return out;
}

}  // namespace r2pac
