// A file of whole lines that only grows, and can be cut back when a run is resumed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "storage/posix.h"

namespace r2pac {

/// Appends lines to a file, each with a single write, so that a reader or a crash sees whole lines only.
/// All members throw Error(disk) on failure, and may be called again. One writer per file; not for use from
/// several threads at once.
class LineLog {
 public:
  /// Opens the file, or creates it; a last line without its end, torn by a crash, is cut off. A symbolic link
  /// is refused; of a file with other names (hard links) a copy takes the place under this name.
  explicit LineLog(const std::filesystem::path& path);

  /// Appends `line` (without line end) and a line end. When that fails the file is as before the call.
  void append(std::string_view line);

  /// Bytes in the file: always the end of a whole line. Kept in a checkpoint, it is what truncate_after
  /// needs.
  std::uint64_t size() const { return size_; }

  /// Whether a line of the file ends after the first `offset` bytes.
  bool has_line_end(std::uint64_t offset) const;

  /// Cuts everything after the first `offset` bytes. Throws when the file is shorter or no line ends there.
  void truncate_after(std::uint64_t offset);

  /// Keeps the leading lines up to the first that `keep` refuses. Lines are given without line end.
  void truncate_after(const std::function<bool(std::string_view)>& keep);

  /// Forces the lines to the disk: call it before saving a checkpoint that records size().
  void sync();

 private:
  void open();
  void cut(std::uint64_t offset);
  /// Puts a copy in the place of the file.
  void rewrite();

  std::filesystem::path path_;
  Descriptor file_;
  std::uint64_t size_ = 0;
  bool torn_ = false;  ///< a part of a line that did not fit may follow the last one
  bool lost_ = false;  ///< the system may have dropped bytes that it could not write
};

}  // namespace r2pac
