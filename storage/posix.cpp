#include "storage/posix.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace r2pac {

bool Descriptor::close() {
  if (fd_ < 0) return true;
  // Linux frees the descriptor even when it reports an interruption: closing twice could hit a stranger's.
  return ::close(std::exchange(fd_, -1)) == 0 || errno == EINTR;
}

Descriptor open_descriptor(const std::filesystem::path& path, int flags, mode_t mode) {
  int fd;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return Descriptor(fd);
}

bool write_fully(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    if (written == 0) {
      errno = ENOSPC;
      return false;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

bool sync_fully(int fd) {
  int result;
  do result = ::fsync(fd);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

bool lock_now(int fd) {
  int result;
  do result = ::flock(fd, LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

bool DiskError::may_pass() const {
  return error_number_ == ENOSPC || error_number_ == EDQUOT || error_number_ == EIO;
}

DiskError disk_error(const std::filesystem::path& path, const char* step, int error_number,
                     std::size_t bytes_wanted) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  struct statvfs space {};
  std::string free_bytes = "unknown";
  if (::statvfs(folder.c_str(), &space) == 0) free_bytes = std::to_string(space.f_bavail * space.f_frsize);
  const bool full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  return {Error(ExitCode::disk,
                "cannot write the file: " + std::generic_category().message(error_number) + " (" + step +
                    "; " + std::to_string(bytes_wanted) + " bytes wanted, " + free_bytes + " bytes free)",
                path.string(),
                full ? "free space there, raise the quota or file-size limit, or choose another folder"
                     : "check that the folder exists, is writable and that its disk is healthy"),
          error_number};
}

}  // namespace r2pac
