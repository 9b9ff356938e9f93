// The superblock of an HDF5 file: format specification version 3.0, section II.A.
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "data/decode.h"

namespace r2pac {
namespace {

Error refuse(const std::string& path, const std::string& what, const std::string& todo) {
  return Error(ExitCode::data, what, path, todo);
}

std::uint64_t little_endian(const unsigned char* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

/// The file's length as the superblock at `bytes` tells it, or 0 when it cannot be read off.
std::uint64_t stated_size(const unsigned char* bytes) {
  const int version = bytes[8];
  const bool old = version <= 1;
  const std::size_t width = bytes[old ? 13 : 9];
  if (version > 3 || (width != 2 && width != 4 && width != 8)) return 0;
  // base address, one more address, end-of-file address; the base is what the others count from, but the
  // end of the file is stored absolute.
  const std::size_t base = version == 0 ? 24 : version == 1 ? 28 : 12;
  return little_endian(bytes + base + 2 * width, width);
}

}  // namespace

std::int64_t check_regular_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0)
    throw refuse(path, std::string("cannot open the file: ") + strerror(errno), "check the path");
  if (S_ISDIR(status.st_mode))
    throw refuse(path, "this is a directory, not a file", "name the HDF5 file inside it");
  if (!S_ISREG(status.st_mode))
    throw refuse(path, "this is not a regular file", "copy the data into a file first");
  if (status.st_size == 0) throw refuse(path, "the file is empty", "get a fresh copy of the file");
  if (!std::ifstream(path, std::ios::binary))
    throw refuse(path, std::string("cannot open the file: ") + strerror(errno), "check its permissions");
  return status.st_size;
}

std::int64_t check_container(const std::string& path) {
  const std::int64_t size = check_regular_file(path);
  std::ifstream file(path, std::ios::binary);
  // A superblock lies at byte 0, or at 512 or a doubling of it behind a block of the user's.
  for (std::int64_t at = 0; at < size; at = at == 0 ? 512 : 2 * at) {
    unsigned char bytes[64] = {};
    file.clear();
    file.seekg(at);
    file.read(reinterpret_cast<char*>(bytes), sizeof bytes);
    if (std::memcmp(bytes, "\x89HDF\r\n\x1a\n", 8) != 0) continue;
    if (file.gcount() < static_cast<std::streamsize>(sizeof bytes))
      throw refuse(
          path, "the file is truncated: it ends after " + std::to_string(size) + " bytes, inside its header",
          "download or copy it again");
    if (const std::uint64_t stated = stated_size(bytes); stated > static_cast<std::uint64_t>(size))
      throw refuse(path,
                   "the file is truncated: it says " + std::to_string(stated) + " bytes, it has " +
                       std::to_string(size),
                   "download or copy it again");
    return size;
  }
  throw refuse(path, "this is not an HDF5 file",
               "R2PAC trains from DSRL files (.hdf5); `data/FORMAT.md` has the layout");
}

}  // namespace r2pac
