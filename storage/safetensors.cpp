#include "storage/safetensors.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <initializer_list>

#include "base/nearest.h"
#include "storage/atomic_file.h"

namespace r2pac {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::size_t kLengthBytes = sizeof(std::uint64_t);
/// Data begins at a multiple of this, counted from the first byte of the file.
constexpr std::size_t kDataAlignment = 64;

/// Two entries belong to a checksum, so that no flipped bit can make a file of ours look like one without.
constexpr std::string_view kChecksumKey = "file_xxh3_128";
constexpr std::string_view kCoverageKey = "file_xxh3_128_covers";
constexpr std::string_view kCoverage = "the whole file, these digits as zeros";
constexpr std::string_view kZeroDigits = "00000000000000000000000000000000";

/// Where in the header's JSON the checksum's digits stand, in the form that format_header gives them, or
/// npos. Inside a name or a text the quotes would be escaped, so this cannot be met anywhere else.
std::size_t digits_position(std::string_view json) {
  const std::string lead = '"' + std::string(kChecksumKey) + "\":\"";
  const std::size_t at = json.find(lead);
  if (at == std::string_view::npos || json.size() - at - lead.size() < kZeroDigits.size()) return json.npos;
  return at + lead.size();
}

/// 32 lower-case hexadecimal digits.
std::string checksum(std::initializer_list<std::span<const std::byte>> head,
                     std::span<const std::span<const std::byte>> rest = {}) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  for (const auto& part : head) XXH3_128bits_update(&state, part.data(), part.size());
  for (const auto& part : rest) XXH3_128bits_update(&state, part.data(), part.size());
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state));
  std::string digits;
  for (const unsigned char byte : canonical.digest)
    for (const int nibble : {byte >> 4, byte & 15}) digits += "0123456789abcdef"[nibble];
  return digits;
}

/// Checks the checksum, if any, and takes its entries out of the metadata. False when there is none.
bool verify_checksum(SafetensorsHeader& header, std::string_view json, std::span<const std::byte> file,
                     const std::string& name) {
  const auto digits = header.metadata.extract(std::string(kChecksumKey));
  const auto coverage = header.metadata.extract(std::string(kCoverageKey));
  if (digits.empty() && coverage.empty()) return false;
  const std::size_t at = digits_position(json);
  if (!digits.empty() && !coverage.empty() && coverage.mapped() == kCoverage && at != json.npos) {
    const std::size_t first = kLengthBytes + at;
    if (checksum({file.first(first), std::as_bytes(std::span(kZeroDigits)),
                  file.subspan(first + kZeroDigits.size())}) == digits.mapped())
      return true;
  }
  throw Error(
      ExitCode::checkpoint, "the checksum does not agree with the content", name,
      "the file was damaged, or changed after it was written: use another copy or an older checkpoint; "
      "after a change of your own, save it without the metadata `" +
          std::string(kChecksumKey) + "` and `" + std::string(kCoverageKey) + "`");
}

/// Bytes of the header's JSON, from the beginning of a file of `file_bytes`.
std::size_t header_length(std::span<const std::byte> start, std::size_t file_bytes, const std::string& name) {
  constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1a\n";
  if (start.size() < kLengthBytes)
    throw_damaged(name, "the file is cut short: it has only " + std::to_string(start.size()) + " bytes");
  if (std::memcmp(start.data(), kHdf5.data(), kHdf5.size()) == 0)
    throw Error(ExitCode::checkpoint, "this is an HDF5 file, not a safetensors file", name,
                "for a data set use `r2pac data info FILE`");
  std::uint64_t length = 0;
  std::memcpy(&length, start.data(), sizeof length);
  if (length > kMaxHeaderBytes)
    throw_damaged(name, "the header is said to have " + std::to_string(length) +
                            " bytes, more than the limit of " + std::to_string(kMaxHeaderBytes));
  if (length > file_bytes - kLengthBytes)
    throw_damaged(name, "the file is cut short: its header has " + std::to_string(length) +
                            " bytes, the file " + std::to_string(file_bytes));
  return length;
}

/// The JSON of a file's beginning that ends with the header.
std::string_view json_of(std::span<const std::byte> head) {
  return {reinterpret_cast<const char*>(head.data()) + kLengthBytes, head.size() - kLengthBytes};
}

