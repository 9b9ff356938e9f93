// Policies, checkpoints and traces: header, layout, checksum and numbers.
#include "storage/safetensors.h"

#include "test/fuzz/fuzz.h"

using namespace r2pac;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::expect(ExitCode::checkpoint, [&] {
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const SafetensorsFile file = SafetensorsFile::parse({bytes, bytes + size}, "file");
    unsigned sum = 0;
    for (const StoredTensor& tensor : file.tensors())
      for (const std::byte byte : file.bytes(tensor.name)) sum += static_cast<unsigned>(byte);
    fuzz::require(sum <= 255 * size);
    file.require_finite();
    for (const StoredTensor& tensor : file.tensors())
      if (tensor.type == StoredType::f32)
        for (const float value : file.get<float>(tensor.name)) fuzz::require(value - value == 0);
  });
  return 0;
}
