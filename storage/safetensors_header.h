// The header of a safetensors file: its table of tensors and text entries, from and to JSON.
//
// File:    8 bytes little-endian length N, N bytes of JSON (spaces may follow it), then the data.
// JSON:    {"__metadata__": {text: text, ...}, name: {"dtype": "F32", "shape": [..], "data_offsets": [begin,
// end]}, ...} Offsets count from the first byte of data; together the tensors cover the data without hole or
// overlap.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/printable.h"

namespace r2pac {

/// What the program accepts of a file that anybody may have made. The writer keeps to it too.
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxTensors = 4096;
inline constexpr std::size_t kMaxRank = 8;
inline constexpr std::size_t kMaxNameBytes = 256;

/// Element types of the format. Half-size floats and 8-bit floats can be listed, not computed with.
enum class StoredType {
  boolean,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  u16,
  i16,
  f16,
  bf16,
  u32,
  i32,
  f32,
  u64,
  i64,
  f64
};

/// The type's name in the file, such as "F32".
const char* type_name(StoredType type);
/// Bytes per element.
std::size_t type_bytes(StoredType type);

/// One row of the table of tensors; row-major.
struct StoredTensor {
  std::string name;
  StoredType type = StoredType::f32;
  std::vector<std::size_t> shape;  ///< empty for a scalar; entries may be 0
  std::size_t begin = 0;           ///< first byte, counted from the first byte of data
  std::size_t end = 0;             ///< one past the last byte

  std::size_t bytes() const { return end - begin; }
  std::size_t count() const { return bytes() / type_bytes(type); }
};

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::vector<StoredTensor> tensors;  ///< in order of begin
};

/// Product of shape and element size, or nothing when it does not fit 64 bits.
std::optional<std::size_t> bytes_of(StoredType type, const std::vector<std::size_t>& shape);

/// "[2, 3]"
std::string shape_text(const std::vector<std::size_t>& shape);

/// Reads and checks a header. `json` is the header's text, `data_bytes` the length of the data after it,
/// `file` the name for messages. Throws Error(checkpoint) for anything but a header that describes exactly
/// the data.
SafetensorsHeader parse_header(std::string_view json, std::size_t data_bytes, const std::string& file);

/// The header's JSON, without padding. Throws InvalidArgument for text that is not UTF-8.
std::string format_header(const SafetensorsHeader& header);

/// The error for a file that cannot be used: what is wrong with it.
[[noreturn]] void throw_damaged(const std::string& file, const std::string& what);

}  // namespace r2pac
