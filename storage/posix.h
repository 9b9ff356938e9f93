// The few system calls this room makes, with interruptions retried and failures told as disk errors.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <utility>

#include "base/error.h"

namespace r2pac {

/// Owns an open file; -1 means none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

  /// Closes now; false with errno set when the system reports a late write error.
  bool close();

 private:
  int fd_;
};

/// open(2), close-on-exec; an invalid descriptor with errno set on failure.
Descriptor open_descriptor(const std::filesystem::path& path, int flags, mode_t mode = 0);

/// Writes all bytes, however many calls it takes; false with errno set on failure.
bool write_fully(int fd, std::span<const std::byte> bytes);

/// fsync(2); false with errno set on failure.
bool sync_fully(int fd);

/// flock(2) for this descriptor alone, without waiting; false with errno set on failure: EWOULDBLOCK where
/// another one holds the lock. It is held until the descriptor and its copies are closed, by a kill, too.
bool lock_now(int fd);

/// A write that failed.
class DiskError : public Error {
 public:
  DiskError(const Error& error, int error_number) : Error(error), error_number_(error_number) {}
  /// Whether waiting may help: the disk was full, or reported a fault of its own.
  bool may_pass() const;

 private:
  int error_number_;
};

/// The error for a failed write to `path`: step that failed, system's text, bytes wanted and bytes free.
DiskError disk_error(const std::filesystem::path& path, const char* step, int error_number,
                     std::size_t bytes_wanted);

}  // namespace r2pac
