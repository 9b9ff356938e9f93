// The lines that `sample` is piped: observations as JSON, from anybody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace r2pac {

/// Bytes of an observation line without its end.
inline constexpr std::size_t kLongestObservationLine = std::size_t{1} << 20;

/// One question to a policy.
struct Question {
  std::vector<float> observation;
  std::optional<double> spent;  ///< cost of the episode so far, where it is counted
  std::int64_t step = 0;        ///< of the episode, from 0
};

/// Reads the next line, without its end, and never more than the limit and one byte. False at the end of the
/// input. A line that is too long comes cut, one byte longer than the limit. Throws Error(data) where the
/// input cannot be read.
bool next_line(std::istream& in, std::string& line);

/// A line: an array of `width` numbers, or an object with such an array under "observation" and, if they are
/// counted, the episode's cost so far under "spent" and its step under "step". `where` names the line in
/// errors. Throws Error(data).
Question parse_question(std::string_view line, int width, const std::string& where);

}  // namespace r2pac
