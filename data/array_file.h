// A file of named arrays of numbers, whatever its format. Internal to this folder; used inside the fence.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/rounding.h"

namespace r2pac {

/// What an array must look like.
enum class ArrayKind {
  matrix,  ///< [rows, columns]
  vector,  ///< [rows] or [rows, 1]
  either   ///< [rows] or [rows, columns]
};

/// The shape of an array as it is stored. `rows` and `columns` are those of the first two dimensions.
struct ArrayExtent {
  int dimensions = 0;
  std::uint64_t rows = 0, columns = 1;
};

/// One array, read whole.
struct NumberArray {
  std::int64_t rows = 0, columns = 1;
  std::vector<float> values;             ///< [rows, columns], row-major
  bool whole_numbers = false;            ///< stored as integers or booleans
  std::vector<ColumnRounding> rounding;  ///< [columns], or empty where nothing can be lost
};

/// "array `name` what": Error(ExitCode::data) without a place, which the reader adds.
Error array_fault(const std::string& name, const std::string& what, const std::string& todo);

/// Throws array_fault unless the dimensions are those of the kind and of a size that can be used.
void check_extent(const std::string& name, ArrayKind kind, const ArrayExtent& extent);

/// Throws array_fault: the array is made of `what` (text, records, ...), not of numbers.
[[noreturn]] void refuse_type(const std::string& name, const std::string& what);

/// A flag from a number: 0 or 1. Throws array_fault for any other.
std::uint8_t as_flag(float value, const std::string& name, std::uint64_t row);

/// Throws array_fault: whole numbers as actions are choices, which are not supported.
[[noreturn]] void refuse_discrete(const std::string& name);

/// How much the arrays of one file may claim.
class Budget {
 public:
  /// bytes  of all arrays together; stored  the file's size
  Budget(std::int64_t bytes, std::int64_t stored) : bytes_(bytes), stored_(stored) {}
  /// Adds to what is claimed. Throws Error(ExitCode::data) when it is more than allowed, or more than a file
  /// of this size can honestly hold.
  void claim(std::int64_t bytes);
  /// Throws Error(ExitCode::data) unless so many bytes are left, which are needed for a while only.
  void require(std::int64_t bytes) const;
  /// What may still be claimed.
  std::int64_t left() const { return bytes_ - claimed_; }

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
  /// Names of the arrays that are there, some dozens at most.
  virtual std::vector<std::string> names() const = 0;
  /// The shape of an array, of any rank. Throws as read does.
  virtual ArrayExtent extent(const std::string& name) const = 0;
};

/// "`state` [240, 4], `reward` [240], ...": what a file holds, for messages.
std::string listing(const ArrayFile& file);

/// Whether the array `rewards`, or another vector of that name, is [1, rows]: MATLAB writes arrays
/// transposed.
bool is_transposed(const ArrayExtent& vector);

}  // namespace r2pac
