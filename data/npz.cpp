#include "data/npz.h"

#include <zip.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "data/fence.h"

namespace r2pac {
namespace {

constexpr char kRemedy[] = "save the arrays again with numpy.savez";
constexpr std::size_t kPieceBytes = 64 * 1024;  // a multiple of every number's width

}  // namespace

/// One member of an archive while it is unpacked.
class NpzMember {
 public:
  NpzMember(zip* archive, zip_uint64_t index, const std::string& name)
      : file_(zip_fopen_index(archive, index, 0)), name_(name) {
    if (file_ == nullptr)
      throw array_fault(name, std::string("cannot be unpacked (") + zip_strerror(archive) + ")", kRemedy);
  }
  ~NpzMember() { zip_fclose(file_); }
  NpzMember(const NpzMember&) = delete;
  NpzMember& operator=(const NpzMember&) = delete;

  /// Fills `out`, or throws.
  void read(std::span<unsigned char> out) {
    for (std::size_t got = 0; got < out.size();) {
      const zip_int64_t n = zip_fread(file_, out.data() + got, out.size() - got);
      if (n <= 0)
        throw array_fault(name_,
                          std::string("is damaged and cannot be unpacked (") + zip_file_strerror(file_) + ")",
                          "get a fresh copy of the file");
      got += static_cast<std::size_t>(n);
      report_progress();
    }
  }
  /// Reads the end, which is where the checksum is compared.
  void finish() {
    unsigned char one;
    if (zip_fread(file_, &one, 1) != 0)
      throw array_fault(name_, std::string("is damaged (") + zip_file_strerror(file_) + ")",
                        "get a fresh copy of the file");
  }

 private:
  zip_file_t* file_;
  std::string name_;
};

namespace {

/// The place of a member with this array, or -1.
zip_int64_t locate(zip* archive, const std::string& name) {
  return zip_name_locate(archive, (name + ".npy").c_str(), ZIP_FL_ENC_RAW);
}

zip_stat_t checked_status(zip* archive, zip_uint64_t index, const std::string& name) {
  zip_stat_t status;
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if (zip_stat_index(archive, index, 0, &status) != 0 || (status.valid & kNeeded) != kNeeded)
    throw array_fault(name, "has a damaged entry in the archive", "get a fresh copy of the file");
  if (status.encryption_method != ZIP_EM_NONE) throw array_fault(name, "is encrypted", kRemedy);
  if (status.comp_method != ZIP_CM_STORE && status.comp_method != ZIP_CM_DEFLATE)
    throw array_fault(name, "is packed with method " + std::to_string(status.comp_method),
                      "save the arrays with numpy.savez or numpy.savez_compressed");
  return status;
}

}  // namespace

void NpzFile::Close::operator()(zip* archive) const { zip_discard(archive); }

NpzFile::NpzFile(const std::string& path, Budget& budget) : budget_(budget) {
  int code = 0;
  archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive_) return;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  throw Error(ExitCode::data, "the archive is damaged and cannot be opened (" + reason + ")", path,
              "get a fresh copy of the file");
}

bool NpzFile::contains(const std::string& name) const { return locate(archive_.get(), name) >= 0; }

std::vector<std::string> NpzFile::names() const {
  constexpr zip_int64_t kMost = 64;
  std::vector<std::string> names;
  for (zip_int64_t i = 0; i < std::min(zip_get_num_entries(archive_.get(), 0), kMost); ++i) {
    const char* const name = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
    if (const std::string_view text(name ? name : ""); text.ends_with(".npy"))
      names.emplace_back(text.substr(0, text.size() - 4));
  }
  return names;
}

ArrayExtent NpzFile::extent(const std::string& name) const {
  const auto [member, header, bytes] = open(name);
  const auto& shape = header.shape;
  return {static_cast<int>(shape.size()), shape.empty() ? 0 : shape[0], shape.size() > 1 ? shape[1] : 1};
}

NpzFile::OpenArray NpzFile::open(const std::string& name) const {
  const zip_int64_t place = locate(archive_.get(), name);
  if (place < 0) throw array_fault(name, "is missing", "it is needed for this layout");
  const auto index = static_cast<zip_uint64_t>(place);
  const zip_stat_t status = checked_status(archive_.get(), index, name);
  if (status.size < kNpyPreamble) throw array_fault(name, "is not a NumPy array", kRemedy);

  auto member = std::make_unique<NpzMember>(archive_.get(), index, name);
  std::vector<unsigned char> start(kNpyPreamble);
  member->read(start);
  const NpyText text = npy_text(start, name);
  const std::size_t header_end = text.begin + text.length;
  if (status.size < header_end) throw array_fault(name, "ends inside its header", kRemedy);
  start.resize(std::max(header_end, kNpyPreamble));
  member->read(std::span(start).subspan(kNpyPreamble));
  NpyHeader header =
      parse_npy_header({reinterpret_cast<const char*>(start.data()) + text.begin, text.length}, name);
  return {std::move(member), std::move(header), status.size - header_end};
}

NumberArray NpzFile::read(const std::string& name, ArrayKind kind) const {
  const auto [member, header, bytes] = open(name);
  const auto& shape = header.shape;
  const std::uint64_t rows = shape.empty() ? 0 : shape[0], columns = shape.size() > 1 ? shape[1] : 1;
  check_extent(name, kind, {static_cast<int>(shape.size()), rows, columns});
  const std::uint64_t count = rows * columns;  // below 2^52
  if (bytes != count * header.width)
    throw array_fault(
        name,
        "holds " + std::to_string(bytes) + " bytes, its shape needs " + std::to_string(count * header.width),
        "get a fresh copy of the file");
  NumberArray numbers{
      static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns), {}, header.kind != 'f', {}};
  budget_.claim(static_cast<std::int64_t>(count * sizeof(float)));
  numbers.values.resize(count);
  if (header.width >= 4 && !(header.kind == 'f' && header.width == 4)) numbers.rounding.resize(columns);
  std::vector<unsigned char> piece(kPieceBytes);
  for (std::uint64_t first = 0; first < count; first += kPieceBytes / header.width) {
    const std::uint64_t many = std::min<std::uint64_t>(kPieceBytes / header.width, count - first);
    member->read(std::span(piece).first(many * header.width));
    for (std::uint64_t i = 0; i < many; ++i) {
      const std::uint64_t at = first + i;
      const std::uint64_t to = header.column_major ? at % rows * columns + at / rows : at;
      const double value = npy_number(header, piece.data() + i * header.width);
      if (!numbers.rounding.empty()) numbers.rounding[to % columns].add(value);
      numbers.values[to] = static_cast<float>(value);
    }
  }
  member->finish();
  return numbers;
}

}  // namespace r2pac
