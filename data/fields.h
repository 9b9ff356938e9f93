// The fields of a data set among the arrays of a file, whatever they are called there. Internal to this
// folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/array_file.h"
#include "data/assemble.h"

namespace r2pac {

class Fields {
 public:
  /// label  what messages put before the name of an array: "episode_3/"
  Fields(const ArrayFile& file, const AssembleOptions& options, std::string label = "")
      : file_(file), options_(options), label_(std::move(label)) {}

  /// What the user named for a field, or the first usual name that is there.
  std::optional<std::string> find(const std::string& field) const;

  /// Arrays [T] and [T, columns] of a field, side by side. rows  that must be T; 0: any
  /// Throws array_fault that lists what the file holds when the field is missing.
  NumberArray matrix(const std::string& field, std::int64_t rows = 0) const;
  /// The same of actions, which may not be whole numbers.
  NumberArray actions(std::int64_t rows = 0) const;
  NumberArray vector(const std::string& field, std::int64_t rows) const;
  std::vector<std::uint8_t> flags(const std::string& field, std::int64_t rows) const;
  /// Zeros when there are none and the user said so. with_reset  of T + 1 costs the first is left out
  NumberArray costs(std::int64_t rows, bool with_reset) const;

 private:
  /// The name of a field that must be there.
  std::string need(const std::string& field) const;
  void check_rows(const NumberArray& array, const std::string& name, std::int64_t rows) const;

  const ArrayFile& file_;
  const AssembleOptions& options_;
  std::string label_;
};

}  // namespace r2pac
