// The header of NumPy's .npy format, versions 1 to 3, as its documentation states it. Internal to this
// folder; used inside the fence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace r2pac {

/// What a header says of the numbers behind it.
struct NpyHeader {
  char kind = 'f';        ///< 'f' float, 'i' signed, 'u' unsigned integer, 'b' boolean
  std::size_t width = 4;  ///< bytes of a number: f 2, 4 or 8; i and u 1, 2, 4 or 8; b 1
  bool big_endian = false;
  bool column_major = false;
  std::vector<std::uint64_t> shape;
};

/// Bytes of the fixed part: magic, version, and the length of the text in 2 or 4 bytes.
inline constexpr std::size_t kNpyPreamble = 12;

/// Where the text of the header lies in the file.
struct NpyText {
  std::size_t begin, length;
};

/// From the first kNpyPreamble bytes. Throws array_fault about array `name`.
NpyText npy_text(std::span<const unsigned char> preamble, const std::string& name);

/// Parses "{'descr': '<f4', 'fortran_order': False, 'shape': (10, 3), }": these three keys in any order, once
/// each. Nothing is evaluated. Throws array_fault for anything else, and for types that are not in the list
/// above: objects, text, records and complex numbers.
NpyHeader parse_npy_header(std::string_view text, const std::string& name);

/// The number that starts at `bytes`.
double npy_number(const NpyHeader& header, const unsigned char* bytes);

}  // namespace r2pac
