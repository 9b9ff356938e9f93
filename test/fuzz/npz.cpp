// NumPy arrays: the header alone, and whole archives.
#include "data/npz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <span>

#include "data/decode.h"
#include "data/npy.h"
#include "test/fuzz/fuzz.h"

using namespace r2pac;

namespace {

void read_header(std::span<const unsigned char> bytes) {
  const NpyText text = npy_text(bytes, "observations");
  if (bytes.size() < text.begin + text.length) return;
  const auto* begin = reinterpret_cast<const char*>(bytes.data()) + text.begin;
  const NpyHeader header = parse_npy_header({begin, text.length}, "observations");
  const auto data = bytes.subspan(text.begin + text.length);
  if (data.size() >= header.width) npy_number(header, data.data());
}

/// The bytes as a file without a name.
class File {
 public:
  File(const std::uint8_t* data, std::size_t size) : number_(memfd_create("fuzz", MFD_CLOEXEC)) {
    fuzz::require(number_ >= 0 && write(number_, data, size) == static_cast<ssize_t>(size));
  }
  ~File() { close(number_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(number_); }

 private:
  int number_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::expect(ExitCode::data, [&] { read_header({data, size}); });
  const File file(data, size);
  fuzz::expect(ExitCode::data, [&] {
    if (tell_container(file.path()) != Container::zip) return;
    Budget budget(std::int64_t{64} << 20, static_cast<std::int64_t>(size));
    const NpzFile archive(file.path(), budget);
    for (const char* name : {"observations", "rewards"})
      for (const ArrayKind kind : {ArrayKind::matrix, ArrayKind::vector})
        fuzz::expect(ExitCode::data, [&] { archive.read(name, kind); });
  });
  return 0;
}