/// Whether no number has all bits of `exponent` set, as infinity and NaN have.
template <class Bits>
bool none_has(Bits exponent, std::span<const std::byte> bytes) {
  bool found = false;
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(Bits)) {
    Bits number;
    std::memcpy(&number, bytes.data() + at, sizeof number);
    found |= (number & exponent) == exponent;
  }
  return !found;
}

/// Whether every number of a tensor is finite. Types of 8 bits are only listed, and not looked at.
bool all_finite(StoredType type, std::span<const std::byte> bytes) {
  switch (type) {
    case StoredType::f16:
      return none_has<std::uint16_t>(0x7C00, bytes);
    case StoredType::bf16:
      return none_has<std::uint16_t>(0x7F80, bytes);
    case StoredType::f32:
      return none_has<std::uint32_t>(0x7F800000, bytes);
    case StoredType::f64:
      return none_has<std::uint64_t>(0x7FF0000000000000, bytes);
    default:
      return true;
  }
}

std::string not_finite(const std::string& tensor) {
  return "tensor `" + printable(tensor) + "` holds a number that is not finite";
}

}  // namespace

void SafetensorsWriter::add(const std::string& name, StoredType type, std::vector<std::size_t> shape,
                            const void* data, std::size_t bytes) {
  const auto fail = [&](const std::string& what) {
    throw InvalidArgument("SafetensorsWriter::add: tensor `" + name + "` " + what);
  };
  if (name.size() > kMaxNameBytes || name == "__metadata__") fail("has a name that is too long or reserved");
  if (shape.size() > kMaxRank) fail("has too many dimensions: " + shape_text(shape));
  if (tensors_.size() == kMaxTensors)
    fail("is one more than the " + std::to_string(kMaxTensors) + " allowed");
  if (bytes_of(type, shape) != bytes)
    fail("has " + std::to_string(bytes) + " bytes, which is not what " + type_name(type) + " and shape " +
         shape_text(shape) + " need");
  StoredTensor tensor{.name = name, .type = type, .shape = std::move(shape), .begin = 0, .end = bytes};
  if (!tensors_
           .emplace(name, std::pair(std::move(tensor), std::span(static_cast<const std::byte*>(data), bytes)))
           .second)
    fail("was added before");
}

void SafetensorsWriter::metadata(const std::string& key, const std::string& value) {
  if (key.find(kChecksumKey) != key.npos)
    throw InvalidArgument("SafetensorsWriter::metadata: key `" + key + "` is reserved for the checksum");
  metadata_[key] = value;
}

void SafetensorsWriter::write(const std::filesystem::path& path, Links links) const {
  std::vector<std::pair<StoredTensor, std::span<const std::byte>>> rows;
  for (const auto& [name, row] : tensors_) {
    if (!all_finite(row.first.type, row.second))
      throw Error(ExitCode::diverged, not_finite(name), path.string(),
                  "lower learning_rate or penalty, or check the data's scale and the machine's memory");
    rows.push_back(row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return type_bytes(a.first.type) > type_bytes(b.first.type);
  });
  SafetensorsHeader header{.metadata = metadata_, .tensors = {}};
  header.metadata[std::string(kChecksumKey)] = kZeroDigits;
  header.metadata[std::string(kCoverageKey)] = kCoverage;
  std::vector<std::span<const std::byte>> parts(1);
  std::size_t position = 0;
  for (auto& [tensor, data] : rows) {
    tensor.begin = position;
    tensor.end = position += data.size();
    header.tensors.push_back(tensor);
    parts.push_back(data);
  }

  std::string json = format_header(header);
  json.resize(
      (kLengthBytes + json.size() + kDataAlignment - 1) / kDataAlignment * kDataAlignment - kLengthBytes,
      ' ');
  if (json.size() > kMaxHeaderBytes)
    throw InvalidArgument("SafetensorsWriter::write: the header has " + std::to_string(json.size()) +
                          " bytes, more than " + std::to_string(kMaxHeaderBytes));
  const std::uint64_t length = json.size();
  std::string head(reinterpret_cast<const char*>(&length), sizeof length);
  head += json;
  parts[0] = std::as_bytes(std::span(head));
  head.replace(kLengthBytes + digits_position(json), kZeroDigits.size(), checksum({}, parts));
  write_file_atomically(path, parts, links);
}

