#include "base/printable.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace r2pac {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

/// The character at the beginning of a text that is not empty; not valid where the bytes are no UTF-8.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  std::uint32_t code = lead & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return {code, bytes, code >= kLeast[bytes] && code <= 0x10FFFF && !surrogate};
}

bool is_harmful(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) ||  // control codes
         code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) ||  // writing direction
         code == 0x2028 || code == 0x2029;      // ends of lines and paragraphs
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    const Character next = first_character(text);
    const std::string_view bytes = text.substr(0, next.valid ? next.bytes : 1);
    text.remove_prefix(bytes.size());
    if (next.valid && !is_harmful(next.code)) {
      out += bytes;
      continue;
    }
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      out.append("\\x").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
    }
  }
  return out;
}

std::string printable_message(std::string_view text) {
  const auto may_follow = [](std::string_view line) {
    if (!line.starts_with("  ")) return false;
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    return !line.starts_with("where:") && !line.starts_with("to do:");
  };
  std::string out;
  for (std::size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
    out += printable(text.substr(0, end)) + (may_follow(text.substr(end + 1)) ? "\n" : "\\x0a");
  return out + printable(text);
}

}  // namespace r2pac
