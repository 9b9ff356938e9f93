// A check before the TOML parser, which makes a nested table for each dot in a key.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace r2pac {

/// Number of the first line that has more dots than any settings file needs; 0 if there is none.
/// toml++ limits how deeply values nest, but not dotted keys, and frees nested tables by recursion: a long
/// enough key overflows the stack. Keys end with their line, so that dots in a line bound the tables it
/// makes.
inline std::size_t line_with_deep_key(std::string_view toml) {
  constexpr std::ptrdiff_t kMostDots = 64;
  for (std::size_t begin = 0, line = 1; begin < toml.size(); ++line) {
    const std::size_t end = std::min(toml.find('\n', begin), toml.size());
    const std::string_view text = toml.substr(begin, end - begin);
    if (std::count(text.begin(), text.end(), '.') > kMostDots) return line;
    begin = end + 1;
  }
  return 0;
}

}  // namespace r2pac
