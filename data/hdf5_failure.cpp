#include "data/hdf5_failure.h"

#include <hdf5.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "data/dsrl.h"

namespace r2pac::hdf5 {
namespace {

/// What the error stack says: its innermost entry, all entries, and whether one is about memory.
struct Stack {
  std::string innermost, all;
  bool memory = false;
};

herr_t collect(unsigned, const H5E_error2_t* entry, void* out) {
  Stack& stack = *static_cast<Stack*>(out);
  const std::string text = entry->desc ? entry->desc : "";
  if (stack.all.empty()) stack.innermost = text;
  stack.all += text + '\n';
  stack.memory = stack.memory || entry->min_num == H5E_NOSPACE || entry->min_num == H5E_CANTALLOC;
  return 0;
}

/// The errno that the library quotes, or 0. A file's name stands in front of it and may imitate it.
int quoted_error_number(const std::string& text) {
  constexpr char kBefore[] = "errno = ";
  const std::size_t at = text.rfind(kBefore);
  int number = 0;
  if (at != std::string::npos)
    std::from_chars(text.data() + at + sizeof kBefore - 1, text.data() + text.size(), number);
  return number;
}

/// Errors that say nothing about the file. Others, as of a position before its start, come of damage.
bool is_of_system(int number) {
  constexpr int kOfSystem[] = {EMFILE, ENFILE, EIO,   EACCES, EPERM,     ENOENT,    ESTALE, EINTR,
                               ENOLCK, ENODEV, EBUSY, ENXIO,  ETIMEDOUT, EREMOTEIO, ENOSYS, EOPNOTSUPP};
  return std::ranges::find(kOfSystem, number) != std::end(kOfSystem);
}

Cause cause_of(const Stack& stack, int number) {
  const auto says = [&](const char* part) { return stack.all.find(part) != std::string::npos; };
  if (says("already open for write") || says("already open for SWMR write") || says("h5clear"))
    return Cause::writer_died;
  if (says("unable to lock") && (number == EAGAIN || number == EWOULDBLOCK)) return Cause::locked;
  if (stack.memory || number == ENOMEM) return Cause::memory;
  if (is_of_system(number)) return Cause::system;
  if (says("version number") || says("unknown superblock version")) return Cause::newer_format;
  if (says("is not registered")) return Cause::filter;
  return Cause::damaged;
}

}  // namespace

Failure Failure::of_library() {
  Stack stack;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, collect, &stack);
  const int number = quoted_error_number(stack.all);
  for (char& c : stack.innermost)
    if (!std::isprint(static_cast<unsigned char>(c))) c = '?';
  return {stack.innermost.substr(0, 200), cause_of(stack, number), number};
}

Error Failure::explain(const std::string& subject, const std::string& failed) const {
  const std::string quoted = std::string(" (HDF5: ") + what() + ")";
  const auto error = [&](const std::string& text, const std::string& todo) {
    return Error(ExitCode::data, subject + text, {}, todo);
  };
  switch (cause_) {
    case Cause::newer_format:
      return error(
          " is in a newer format than HDF5 " + hdf5_version() + " reads" + quoted,
          "write it with `h5py.File(name, \"w\", libver=(\"earliest\", \"v110\"))`, or with a newer HDF5 "
          "repack it: `h5repack --low=0 --high=2`; if it was written so, it is damaged: get a fresh copy");
    case Cause::writer_died:
      return error(" is still open for writing, or its writer died" + quoted,
                   "wait until its writer has closed it; if that is gone, clear the mark with `h5clear -s`");
    case Cause::locked:
      return error(" is locked: another program has it open for writing" + quoted,
                   "wait until that program has closed it, or read a copy");
    case Cause::memory:
      return error(
          " needs more memory to be read than is allowed" + quoted,
          "free memory, or raise the limit (`ulimit -v`), or repack the file in small chunks (`h5repack -l "
          "CHUNK=1000`); if there is plenty, a size in the file is damaged: get a fresh copy");
    case Cause::system: {
      const bool descriptors = error_number_ == EMFILE || error_number_ == ENFILE;
      return error(std::string(" cannot be read: ") + strerror(error_number_),
                   descriptors
                       ? "raise the limit on open files (`ulimit -n`)"
                       : "the file may be whole: check its disk, network and permissions, and try again");
    }
    case Cause::filter:
      return error(" is packed with a filter that HDF5 was built without" + quoted,
                   "repack the file with `h5repack -f GZIP=4`");
    case Cause::damaged:
      break;
  }
  return error(" is damaged" + failed + quoted, "get a fresh copy of the file");
}

}  // namespace r2pac::hdf5
