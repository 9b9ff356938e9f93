// Why a call of the HDF5 library failed, told apart by what a user can do about it. Internal to this folder.
#pragma once

#include <stdexcept>
#include <string>

#include "base/error.h"

namespace r2pac::hdf5 {

enum class Cause {
  damaged,       ///< nothing else explains it
  newer_format,  ///< a version number that the library does not know
  writer_died,   ///< the file is marked as open for writing
  locked,        ///< a program has it open for writing now
  memory,        ///< an allocation failed
  system,        ///< the operating system refused: descriptors, disk, network, permission
  filter         ///< packed with a filter that the library was built without
};

/// A failed HDF5 call; what() is the library's own innermost reason, printable and short.
class Failure : public std::runtime_error {
 public:
  Failure(const std::string& reason, Cause cause = Cause::damaged, int error_number = 0)
      : std::runtime_error(reason), cause_(cause), error_number_(error_number) {}
  /// From the library's error stack, which it leaves as it is.
  static Failure of_library();

  Cause cause() const { return cause_; }
  /// What it means for `subject` ("the file", "array `x`"), with the remedy. Only for damage is `failed`
  /// added, which says what failed: " and cannot be opened". Error(ExitCode::data) without a place.
  Error explain(const std::string& subject, const std::string& failed) const;

 private:
  Cause cause_;
  int error_number_;
};

}  // namespace r2pac::hdf5
