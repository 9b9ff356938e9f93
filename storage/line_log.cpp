#include "storage/line_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "storage/atomic_file.h"

namespace r2pac {
namespace {

/// A log of metrics has a few hundred bytes per interval; more than this is another file.
constexpr std::size_t kMaxLogBytes = std::size_t{1} << 32;

std::string read_text(const std::filesystem::path& path) {
  const auto bytes = read_file(path, kMaxLogBytes, ExitCode::disk);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

LineLog::LineLog(const std::filesystem::path& path) : path_(path) {
  open();
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) throw disk_error(path_, "opening", errno, 0);
  size_ = static_cast<std::uint64_t>(status.st_size);
  if (status.st_nlink > 1) rewrite();
  if (size_ > 0) cut(read_text(path_).rfind('\n') + 1);
}

void LineLog::open() {
  file_ = open_descriptor(path_, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0666);
  if (file_.valid()) return;
  if (errno == ELOOP)
    throw Error(ExitCode::disk, "the log is a symbolic link, which is not followed", path_.string(),
                "put the file itself there, or remove the link");
  throw disk_error(path_, "opening", errno, 0);
}

void LineLog::rewrite() {
  write_file_atomically(path_, read_text(path_), Links::replace);
  open();
}

void LineLog::append(std::string_view line) {
  std::string text(line);
  text += '\n';
  const auto cut_torn = [&] { torn_ = ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0; };
  if (torn_) cut_torn();
  if (torn_ || !write_fully(file_.get(), std::as_bytes(std::span(text)))) {
    const int error_number = errno;
    cut_torn();  // where even that fails, the next line or the next start does it
    throw disk_error(path_, "appending a line", error_number, text.size());
  }
  size_ += text.size();
}

bool LineLog::has_line_end(std::uint64_t offset) const {
  char last = '\n';
  if (offset > size_) return false;
  if (offset > 0 && ::pread(file_.get(), &last, 1, static_cast<off_t>(offset - 1)) != 1)
    throw disk_error(path_, "reading the last line to keep", errno, 0);
  return last == '\n';
}

void LineLog::truncate_after(std::uint64_t offset) {
  if (offset > size_)
    throw Error(
        ExitCode::disk,
        "the log has " + std::to_string(size_) + " bytes, but " + std::to_string(offset) + " were recorded",
        path_.string(), "restore the log that belongs to this run, or start a new run");
  if (!has_line_end(offset))
    throw Error(ExitCode::disk, "no line of the log ends at byte " + std::to_string(offset), path_.string(),
                "restore the log that belongs to this run, or start a new run");
  cut(offset);
}

void LineLog::truncate_after(const std::function<bool(std::string_view)>& keep) {
  const std::string text = read_text(path_);
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    if (!keep(std::string_view(text).substr(begin, end - begin))) break;
  cut(begin);
}

void LineLog::sync() {
  if (lost_) rewrite();
  lost_ = !sync_fully(file_.get());
  if (lost_) throw disk_error(path_, "forcing it to the disk", errno, 0);
}

void LineLog::cut(std::uint64_t offset) {
  if (offset == size_) return;
  if (::ftruncate(file_.get(), static_cast<off_t>(offset)) != 0) throw disk_error(path_, "cutting", errno, 0);
  size_ = offset;
}

}  // namespace r2pac
