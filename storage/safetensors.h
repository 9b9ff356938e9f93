// safetensors files: named arrays and text entries in one file, read without running or trusting anything in
// it.
//
// A file of ours carries its own XXH3 checksum over every byte, length and padding included, computed with
// the checksum's 32 digits as zeros. Files made elsewhere have none and are read all the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "storage/atomic_file.h"
#include "storage/safetensors_header.h"

namespace r2pac {

template <class T>
inline constexpr bool kNoStoredType = false;

/// The file's element type that holds a C++ type: bool and 8-, 32- and 64-bit numbers.
template <class T>
constexpr StoredType stored_type() {
  if constexpr (std::is_same_v<T, bool>)
    return StoredType::boolean;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return StoredType::u8;
  else if constexpr (std::is_same_v<T, std::int8_t>)
    return StoredType::i8;
  else if constexpr (std::is_same_v<T, std::uint32_t>)
    return StoredType::u32;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return StoredType::i32;
  else if constexpr (std::is_same_v<T, float>)
    return StoredType::f32;
  else if constexpr (std::is_same_v<T, std::uint64_t>)
    return StoredType::u64;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return StoredType::i64;
  else if constexpr (std::is_same_v<T, double>)
    return StoredType::f64;
  else
    static_assert(kNoStoredType<T>, "no safetensors type for this C++ type");
}

/// Collects arrays and text, then writes them as one file.
class SafetensorsWriter {
 public:
  /// Adds an array. The data is not copied and must stay unchanged until write(); `bytes` must be what shape
  /// and type ask for. Throws InvalidArgument on that, on a name used before, and beyond the limits of the
  /// reader.
  void add(const std::string& name, StoredType type, std::vector<std::size_t> shape, const void* data,
           std::size_t bytes);
  template <class T>
  void add(const std::string& name, std::vector<std::size_t> shape, std::span<const T> data) {
    add(name, stored_type<T>(), std::move(shape), data.data(), data.size_bytes());
  }

  /// Sets a text entry (UTF-8), replacing an earlier one. Keys of the checksum are reserved: InvalidArgument.
  void metadata(const std::string& key, const std::string& value);

  /// Writes the file atomically, tensors in order of element size (widest first), then name: each is aligned
  /// to its element. The same content gives the same bytes. Throws Error: diverged where a number is not
  /// finite, before anything is written, and disk; InvalidArgument when the header would be longer than
  /// kMaxHeaderBytes.
  void write(const std::filesystem::path& path, Links links = Links::follow) const;

 private:
  std::map<std::string, std::string> metadata_;
  std::map<std::string, std::pair<StoredTensor, std::span<const std::byte>>> tensors_;
};

/// A safetensors file, checked and in memory. Spans into it are valid while it lives, and after moving it.
class SafetensorsFile {
 public:
  /// Reads and checks a whole file of at most kMaxFileBytes: its header first, which must describe the rest.
  /// Throws Error(checkpoint) naming file and fault when it is missing, damaged, changed or beyond the
  /// limits.
  static SafetensorsFile read(const std::filesystem::path& path);
  /// The same from bytes in memory; `path` is for messages only.
  static SafetensorsFile parse(std::vector<std::byte> bytes, const std::filesystem::path& path);

  static constexpr std::size_t kMaxFileBytes = std::size_t{1} << 34;

  const std::filesystem::path& path() const { return path_; }

  /// Throws Error(checkpoint) naming the tensor where a number is not finite: such a file can be looked at,
  /// but not computed with.
  void require_finite() const;

  /// True when the file carries a checksum (which then agreed).
  bool checksummed() const { return checksummed_; }
  /// 32 digits that tell the file from others: its checksum, or where it carries none that of all its bytes.
  const std::string& checksum() const { return checksum_; }

  /// All text entries, without those of the checksum.
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  /// One text entry. Throws Error(checkpoint) when it is missing.
  const std::string& metadata(const std::string& key) const;

  /// All tensors in the order of their data.
  const std::vector<StoredTensor>& tensors() const { return header_.tensors; }
  bool contains(const std::string& name) const { return index_.contains(name); }
  /// One tensor's row of the table. Throws Error(checkpoint) when it is missing.
  const StoredTensor& tensor(const std::string& name) const;

  /// A tensor's raw bytes. Throws Error(checkpoint) when it is missing.
  std::span<const std::byte> bytes(const std::string& name) const;

  /// A tensor's elements, row-major, without copy. Throws Error(checkpoint) when it is missing, has another
  /// element type or, in the second form, another shape; the message names expected and actual.
  template <class T>
  std::span<const T> get(const std::string& name) const {
    return elements<T>(require(name, stored_type<T>(), nullptr));
  }
  template <class T>
  std::span<const T> get(const std::string& name, const std::vector<std::size_t>& shape) const {
    return elements<T>(require(name, stored_type<T>(), &shape));
  }

 private:
  SafetensorsFile(std::vector<std::byte> bytes, std::size_t data_begin, SafetensorsHeader header,
                  const std::filesystem::path& path);
  std::size_t row(const std::string& name) const;
  std::span<const std::byte> require(const std::string& name, StoredType type,
                                     const std::vector<std::size_t>* shape) const;
  template <class T>
  static std::span<const T> elements(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  std::filesystem::path path_;
  bool checksummed_ = false;
  std::string checksum_;
  SafetensorsHeader header_;
  std::map<std::string, std::size_t> index_;          ///< name to position in header_.tensors
  std::vector<std::byte> file_;                       ///< the whole file
  std::vector<const std::byte*> data_;                ///< first byte of each tensor, aligned to its element
  std::vector<std::unique_ptr<std::byte[]>> copies_;  ///< tensors that the file holds at an odd place
};

}  // namespace r2pac
