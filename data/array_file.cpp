#include "data/array_file.h"

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

void check_extent(const std::string& name, ArrayKind kind, int dimensions, std::uint64_t rows,
                  std::uint64_t columns) {
  const bool matrix = kind == ArrayKind::matrix;
  const char* const expected = matrix ? "it must be [rows, columns]" : "it must be [rows] or [rows, 1]";
  if (dimensions < (matrix ? 2 : 1) || dimensions > 2)
    throw array_fault(name, "has " + std::to_string(dimensions) + " dimensions", expected);
  if (!matrix && columns != 1)
    throw array_fault(name, "has " + std::to_string(columns) + " columns", expected);
  if (rows == 0 || columns == 0) throw array_fault(name, "is empty", "make the data set again");
  if (rows > kMostRows || columns > kMostColumns)
    throw array_fault(name,
                      "claims " + std::to_string(rows) + " rows and " + std::to_string(columns) + " columns",
                      "at most 4294967295 rows and 1048576 columns can be used");
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

}  // namespace r2pac
