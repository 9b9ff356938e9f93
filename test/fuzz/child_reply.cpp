// What the child that decodes an HDF5 file sends back.
#include "data/child_reply.h"

#include "test/fuzz/fuzz.h"

using namespace r2pac;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  const Error error = unpack_error(bytes);
  fuzz::require(error.code() != ExitCode::ok && error.code() != ExitCode::resumable);
  const Error again = unpack_error(pack_error(error));
  fuzz::require(again.code() == error.code() &&
                again.where() == error.where().substr(0, again.where().size()));
  constexpr std::int64_t kAllowed = std::int64_t{1} << 32;
  fuzz::expect(ExitCode::data, [&] {
    const ColumnShape shape = unpack_shape(bytes, kAllowed, "file");
    for (std::size_t i = 0; i <= kArrays.size(); ++i) {
      const std::int64_t offset = offset_of(shape, i);
      fuzz::require(offset >= 0 && offset <= kAllowed);
    }
  });
  return 0;
}
