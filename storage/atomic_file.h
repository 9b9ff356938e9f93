// Whole files: replaced in one step that a crash cannot split, or read into memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "storage/posix.h"

namespace r2pac {

/// What stands between a file's name and the rest of the name of its temporary; see is_temporary().
inline constexpr char kTemporaryMark[] = ".writing-";

/// True for the name that write_file_atomically gives a file before it is complete.
bool is_temporary(const std::filesystem::path& path);

/// What is done with a symbolic link of a file's name.
enum class Links {
  follow,   ///< its target is replaced, as is right for a name that a user gave
  replace,  ///< the link is replaced, as is right within a folder that may come from elsewhere
};

/// Writes the parts one after another to a temporary file beside `path`, forces it to the disk and renames it
/// over `path`, then forces the folder to the disk. At every instant `path` is the old file or the new one.
/// The folder must exist. Never writes into the old file, which may be mapped. Temporary files that killed
/// programs left of this file are removed first.
/// Throws DiskError with the system's text, bytes wanted and bytes free; the temporary is then removed and
/// the old file untouched, unless the step named is that of the folder, after which the new file is in place.
void write_file_atomically(const std::filesystem::path& path,
                           std::span<const std::span<const std::byte>> parts, Links links = Links::follow);
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes,
                           Links links = Links::follow);
void write_file_atomically(const std::filesystem::path& path, std::string_view text,
                           Links links = Links::follow);

/// Removes the temporary files of a folder whose names begin so, but for those that a living program is
/// writing. What cannot be removed stays.
void remove_dead_temporaries(const std::filesystem::path& folder, std::string_view beginning);

/// For the start of a command that will write `path` at its end: refuses what could not be written then, and
/// what would destroy one of the files that the command reads, whatever their names are. Empty paths, and
/// inputs that are not there, are passed over.
/// Throws Error: usage where `path` is one of `inputs`, disk where write_file_atomically() could not begin.
void require_output(const std::filesystem::path& path,
                    std::initializer_list<std::filesystem::path> inputs = {}, Links links = Links::follow);

/// Forces a folder's list of names to the disk. Throws Error(disk).
void sync_folder(const std::filesystem::path& folder);

/// A regular file that is read from its beginning, so that its first bytes can be judged before the rest
/// costs memory. All members throw Error(code) on failure.
class InputFile {
 public:
  /// Refuses what is missing, unreadable, not a regular file or larger than `max_bytes`.
  InputFile(const std::filesystem::path& path, std::size_t max_bytes, ExitCode code);

  /// Bytes in the file when it was opened.
  std::size_t size() const { return size_; }
  /// Appends the next `count` bytes, or as many as are left.
  void append_to(std::vector<std::byte>& bytes, std::size_t count);

 private:
  [[noreturn]] void fail(const std::string& what, const char* todo) const;
  [[noreturn]] void fail_system() const;

  std::filesystem::path path_;
  ExitCode code_;
  Descriptor file_;
  std::size_t size_ = 0, left_ = 0;
};

/// The content of a regular file of at most `max_bytes`.
/// Throws Error(code) when it is missing, unreadable, not a regular file or larger.
std::vector<std::byte> read_file(const std::filesystem::path& path, std::size_t max_bytes, ExitCode code);

}  // namespace r2pac
