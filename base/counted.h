// Numbers of things in sentences.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace r2pac {

/// "1 episode", "2 episodes". `what` is the singular of a word that takes an s.
std::string counted(std::integral auto n, std::string_view what) {
  return std::to_string(n) + " " + std::string(what) + (n == 1 ? "" : "s");
}

}  // namespace r2pac
