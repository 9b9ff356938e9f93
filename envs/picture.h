// What a camera sees of an environment.
#pragma once

#include <cstdint>
#include <vector>

namespace r2pac {

inline constexpr std::uint32_t kWidestPicture = 2048;  ///< pixels, and as high at most

struct CameraPicture {
  std::uint32_t width = 0, height = 0;  ///< pixels, 1 to kWidestPicture
  std::vector<std::uint8_t> pixels;     ///< [height, width, 3]: red, green, blue; the top row first
};

}  // namespace r2pac
