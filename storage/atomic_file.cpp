#include "storage/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <new>
#include <string>
#include <system_error>

namespace r2pac {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

/// The file that a write to `path` replaces. Devices and folders are refused.
fs::path target_of(const fs::path& path, Links links) {
  std::error_code ignored;
  const bool keep_link = links == Links::replace && fs::is_symlink(fs::symlink_status(path, ignored));
  const fs::file_status status = fs::status(path, ignored);
  if (keep_link || !fs::exists(status)) return path;
  if (!fs::is_regular_file(status))
    throw Error(ExitCode::disk, "cannot replace what is not a regular file", path.string(),
                "give another file name");
  return links == Links::follow ? fs::canonical(path, ignored) : path;
}

/// A new file beside its target, locked while it is written, and removed again unless released.
class Temporary {
 public:
  Temporary(const fs::path& target, std::size_t bytes_wanted) {
    remove_dead_temporaries(folder_of(target), target.filename().string() + kTemporaryMark);
    // The number tells apart threads of this process and leftovers of a killed one that had its id.
    for (int number = 0; number < 1000 && !file.valid(); ++number) {
      path = target;
      path += kTemporaryMark + std::to_string(::getpid()) + "-" + std::to_string(number);
      file = open_descriptor(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
      if (!file.valid() && errno != EEXIST) break;
      if (file.valid() && taken_for_dead()) file.close();
    }
    if (!file.valid()) throw disk_error(target, "creating a temporary file beside it", errno, bytes_wanted);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!released) ::unlink(path.c_str());
  }

  fs::path path;
  Descriptor file;
  bool released = false;

 private:
  /// Locks the file. In the instant before, another program may have taken it for a dead one's.
  bool taken_for_dead() {
    if (!lock_now(file.get())) return errno == EWOULDBLOCK;
    struct stat status {};
    return ::fstat(file.get(), &status) == 0 && status.st_nlink == 0;
  }
};

}  // namespace

bool is_temporary(const fs::path& path) {
  return path.filename().string().find(kTemporaryMark) != std::string::npos;
}

void remove_dead_temporaries(const fs::path& folder, std::string_view beginning) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    if (!path.filename().string().starts_with(beginning) || !is_temporary(path)) continue;
    // Only a living program holds the lock.
    const Descriptor file = open_descriptor(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
    if (file.valid() && lock_now(file.get())) ::unlink(path.c_str());
  }
}

void require_output(const fs::path& path, std::initializer_list<fs::path> inputs, Links links) {
  if (path.empty()) return;
  std::error_code missing;
  for (const fs::path& input : inputs)
    if (!input.empty() && fs::equivalent(path, input, missing))
      throw Error(ExitCode::usage, "the output would replace a file that is read, " + input.string(),
                  path.string(), "give the output another name");
  const Temporary trial(target_of(path, links), 0);
}

void write_file_atomically(const fs::path& path, std::span<const std::span<const std::byte>> parts,
                           Links links) {
  std::size_t total = 0;
  for (const auto& part : parts) total += part.size();
  const fs::path target = target_of(path, links);
  const auto need = [&](bool done, const char* step) {
    if (!done) throw disk_error(path, step, errno, total);
  };
  Temporary temporary(target, total);
  for (const auto& part : parts) need(write_fully(temporary.file.get(), part), "writing");
  need(sync_fully(temporary.file.get()), "forcing it to the disk");
  const Descriptor lock(
      ::fcntl(temporary.file.get(), F_DUPFD_CLOEXEC, 0));  // held until the file has its name
  need(temporary.file.close(), "closing");
  need(::rename(temporary.path.c_str(), target.c_str()) == 0, "renaming");
  temporary.released = true;
  sync_folder(folder_of(target));
}

void write_file_atomically(const fs::path& path, std::span<const std::byte> bytes, Links links) {
  write_file_atomically(path, std::span(&bytes, 1), links);
}

void write_file_atomically(const fs::path& path, std::string_view text, Links links) {
  write_file_atomically(path, std::as_bytes(std::span(text)), links);
}

void sync_folder(const fs::path& folder) {
  Descriptor descriptor = open_descriptor(folder, O_RDONLY | O_DIRECTORY);
  // Some network file systems have no way to do this and say EINVAL.
  if (!descriptor.valid() || (!sync_fully(descriptor.get()) && errno != EINVAL))
    throw disk_error(folder, "forcing the folder to the disk", errno, 0);
}

InputFile::InputFile(const fs::path& path, std::size_t max_bytes, ExitCode code)
    // Non-blocking, so that a pipe without a writer is an error and not a wait.
    : path_(path), code_(code), file_(open_descriptor(path, O_RDONLY | O_NONBLOCK)) {
  struct stat status {};
  if (!file_.valid() || ::fstat(file_.get(), &status) != 0) fail_system();
  if (!S_ISREG(status.st_mode)) fail("not a regular file", "give the name of a file");
  left_ = size_ = static_cast<std::size_t>(status.st_size);
  if (size_ > max_bytes)
    fail("the file has " + std::to_string(size_) + " bytes, more than the limit of " +
             std::to_string(max_bytes),
         "check that this is the file you meant");
}

void InputFile::append_to(std::vector<std::byte>& bytes, std::size_t count) {
  std::size_t done = bytes.size();
  try {
    bytes.resize(done + std::min(count, left_));
  } catch (const std::bad_alloc&) {
    fail("not enough memory for a file of " + std::to_string(size_) + " bytes", "free memory and run again");
  }
  left_ -= bytes.size() - done;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file_.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_system();
    if (got == 0) fail("the file became shorter while it was read", "run again when nothing writes to it");
    done += static_cast<std::size_t>(got);
  }
}

void InputFile::fail(const std::string& what, const char* todo) const {
  throw Error(code_, what, path_.string(), todo);
}

void InputFile::fail_system() const {
  fail("cannot read the file: " + std::generic_category().message(errno),
       "check the name and its permissions");
}

std::vector<std::byte> read_file(const fs::path& path, std::size_t max_bytes, ExitCode code) {
  InputFile file(path, max_bytes, code);
  std::vector<std::byte> bytes;
  file.append_to(bytes, file.size());
  return bytes;
}

}  // namespace r2pac
