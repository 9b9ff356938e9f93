// What the fuzz targets share. Each is one function that gets bytes and must end, within memory and time, in
// a result or in an Error of ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace r2pac::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Ends the target where a promise is broken.
inline void require(bool holds) {
  if (!holds) std::abort();
}

/// Runs `read`. An error must have the code and a text; any other exception ends the target.
template <class Read>
void expect(ExitCode code, Read read) {
  try {
    read();
  } catch (const Error& error) {
    if (error.code() != code)
      std::fprintf(stderr, "status %d: %s\n", static_cast<int>(error.code()), error.what());
    require(error.code() == code && error.what()[0] != '\0');
  }
}

}  // namespace r2pac::fuzz
