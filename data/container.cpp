// The superblock of an HDF5 file: format specification version 3.0, section II.A.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "base/error.h"
#include "data/decode.h"

namespace r2pac {
namespace {

constexpr std::size_t kSuperblockBytes = 64;

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

/// Where the superblock lies: at byte 0, or at 512 or a doubling of it behind a block of the user's. -1:
/// nowhere.
std::int64_t superblock_at(std::ifstream& file, std::int64_t size) {
  for (std::int64_t at = 0; at < size; at = at == 0 ? 512 : 2 * at) {
    char bytes[8] = {};
    file.clear();
    file.seekg(at);
    file.read(bytes, sizeof bytes);
    if (std::memcmp(bytes, "\x89HDF\r\n\x1a\n", sizeof bytes) == 0) return at;
  }
  return -1;
}

std::string first_bytes(std::ifstream& file) {
  std::string bytes(4096, '\0');
  file.clear();
  file.seekg(0);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

/// A kind of file that is often given instead, by its first bytes.
struct Foreign {
  std::string_view start, what, todo;
};
constexpr std::string_view kSavez = "save its arrays with numpy.savez; `r2pac data convert` reads that";
constexpr Foreign kForeign[] = {
    {"PK\x03\x04", "this is a zip archive, not an HDF5 file",
     "`r2pac data convert` makes a DSRL file of a NumPy archive (.npz); unpack others first"},
    {"\x93NUMPY", "this is a single NumPy array, not a data set",
     "save all arrays of the data set in one file with numpy.savez; `r2pac data convert` reads that"},
    {"\x80\x02", "this is a Python pickle, which can run programs and is not read", kSavez},
    {"\x80\x03", "this is a Python pickle, which can run programs and is not read", kSavez},
    {"\x80\x04", "this is a Python pickle, which can run programs and is not read", kSavez},
    {"\x80\x05", "this is a Python pickle, which can run programs and is not read", kSavez},
    {"MATLAB 5.0", "this is a MATLAB file of version 5, not an HDF5 file",
     "save it with `save -v7.3`; `r2pac data convert` reads that"},
    {"PAR1", "this is a Parquet file, not an HDF5 file",
     "write it as CSV, with pandas: read_parquet(...).to_csv(...); `r2pac data convert` reads that"},
    {"\x1f\x8b", "this is packed with gzip, not an HDF5 file", "unpack it with `gunzip` first"},
    {"\xfd"
     "7zXZ",
     "this is packed with xz, not an HDF5 file", "unpack it with `unxz` first"},
    {"\x28\xb5\x2f\xfd", "this is packed with zstd, not an HDF5 file", "unpack it with `unzstd` first"},
    {"<!DOCTYPE", "this is a web page, not an HDF5 file", "the download went wrong: repeat it"},
    {"<!doctype", "this is a web page, not an HDF5 file", "the download went wrong: repeat it"},
    {"<html", "this is a web page, not an HDF5 file", "the download went wrong: repeat it"},
    {"version https://git-lfs", "this is a pointer of Git LFS, not the file itself",
     "fetch the file with `git lfs pull`"},
};

const Foreign* foreign(std::string_view start) {
  for (const Foreign& kind : kForeign)
    if (start.starts_with(kind.start)) return &kind;
  return nullptr;
}

/// Whether these may be the first lines of a text.
bool is_text(std::string_view start) {
  return start.find('\n') != std::string_view::npos && std::ranges::all_of(start, [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte >= 0x20 ? byte != 0x7f : byte == '\n' || byte == '\r' || byte == '\t';
         });
}

Error not_hdf5(const std::string& path, std::string_view start) {
  if (const Foreign* kind = foreign(start))
    return refuse(path, std::string(kind->what), std::string(kind->todo));
  if (is_text(start))
    return refuse(path, "this is text, not an HDF5 file",
                  "`r2pac data convert` makes a DSRL file of a table with a line of names (CSV)");
  return refuse(
      path, "this is not an HDF5 file",
      "R2PAC trains from DSRL files (.hdf5), `data/FORMAT.md` has the layout; `r2pac data convert` makes "
      "them of Minari, D4RL, d3rlpy, robomimic, NumPy (.npz) and text tables (.csv)");
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
    throw refuse(path, std::string("cannot open the file: ") + strerror(errno),
                 errno == EMFILE || errno == ENFILE ? "raise the limit on open files (`ulimit -n`)"
                                                    : "check its permissions");
  return status.st_size;
}

Container tell_container(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::int64_t size = check_regular_file(path);
  if (superblock_at(file, size) >= 0) return Container::hdf5;
  const std::string start = first_bytes(file);
  if (start.starts_with("PK\x03\x04")) return Container::zip;
  if (foreign(start) == nullptr && is_text(start)) return Container::text;
  return Container::other;
}

std::int64_t check_container(const std::string& path) {
  const std::int64_t size = check_regular_file(path);
  std::ifstream file(path, std::ios::binary);
  const std::int64_t at = superblock_at(file, size);
  if (at < 0) throw not_hdf5(path, first_bytes(file));
  unsigned char bytes[kSuperblockBytes] = {};
  file.clear();
  file.seekg(at);
  file.read(reinterpret_cast<char*>(bytes), sizeof bytes);
  if (file.gcount() < static_cast<std::streamsize>(sizeof bytes))
    throw refuse(path,
                 "the file is truncated: it ends after " + std::to_string(size) + " bytes, inside its header",
                 "download or copy it again");
  if (const std::uint64_t stated = stated_size(bytes); stated > static_cast<std::uint64_t>(size))
    throw refuse(
        path,
        "the file is truncated: it says " + std::to_string(stated) + " bytes, it has " + std::to_string(size),
        "download or copy it again; if a program still writes it, wait until that has closed it");
  return size;
}

}  // namespace r2pac
