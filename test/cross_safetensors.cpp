// The C++ half of read_safetensors.py: `write FILE` makes a file, `check FILE` checks one made by the
// package. Element i of every tensor is 3 i - 4 in its own type; of a BOOL tensor, whether i is odd.
#include <cstdio>
#include <cstring>
#include <deque>

#include "storage/safetensors.h"

using namespace r2pac;

namespace {

constexpr std::size_t kRows = 3, kColumns = 5, kCount = kRows * kColumns;

template <class T>
T element(std::size_t i) {
  if constexpr (std::is_same_v<T, bool>) return i % 2 == 1;
  return static_cast<T>(3 * static_cast<int>(i) - 4);
}

/// Calls visit with a value of every element type.
template <class Visit>
void for_each_type(Visit visit) {
  visit(bool{}), visit(std::uint8_t{}), visit(std::int8_t{}), visit(std::uint32_t{}), visit(std::int32_t{});
  visit(std::uint64_t{}), visit(std::int64_t{}), visit(float{}), visit(double{});
}

void write(const char* path) {
  SafetensorsWriter writer;
  std::deque<std::unique_ptr<std::byte[]>> storage;
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    storage.push_back(std::make_unique<std::byte[]>(kCount * sizeof(T)));
    T* values = reinterpret_cast<T*>(storage.back().get());
    for (std::size_t i = 0; i < kCount; ++i) values[i] = element<T>(i);
    const std::string type = type_name(stored_type<T>());
    writer.add<T>("matrix." + type, {kRows, kColumns}, {values, kCount});
    writer.add<T>("scalar." + type, {}, {values, 1});
    writer.add<T>("empty." + type, {2, 0}, {values, 0});
  });
  writer.metadata("text", "\"quoted\" \xC3\xA9");
  writer.write(path);
}

void check(const char* path) {
  const SafetensorsFile file = SafetensorsFile::read(path);
  const auto need = [&](bool good, const std::string& what) {
    if (!good) throw Error(ExitCode::checkpoint, "unexpected content: " + what, path);
  };
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    const std::string type = type_name(stored_type<T>());
    const auto values = file.get<T>("matrix." + type, {kRows, kColumns});
    for (std::size_t i = 0; i < kCount; ++i) need(values[i] == element<T>(i), "matrix." + type);
    need(file.get<T>("scalar." + type, {})[0] == element<T>(0), "scalar." + type);
    need(file.get<T>("empty." + type, {2, 0}).empty(), "empty." + type);
  });
  need(file.metadata("text") == "\"quoted\" \xC3\xA9", "metadata");
  need(!file.checksummed(), "a checksum");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 3 && std::strcmp(argv[1], "write") == 0) return write(argv[2]), 0;
    if (argc == 3 && std::strcmp(argv[1], "check") == 0) return check(argv[2]), 0;
    std::fprintf(stderr, "usage: cross_safetensors write|check FILE\n");
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[2], error.what());
    return 1;
  }
}
