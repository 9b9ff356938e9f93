// A file of named arrays of numbers, whatever its format. Internal to this folder; used inside the fence.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace r2pac {

/// What an array must look like: [rows, columns], or [rows] or [rows, 1].
enum class ArrayKind { matrix, vector };

/// One array, read whole.
struct NumberArray {
  std::int64_t rows = 0, columns = 1;
  std::vector<float> values;   ///< [rows, columns], row-major
  bool whole_numbers = false;  ///< stored as integers or booleans
};

/// "array `name` what": Error(ExitCode::data) without a place, which the reader adds.
Error array_fault(const std::string& name, const std::string& what, const std::string& todo);

/// Throws array_fault unless the dimensions are those of the kind and of a size that can be used.
/// columns  1 where the array has one dimension
void check_extent(const std::string& name, ArrayKind kind, int dimensions, std::uint64_t rows,
                  std::uint64_t columns);

/// How much the arrays of one file may claim.
class Budget {
 public:
  /// bytes  of all arrays together; stored  the file's size
  Budget(std::int64_t bytes, std::int64_t stored) : bytes_(bytes), stored_(stored) {}
  /// Adds to what is claimed. Throws Error(ExitCode::data) when it is more than allowed, or more than a file
  /// of this size can honestly hold.
  void claim(std::int64_t bytes);

 private:
  std::int64_t bytes_, stored_, claimed_ = 0;
};

/// Arrays by name; "infos/cost" is an array in a group.
class ArrayFile {
 public:
  virtual ~ArrayFile() = default;
  virtual bool contains(const std::string& name) const = 0;
  /// Throws Error(ExitCode::data) when the array is missing, damaged, not of numbers or not of that kind.
  virtual NumberArray read(const std::string& name, ArrayKind kind) const = 0;
};

}  // namespace r2pac
