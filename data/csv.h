// Text tables: a line of names, then a line for each row. Internal to this folder; used inside the fence.
#pragma once

#include <string>
#include <vector>

#include "data/array_file.h"

namespace r2pac {

/// The columns of a table as arrays. Cells are separated by commas, semicolons or tabs, whichever the line of
/// names has most of, and may be quoted. A name is a column, or all columns of that name and a number: `obs`
/// is obs_0, obs_1, ... (also obs0, obs.0, obs[0] or obs 0; from 0 or 1 on, without a gap). Cells are
/// numbers, or the words true and false, which are 1 and 0.
class CsvFile : public ArrayFile {
 public:
  /// Throws Error(ExitCode::data) unless the first line names columns.
  CsvFile(const std::string& path, Budget& budget);
  bool contains(const std::string& name) const override { return !columns_of(name).empty(); }
  /// Throws array_fault that names the line of a cell that is no number, and lines of unequal length.
  NumberArray read(const std::string& name, ArrayKind kind) const override;
  std::vector<std::string> names() const override { return header_; }
  /// Not known before the table is read: always throws array_fault.
  ArrayExtent extent(const std::string& name) const override;

 private:
  /// Places in the line; none when the name is not there.
  std::vector<std::size_t> columns_of(const std::string& name) const;

  std::string path_;
  Budget& budget_;
  char separator_ = ',';
  std::vector<std::string> header_;
};

}  // namespace r2pac