SafetensorsFile SafetensorsFile::read(const std::filesystem::path& path) {
  InputFile input(path, kMaxFileBytes, ExitCode::checkpoint);
  const std::string name = path.string();
  std::vector<std::byte> bytes;
  input.append_to(bytes, kLengthBytes);
  input.append_to(bytes, header_length(bytes, input.size(), name));
  const std::size_t begin = bytes.size();
  SafetensorsHeader header = parse_header(json_of(bytes), input.size() - begin, name);
  input.append_to(bytes, input.size() - begin);  // as much as the header describes
  return {std::move(bytes), begin, std::move(header), path};
}

SafetensorsFile SafetensorsFile::parse(std::vector<std::byte> bytes, const std::filesystem::path& path) {
  const std::string name = path.string();
  const std::size_t begin = kLengthBytes + header_length(bytes, bytes.size(), name);
  SafetensorsHeader header = parse_header(json_of(std::span(bytes).first(begin)), bytes.size() - begin, name);
  return {std::move(bytes), begin, std::move(header), path};
}

SafetensorsFile::SafetensorsFile(std::vector<std::byte> bytes, std::size_t data_begin,
                                 SafetensorsHeader header, const std::filesystem::path& path)
    : path_(path), header_(std::move(header)), file_(std::move(bytes)) {
  const std::string name = path.string();
  const std::span<const std::byte> all(file_), data = all.subspan(data_begin);
  const std::string_view json = json_of(all.first(data_begin));
  checksummed_ = verify_checksum(header_, json, all, name);
  checksum_ = checksummed_ ? json.substr(digits_position(json), kZeroDigits.size()) : r2pac::checksum({all});
  for (std::size_t i = 0; i < header_.tensors.size(); ++i) {
    const StoredTensor& tensor = header_.tensors[i];
    index_[tensor.name] = i;
    const auto source = data.subspan(tensor.begin, tensor.bytes());
    data_.push_back(source.data());
    if (reinterpret_cast<std::uintptr_t>(source.data()) % type_bytes(tensor.type) != 0) {
      copies_.push_back(std::make_unique<std::byte[]>(source.size()));
      std::copy(source.begin(), source.end(), copies_.back().get());
      data_.back() = copies_.back().get();
    }
    if (tensor.type == StoredType::boolean &&
        std::any_of(source.begin(), source.end(), [](std::byte b) { return b > std::byte{1}; }))
      throw_damaged(name,
                    "tensor `" + printable(tensor.name) + "` of dtype BOOL holds a byte other than 0 and 1");
  }
}

void SafetensorsFile::require_finite() const {
  for (std::size_t i = 0; i < header_.tensors.size(); ++i) {
    const StoredTensor& tensor = header_.tensors[i];
    if (!all_finite(tensor.type, {data_[i], tensor.bytes()}))
      throw Error(ExitCode::checkpoint, not_finite(tensor.name), path_.string(),
                  "use another copy or an older checkpoint; `r2pac inspect` counts such values");
  }
}

const std::string& SafetensorsFile::metadata(const std::string& key) const {
  const auto found = header_.metadata.find(key);
  if (found == header_.metadata.end())
    throw Error(ExitCode::checkpoint, "metadata `" + key + "` is missing", path_.string(),
                "check that this is the kind of file you meant");
  return found->second;
}

std::size_t SafetensorsFile::row(const std::string& name) const {
  if (const auto found = index_.find(name); found != index_.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& tensor : header_.tensors) names.push_back(printable(tensor.name));
  const std::string near = nearest_name(name, names);
  throw Error(ExitCode::checkpoint,
              "tensor `" + name + "` is missing" + (near.empty() ? "" : " (there is `" + near + "`)"),
              path_.string(), "check that this is the kind of file you meant");
}

const StoredTensor& SafetensorsFile::tensor(const std::string& name) const {
  return header_.tensors[row(name)];
}

std::span<const std::byte> SafetensorsFile::bytes(const std::string& name) const {
  const std::size_t i = row(name);
  return {data_[i], header_.tensors[i].bytes()};
}

std::span<const std::byte> SafetensorsFile::require(const std::string& name, StoredType type,
                                                    const std::vector<std::size_t>* shape) const {
  const StoredTensor& actual = tensor(name);
  const auto text = [](StoredType t, const std::vector<std::size_t>& s) {
    return type_name(t) + (" " + shape_text(s));
  };
  if (actual.type != type || (shape && actual.shape != *shape))
    throw Error(ExitCode::checkpoint,
                "tensor `" + name + "` should be " + text(type, shape ? *shape : actual.shape) + " but is " +
                    text(actual.type, actual.shape),
                path_.string(), "check that this is the kind of file you meant");
  return bytes(name);
}

}  // namespace r2pac
