// The seeds of several runs of one command, as `train` and `sweep` take them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace r2pac {

/// Seeds of a list of numbers and ranges, as 0-4 or 1,7,20-22, in its order: from 1 to 1000, each below 2^53
/// and given once. Throws Error(usage).
std::vector<std::int64_t> parse_seeds(const std::string& text);

}  // namespace r2pac
