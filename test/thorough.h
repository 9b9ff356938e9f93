// How long tests of chance and of many cases take: a sample, or with R2PAC_THOROUGH=N about N times as many.
#pragma once

#include <cstdlib>

namespace r2pac {

inline int thorough() {
  const char* const text = std::getenv("R2PAC_THOROUGH");
  const int times = text != nullptr ? std::atoi(text) : 1;
  return times > 1 ? times : 1;
}

}  // namespace r2pac
