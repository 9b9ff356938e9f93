// Time of day, for what is written into files.
#pragma once

#include <string>

namespace r2pac {

/// Now in UTC, ISO 8601, to the second.
std::string utc_now();

}  // namespace r2pac
