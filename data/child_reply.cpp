#include "data/child_reply.h"

#include <algorithm>
#include <cstring>

namespace r2pac {
namespace {

constexpr std::size_t kLongestText = std::size_t{1} << 14;
constexpr ExitCode kFailures[] = {ExitCode::usage,      ExitCode::data,       ExitCode::settings,
                                  ExitCode::checkpoint, ExitCode::device,     ExitCode::diverged,
                                  ExitCode::disk,       ExitCode::environment};

}  // namespace

std::string pack_error(const Error& error) {
  std::string packed(1, static_cast<char>(error.code()));
  for (const std::string& text : {std::string(error.what()), error.where(), error.todo()})
    packed.append(text.substr(0, kLongestText).c_str()).push_back('\0');
  return packed;
}

Error unpack_error(std::string_view packed) {
  ExitCode code = ExitCode::data;
  for (const ExitCode failure : kFailures)
    if (!packed.empty() && packed[0] == static_cast<char>(failure)) code = failure;
  packed.remove_prefix(std::min<std::size_t>(1, packed.size()));
  std::string text[3];
  for (std::string& t : text) {
    const std::size_t end = std::min(packed.find('\0'), packed.size());
    t = packed.substr(0, std::min(end, kLongestText));
    packed.remove_prefix(std::min(end + 1, packed.size()));
  }
  return {code, text[0], text[1], text[2]};
}

std::string pack_shape(const ColumnShape& shape) {
  return {reinterpret_cast<const char*>(&shape), sizeof shape};
}

ColumnShape unpack_shape(std::string_view reply, std::int64_t bytes, const std::string& file) {
  constexpr std::int64_t kMostRows = std::int64_t{1} << 36;
  constexpr std::int32_t kWidest = 1 << 20;
  ColumnShape shape;
  if (reply.size() >= sizeof shape) std::memcpy(&shape, reply.data(), sizeof shape);
  const auto is_width = [](std::int32_t width) { return width >= 1 && width <= kWidest; };
  // Within these limits the size of the block is a number of 64 bits.
  const bool usable = shape.rows >= 1 && shape.rows <= kMostRows && is_width(shape.observation_dim) &&
                      is_width(shape.action_dim) && offset_of(shape, kArrays.size()) <= bytes;
  if (!usable)
    throw Error(ExitCode::data, "the file is damaged: decoding it gave no arrays that can be used", file,
                "get a fresh copy of the file");
  return shape;
}

}  // namespace r2pac
