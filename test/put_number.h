// Changes a number of a safetensors file of ours and makes its checksum right again: what a flipped bit in
// memory leaves, before the file was written.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "storage/atomic_file.h"
#include "storage/safetensors.h"

namespace r2pac {

template <class T>
void put_number(const std::filesystem::path& path, const std::string& tensor, std::size_t index, T value) {
  const auto bytes = read_file(path, std::size_t{1} << 30, ExitCode::checkpoint);
  std::string file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::uint64_t header = 0;
  std::memcpy(&header, file.data(), sizeof header);
  const StoredTensor place = SafetensorsFile::parse(bytes, path).tensor(tensor);
  std::memcpy(file.data() + sizeof header + header + place.begin + index * sizeof(T), &value, sizeof value);
  const std::string lead = "\"file_xxh3_128\":\"";
  const std::size_t digits = file.find(lead) + lead.size();
  file.replace(digits, 32, 32, '0');
  XXH128_canonical_t sum;
  XXH128_canonicalFromHash(&sum, XXH3_128bits(file.data(), file.size()));
  for (std::size_t i = 0; i < 32; ++i)
    file[digits + i] = "0123456789abcdef"[i % 2 == 0 ? sum.digest[i / 2] >> 4 : sum.digest[i / 2] & 15];
  write_file_atomically(path, file);
}

}  // namespace r2pac
