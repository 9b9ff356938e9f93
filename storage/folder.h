// A folder that one program at a time writes into.
#pragma once

#include <filesystem>
#include <vector>

#include "storage/posix.h"

namespace r2pac {

/// Makes a folder and those above it, each forced to the disk. Returns those that were not there, the
/// uppermost first. Throws DiskError.
std::vector<std::filesystem::path> make_folder(const std::filesystem::path& folder);

/// Holds a folder for this program. The file `lock` in it names the process, and is removed at the end. After
/// a kill it stays, and means nothing: only a living process holds the lock.
class FolderLock {
 public:
  /// Makes the folder if need be. Throws Error: settings, naming the process, where another one holds the
  /// folder, which is then left as it is; disk where the folder or the file cannot be made.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// False where the file system knows no locks: then nothing keeps others away.
  bool held() const { return held_; }

 private:
  /// Opens and locks the file. False if its last holder has removed it meanwhile.
  bool try_to_hold();

  std::filesystem::path folder_, file_;
  std::vector<std::filesystem::path> made_;  ///< folders that go again if nothing was put into them
  Descriptor descriptor_;
  bool held_ = false;
};

}  // namespace r2pac
