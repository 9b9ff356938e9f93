// Texts of other people's, made harmless for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace r2pac {

/// `text` with every byte that could command a terminal, reorder a line or is no UTF-8 written as \xNN:
/// control codes, line and paragraph separators, marks of writing direction. Other characters are kept.
std::string printable(std::string_view text);

/// The same for a message of several lines. Line ends stay before lines that begin with two spaces, which set
/// off what a message quotes; but no line can pose as the `where:` or `to do:` that follow a message.
std::string printable_message(std::string_view text);

}  // namespace r2pac
