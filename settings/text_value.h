// Numbers as text, exactly: what is written reads back as the same number.
#pragma once

#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace r2pac {

/// The number that the whole of `text` spells, in decimal; nothing for anything else, for a value that T
/// cannot hold, and for infinities and NaN. A leading plus sign is not accepted.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, value);
  if (status != std::errc() || stop != end || text.empty()) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>)
    if (!std::isfinite(value)) return std::nullopt;
  return value;
}

/// The shortest decimal that reads back as the same number.
template <class T>
std::string format_number(T value) {
  char text[40];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

}  // namespace r2pac
