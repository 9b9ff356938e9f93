// safetensors: what is written is read back, and what a program asks for is checked.
#include <catch2/catch.hpp>
#include <cstring>
#include <limits>

#include "storage/atomic_file.h"
#include "storage/safetensors.h"
#include "test/scratch_folder.h"

using namespace r2pac;
using Catch::Matchers::Contains;

namespace {

template <class T>
void check_round_trip(const std::vector<T>& values) {
  const ScratchFolder scratch;
  SafetensorsWriter writer;
  writer.add<T>("vector", {values.size()}, std::span<const T>(values));
  writer.add<T>("scalar", {}, std::span<const T>(values).first(1));
  writer.add<T>("empty", {2, 0, 3}, std::span<const T>());
  writer.write(scratch.path / "file");
  const SafetensorsFile file = SafetensorsFile::read(scratch.path / "file");
  CHECK(file.checksummed());
  // Bytes are compared: -0 must come back as -0.
  const auto vector = file.get<T>("vector", {values.size()});
  REQUIRE(vector.size() == values.size());
  CHECK(std::memcmp(vector.data(), values.data(), vector.size_bytes()) == 0);
  CHECK(std::memcmp(file.get<T>("scalar", {}).data(), values.data(), sizeof(T)) == 0);
  CHECK(file.get<T>("empty", {2, 0, 3}).empty());
  CHECK(reinterpret_cast<std::uintptr_t>(vector.data()) % sizeof(T) == 0);
}

template <class T>
std::vector<T> extremes() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values{T(1), T(0), Limits::lowest(), Limits::max(), Limits::min()};
  if constexpr (Limits::has_infinity) values.insert(values.end(), {Limits::denorm_min(), -T(0)});
  return values;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::checkpoint);
    return error.what() + std::string("|") + error.where() + "|" + error.todo();
  }
  return "no error";
}

}  // namespace

TEST_CASE("every element type comes back bit for bit, as vector, scalar and empty tensor") {
  check_round_trip(extremes<float>());
  check_round_trip(extremes<double>());
  check_round_trip(extremes<std::uint8_t>());
  check_round_trip(extremes<std::int8_t>());
  check_round_trip(extremes<std::uint32_t>());
  check_round_trip(extremes<std::int32_t>());
  check_round_trip(extremes<std::uint64_t>());
  check_round_trip(extremes<std::int64_t>());
  const bool flags[] = {true, false, true};
  const ScratchFolder scratch;
  SafetensorsWriter writer;
  writer.add<bool>("flags", {3}, flags);
  writer.add("half", StoredType::f16, {1}, "ab", 2);
  writer.write(scratch.path / "file");
  const SafetensorsFile file = SafetensorsFile::read(scratch.path / "file");
  CHECK(file.get<bool>("flags")[0]);
  CHECK_FALSE(file.get<bool>("flags")[1]);
  CHECK(std::memcmp(file.bytes("half").data(), "ab", 2) == 0);
}

TEST_CASE("mixed types are aligned, names and text survive, equal content gives equal bytes") {
  const ScratchFolder scratch;
  const std::uint8_t byte[3] = {1, 2, 3};
  const float single[5] = {1.5f, -2, 3, 4, 5};
  const double twice[3] = {0.1, 0.2, 0.3};
  const std::string odd = "\"quoted\"\\ \xC3\xA9\n\x01";
  const auto write = [&](const char* name) {
    SafetensorsWriter writer;
    writer.add<std::uint8_t>("a", {3}, byte);
    writer.add<float>(odd, {5, 1}, single);
    writer.add<double>("z", {3}, twice);
    writer.metadata("config", odd);
    writer.metadata("empty", "");
    writer.write(scratch.path / name);
  };
  write("one");
  write("two");
  CHECK(read_file(scratch.path / "one", 1 << 20, ExitCode::data) ==
        read_file(scratch.path / "two", 1 << 20, ExitCode::data));
  SafetensorsFile read = SafetensorsFile::read(scratch.path / "one");
  const SafetensorsFile file = std::move(read);
  CHECK(file.metadata() == std::map<std::string, std::string>{{"config", odd}, {"empty", ""}});
  CHECK(file.get<float>(odd, {5, 1})[1] == -2.0f);
  CHECK(file.get<double>("z")[2] == 0.3);
  CHECK(file.get<std::uint8_t>("a")[2] == 3);
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.tensors()[0].name == "z");
  for (const StoredTensor& tensor : file.tensors()) CHECK(tensor.begin % type_bytes(tensor.type) == 0);
}

