#include "storage/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

#include "storage/atomic_file.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

/// What the file says of the process that wrote it: "process 12 on host".
std::string holder(int fd) {
  char text[256];
  const ssize_t size = ::pread(fd, text, sizeof text, 0);
  std::string name(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  name.resize(std::min(name.find('\n'), name.size()));
  return name.empty() ? "another process" : name;
}

std::string this_process() {
  char host[128] = "an unknown host";
  ::gethostname(host, sizeof host - 1);
  return "process " + std::to_string(::getpid()) + " on " + host;
}

}  // namespace

std::vector<fs::path> make_folder(const fs::path& folder) {
  fs::path whole = fs::absolute(folder).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  std::error_code error;
  if (fs::is_directory(whole, error)) return {};
  const fs::path above = whole.parent_path();
  std::vector<fs::path> made = make_folder(above);
  if (fs::create_directory(whole, error); error)
    throw DiskError(Error(ExitCode::disk, "the folder cannot be made: " + error.message(), folder.string(),
                          "check that the folder above it is writable, or choose another one with --out"),
                    error.value());
  sync_folder(above);
  made.push_back(whole);
  return made;
}

FolderLock::FolderLock(const fs::path& folder) : folder_(folder), file_(folder / "lock") {
  made_ = make_folder(folder);
  while (!try_to_hold()) {
  }
}

bool FolderLock::try_to_hold() {
  descriptor_ = open_descriptor(file_, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
  if (!descriptor_.valid()) throw disk_error(file_, "opening the lock", errno, 0);
  held_ = lock_now(descriptor_.get());
  if (!held_ && errno == EWOULDBLOCK)
    throw Error(ExitCode::settings, "the folder is in use by " + holder(descriptor_.get()), folder_.string(),
                "wait for its end, or choose another folder with --out");
  struct stat mine {
  }, there{};
  if (::fstat(descriptor_.get(), &mine) != 0 || ::lstat(file_.c_str(), &there) != 0 ||
      mine.st_ino != there.st_ino || mine.st_dev != there.st_dev)
    return false;
  const std::string text = this_process() + "\n";
  if (::ftruncate(descriptor_.get(), 0) != 0 ||
      ::pwrite(descriptor_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    throw disk_error(file_, "writing the lock", errno, text.size());
  return true;
}

FolderLock::~FolderLock() {
  ::unlink(file_.c_str());  // first, so that nobody locks a file that is about to go
  for (auto folder = made_.rbegin(); folder != made_.rend() && ::rmdir(folder->c_str()) == 0; ++folder) {
  }
}

}  // namespace r2pac
