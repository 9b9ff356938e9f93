#include "data/array_file.h"

#include <algorithm>

namespace r2pac {
namespace {

constexpr std::uint64_t kMostRows = (std::uint64_t{1} << 32) - 1;  // window starts are 32-bit
constexpr std::uint64_t kMostColumns = 1 << 20;
constexpr std::int64_t kSuspiciousBytes = std::int64_t{4} << 30;  // with a ratio above
constexpr std::int64_t kMostExpansion = 1000;                     // gzip's limit on honest data is about 1030

}  // namespace

Error array_fault(const std::string& name, const std::string& what, const std::string& todo) {
  return Error(ExitCode::data, "array `" + name + "` " + what, {}, todo);
}

bool is_transposed(const ArrayExtent& vector) {
  return vector.dimensions == 2 && vector.rows == 1 && vector.columns > 1;
}

void check_extent(const std::string& name, ArrayKind kind, const ArrayExtent& extent) {
  const bool matrix = kind == ArrayKind::matrix;
  const std::string expected = matrix                      ? "it must be [rows, columns]"
                               : kind == ArrayKind::vector ? "it must be [rows] or [rows, 1]"
                                                           : "it must be [rows] or [rows, columns]";
  const auto& [dimensions, rows, columns] = extent;
  if (dimensions < (matrix ? 2 : 1) || dimensions > 2)
    throw array_fault(
        name, "has " + std::to_string(dimensions) + " dimensions",
        matrix && dimensions == 1 ? expected + "; `r2pac data convert` reads it as one column" : expected);
  if (kind == ArrayKind::vector && is_transposed(extent))
    throw array_fault(
        name, "has 1 row and " + std::to_string(columns) + " columns: it is transposed, as MATLAB writes",
        "`r2pac data convert` reads such files; or transpose all arrays, so that rows come first");
  if (kind == ArrayKind::vector && columns != 1)
    throw array_fault(name, "has " + std::to_string(columns) + " columns", expected);
  if (rows == 0 || columns == 0) throw array_fault(name, "is empty", "make the data set again");
  if (rows > kMostRows || columns > kMostColumns)
    throw array_fault(name,
                      "claims " + std::to_string(rows) + " rows and " + std::to_string(columns) + " columns",
                      "at most 4294967295 rows and 1048576 columns can be used");
}

void refuse_type(const std::string& name, const std::string& what) {
  throw array_fault(name, "is made of " + what + ", not of numbers",
                    "store it as float32; flags as boolean, or as numbers 0 and 1");
}

void refuse_discrete(const std::string& name) {
  throw array_fault(name, "is made of whole numbers: these are discrete actions",
                    "R2PAC needs continuous actions in [-1, 1], stored as float32");
}

std::uint8_t as_flag(float value, const std::string& name, std::uint64_t row) {
  if (value != 0.0f && value != 1.0f)
    throw array_fault(name, "has the value " + std::to_string(value) + " in row " + std::to_string(row),
                      "flags must be 0 or 1");
  return value != 0.0f;
}

std::string listing(const ArrayFile& file) {
  constexpr std::size_t kMost = 20;
  const std::vector<std::string> names = file.names();
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) {
    list += (i == 0 ? "`" : ", `") + names[i] + "`";
    try {
      const ArrayExtent extent = file.extent(names[i]);
      list += " [";
      if (extent.dimensions >= 1) list += std::to_string(extent.rows);
      if (extent.dimensions >= 2) list += ", " + std::to_string(extent.columns);
      list += extent.dimensions > 2 ? ", ...]" : "]";
    } catch (const Error&) {  // it is named all the same
    }
  }
  if (names.size() > kMost) list += ", ...";
  return list.empty() ? "no arrays" : list;
}

void Budget::claim(std::int64_t bytes) {
  claimed_ += bytes;
  const std::string claim = "the arrays claim " + std::to_string(claimed_) + " bytes, ";
  if (claimed_ > bytes_)
    throw Error(ExitCode::data, claim + std::to_string(bytes_) + " are allowed", {},
                "use a machine with more memory, or fewer episodes");
  if (claimed_ > kSuspiciousBytes && claimed_ / kMostExpansion > stored_)
    throw Error(ExitCode::data, claim + "more than a thousand times the size of the file", {},
                "get a fresh copy of the file");
}

void Budget::require(std::int64_t bytes) const {
  if (bytes <= left()) return;
  throw Error(
      ExitCode::data,
      "reading needs " + std::to_string(claimed_ + bytes) + " bytes, " + std::to_string(bytes_) +
          " are allowed",
      {}, "repack the file in smaller chunks (`h5repack -l CHUNK=1000`), or use a machine with more memory");
}

}  // namespace r2pac