TEST_CASE("a file without tensors and without text of its own is a file") {
  const ScratchFolder scratch;
  SafetensorsWriter().write(scratch.path / "file");
  const SafetensorsFile file = SafetensorsFile::read(scratch.path / "file");
  CHECK(file.tensors().empty());
  CHECK(file.metadata().empty());
}

TEST_CASE("asking for what is not there names file, tensor, expected and actual") {
  const ScratchFolder scratch;
  const auto path = scratch.path / "file";
  const float values[6] = {};
  SafetensorsWriter writer;
  writer.add<float>("q_r.weight", {2, 3}, values);
  writer.write(path);
  const SafetensorsFile file = SafetensorsFile::read(path);
  CHECK_THAT(error_of([&] { file.get<float>("q_r.wieght"); }),
             Contains("`q_r.wieght` is missing (there is `q_r.weight`)") && Contains(path.string()));
  CHECK_THAT(error_of([&] { file.get<double>("q_r.weight"); }),
             Contains("`q_r.weight` should be F64 [2, 3] but is F32 [2, 3]") && Contains(path.string()));
  CHECK_THAT(error_of([&] {
               file.get<float>("q_r.weight", {3, 2});
             }),
             Contains("should be F32 [3, 2] but is F32 [2, 3]"));
  CHECK_THAT(error_of([&] { file.metadata("task"); }), Contains("metadata `task` is missing"));
  CHECK_THAT(error_of([&] { SafetensorsFile::read(scratch.path / "none"); }), Contains("No such file"));
}

TEST_CASE("the writer refuses what the reader would") {
  SafetensorsWriter writer;
  const float values[2] = {};
  writer.add<float>("a", {2}, values);
  CHECK_THROWS_AS(writer.add<float>("a", {2}, values), InvalidArgument);
  CHECK_THROWS_AS(writer.add<float>("b", {3}, values), InvalidArgument);
  CHECK_THROWS_AS(writer.add<float>("b", {std::size_t{1} << 63, 2}, values), InvalidArgument);
  CHECK_THROWS_AS(writer.add<float>(std::string(257, 'n'), {2}, values), InvalidArgument);
  CHECK_THROWS_AS(writer.add<float>("__metadata__", {2}, values), InvalidArgument);
  CHECK_THROWS_AS(writer.add<float>("b", {1, 1, 1, 1, 1, 1, 1, 1, 2}, values), InvalidArgument);
  CHECK_THROWS_AS(writer.metadata("file_xxh3_128", "x"), InvalidArgument);
  const ScratchFolder scratch;
  writer.metadata("long", std::string(kMaxHeaderBytes, 'x'));
  CHECK_THROWS_AS(writer.write(scratch.path / "file"), InvalidArgument);
  writer.metadata("long", "\xFF");
  CHECK_THROWS_AS(writer.write(scratch.path / "file"), InvalidArgument);
  for (std::size_t i = 1; i < kMaxTensors; ++i) writer.add<float>(std::to_string(i), {2}, values);
  CHECK_THROWS_AS(writer.add<float>("b", {2}, values), InvalidArgument);
  writer.metadata("long", "not any more");
  writer.write(scratch.path / "file");
  CHECK(SafetensorsFile::read(scratch.path / "file").tensors().size() == kMaxTensors);
}

TEST_CASE("text for a terminal is made harmless") {
  CHECK(printable("a\x1B[2J\x7F") == "a\\x1b[2J\\x7f");
  CHECK(printable("\xC3\xA9 \xC2\xB5 \xC2\x9B") == "\xC3\xA9 \xC2\xB5 \\xc2\\x9b");
}
