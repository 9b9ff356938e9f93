// NumPy archives without NumPy: for the tests of data/npz and of `data convert`.
#pragma once

#include <zip.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace r2pac {

/// The bytes of an .npy file of format version 1 with this header text, padded as NumPy does.
inline std::string npy_bytes(const std::string& header, const std::string& numbers, char version = 1) {
  const std::size_t fixed = version == 1 ? 10 : 12;
  std::string text = header;
  text.append(63 - (fixed + text.size()) % 64, ' ');
  text.push_back('\n');
  std::string bytes = std::string("\x93NUMPY") + version + '\0';
  for (std::size_t i = 0; i < fixed - 8; ++i) bytes.push_back(static_cast<char>(text.size() >> 8 * i & 0xFF));
  return bytes + text + numbers;
}

/// shape  as Python writes it, "(3, 2)" or "(3,)"
template <class T>
std::string npy_array(const std::string& type, const std::string& shape, const std::vector<T>& values,
                      bool column_major = false) {
  std::string numbers(values.size() * sizeof(T), '\0');
  std::memcpy(numbers.data(), values.data(), numbers.size());
  return npy_bytes("{'descr': '" + type + "', 'fortran_order': " + (column_major ? "True" : "False") +
                       ", 'shape': " + shape + ", }",
                   numbers);
}

using Members = std::vector<std::pair<std::string, std::string>>;  ///< name without .npy, and bytes

inline void write_npz(const std::string& path, const Members& members, bool packed = true) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (archive == nullptr) throw std::runtime_error("cannot make the archive");
  for (const auto& [name, bytes] : members) {
    zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    const zip_int64_t index = zip_file_add(archive, (name + ".npy").c_str(), source, 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index),
                             packed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  if (zip_close(archive) != 0) throw std::runtime_error("cannot write the archive");
}

}  // namespace r2pac
