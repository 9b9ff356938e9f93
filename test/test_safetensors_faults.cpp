// safetensors as untrusted input: each kind of bad file with its message, cuts, flipped bits, random damage.
#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "storage/atomic_file.h"
#include "storage/safetensors.h"
#include "test/scratch_folder.h"

using namespace r2pac;
using Catch::Matchers::Contains;

namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of_text(const std::string& text) {
  Bytes bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

/// A file with this header and so many bytes of data, all 1.
Bytes raw_file(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  return bytes_of_text(std::string(reinterpret_cast<const char*>(&length), sizeof length) + header +
                       std::string(data_bytes, '\1'));
}

/// What parsing throws, or "accepted". Touches every byte of an accepted file, so that a sanitizer sees bad
/// spans.
std::string outcome(Bytes bytes) {
  try {
    const SafetensorsFile file = SafetensorsFile::parse(std::move(bytes), "bad.safetensors");
    unsigned sum = 0;
    for (const StoredTensor& tensor : file.tensors())
      for (const std::byte byte : file.bytes(tensor.name)) sum += static_cast<unsigned>(byte);
    return sum == ~0u ? "accepted." : "accepted";
  } catch (const Error& error) {
    const bool complete =
        error.code() == ExitCode::checkpoint && error.where() == "bad.safetensors" && !error.todo().empty();
    return complete ? error.what() : "an error without code, file or advice";
  }
}

std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

/// A header whose only tensor is `a`.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"a":)" + tensor(dtype, shape, offsets) + "}";
}

std::string repeat(const std::string& text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string many_tensors(std::size_t count) {
  std::string header = "{";
  for (std::size_t i = 0; i < count; ++i)
    header += (i ? ",\"" : "\"") + std::to_string(i) + "\":" + tensor("\"U8\"", "[0]", "[0,0]");
  return header + "}";
}

/// A small file of our own with several types and texts.
Bytes good_file() {
  const ScratchFolder scratch;
  std::vector<double> values(300);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.25 * static_cast<double>(i);
  const float single[7] = {1, 2, 3, 4, 5, 6, 7};
  const std::uint8_t byte[3] = {1, 2, 3};
  SafetensorsWriter writer;
  writer.add<double>("moments", {3, 100}, values);
  writer.add<float>("weights", {7}, single);
  writer.add<std::uint8_t>("flags", {3}, byte);
  writer.metadata("task", "OfflineBallRun-v0");
  writer.metadata("step", "1000");
  writer.write(scratch.path / "file");
  return read_file(scratch.path / "file", 1 << 20, ExitCode::checkpoint);
}

std::size_t header_end(const Bytes& file) {
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  return sizeof length + length;
}

std::string flip(Bytes file, std::size_t bit) {
  file[bit / 8] ^= std::byte{1} << (bit % 8);
  return outcome(std::move(file));
}

struct BadFile {
  const char* kind;
  Bytes bytes;
  const char* message;
};

std::vector<BadFile> bad_files() {
  const std::string ok = tensor("\"F32\"", "[2]", "[0,8]");
  const std::string u8 = "\"U8\"";
  const auto u8_pair = [&](const char* first, const char* a, const char* second, const char* b) {
    return "{\"a\":" + tensor("\"U8\"", first, a) + ",\"b\":" + tensor("\"U8\"", second, b) + "}";
  };
  const auto checksum_file = [](const std::string& metadata) {
    return raw_file("{\"__metadata__\":{" + metadata + "}}", 0);
  };
  const std::string digits = R"("file_xxh3_128":"00000000000000000000000000000000")";
  const std::string covers = R"("file_xxh3_128_covers":"the whole file, these digits as zeros")";
  return {
      {"empty file", {}, "cut short: it has only 0 bytes"},
      {"part of the length", bytes_of_text("1234567"), "only 7 bytes"},
      {"length only", bytes_of_text(std::string("\x05\0\0\0\0\0\0\0", 8)), "cut short: its header has 5"},
      {"length 2^64 - 1", bytes_of_text(std::string(8, '\xFF')),
       "header is said to have 18446744073709551615"},
      {"length 2^63", bytes_of_text(std::string("\0\0\0\0\0\0\0\x80", 8)), "9223372036854775808 bytes"},
      {"length beyond the limit", raw_file("{" + std::string(kMaxHeaderBytes, ' ') + "}", 0),
       "limit of 1048576"},
      {"another format", bytes_of_text("\x89HDF\r\n\x1a\n and so on"), "this is an HDF5 file"},
      {"no header", raw_file("", 0), "does not begin with {"},
      {"space first", raw_file(" {}", 0), "does not begin with {"},
      {"byte-order mark", raw_file("\xEF\xBB\xBF{}", 0), "does not begin with {"},
      {"list", raw_file("[]", 0), "does not begin with {"},
      {"open object", raw_file("{", 0), "not valid JSON"},
      {"text after the object", raw_file("{} {}", 0), "not valid JSON in UTF-8 at its byte 4"},
      {"zero byte after the object", raw_file(std::string("{}\0\0", 4), 0),
       "not valid JSON in UTF-8 at its byte 3"},
      {"zero byte hiding an object", raw_file(std::string("{}\0{\"a\":1}", 10), 0), "not valid JSON"},
      {"comment", raw_file("{/* */}", 0), "not valid JSON"},
      {"trailing comma", raw_file("{\"a\":" + ok + ",}", 8), "not valid JSON"},
      {"single quotes", raw_file("{'a':1}", 0), "not valid JSON"},
      {"name not UTF-8", raw_file("{\"\xFF\":" + ok + "}", 8), "not valid JSON in UTF-8"},
      {"overlong UTF-8", raw_file("{\"\xC0\xAF\":" + ok + "}", 8), "not valid JSON in UTF-8"},
      {"surrogate in UTF-8", raw_file("{\"\xED\xA0\x80\":" + ok + "}", 8), "not valid JSON in UTF-8"},
      {"half an escaped surrogate", raw_file("{\"\\uD800\":" + ok + "}", 8), "not valid JSON in UTF-8"},
      {"raw control character", raw_file("{\"a\nb\":" + ok + "}", 8), "not valid JSON"},
      {"metadata not UTF-8", raw_file("{\"__metadata__\":{\"k\":\"\x80\"}}", 0), "not valid JSON in UTF-8"},
      {"tensor is a number", raw_file("{\"a\":1}", 0), "unexpected number at `a`"},
      {"tensor is a list", raw_file("{\"a\":[]}", 0), "unexpected list at `a`"},
      {"tensor is null", raw_file("{\"a\":null}", 0), "unexpected null at `a`"},
      {"tensor is text", raw_file("{\"a\":\"F32\"}", 0), "unexpected text at `a`"},
      {"tensor is true", raw_file("{\"a\":true}", 0), "unexpected true or false at `a`"},
      {"tensor without fields", raw_file("{\"a\":{}}", 0), "field `dtype` is missing in tensor `a`"},
      {"no shape", raw_file(R"({"a":{"dtype":"U8","data_offsets":[0,0]}})", 0), "field `shape` is missing"},
      {"no offsets", raw_file(R"({"a":{"dtype":"U8","shape":[0]}})", 0), "field `data_offsets` is missing"},
      {"unknown field", raw_file(R"({"a":{"stride":[1]}})", 0), "unknown field `stride` in tensor `a`"},
      {"field twice", raw_file(R"({"a":{"dtype":"U8","dtype":"U8"}})", 0), "field `dtype` appears twice"},
      {"unknown dtype", raw_file(one("\"F31\"", "[2]", "[0,8]"), 8), "unknown dtype `F31` in tensor `a`"},
      {"lower-case dtype", raw_file(one("\"f32\"", "[2]", "[0,8]"), 8), "unknown dtype `f32`"},
      {"dtype is a number", raw_file(one("32", "[2]", "[0,8]"), 8), "unexpected number in tensor `a`"},
      {"dtype is a list", raw_file(one("[]", "[2]", "[0,8]"), 8), "unexpected list in tensor `a`"},
      {"shape is a number", raw_file(one(u8, "8", "[0,8]"), 8), "unexpected number in tensor `a`"},
      {"shape is text", raw_file(one(u8, "\"8\"", "[0,8]"), 8), "unexpected text in tensor `a`"},
      {"negative dimension", raw_file(one(u8, "[-8]", "[0,8]"), 8), "negative number in tensor `a`"},
      {"fractional dimension", raw_file(one(u8, "[8.0]", "[0,8]"), 8),
       "fractional or beyond 64 bits in tensor `a`"},
      {"exponent", raw_file(one(u8, "[8e0]", "[0,8]"), 8), "fractional or beyond 64 bits"},
      {"dimension 2^64", raw_file(one(u8, "[18446744073709551616]", "[0,8]"), 8), "beyond 64 bits"},
      {"dimension 1e999", raw_file(one(u8, "[1e999]", "[0,8]"), 8), "not valid JSON"},
      {"nested shape", raw_file(one(u8, "[[8]]", "[0,8]"), 8), "unexpected list in tensor `a`"},
      {"object in shape", raw_file(one(u8, "[{}]", "[0,8]"), 8), "unexpected object in tensor `a`"},
      {"rank 9", raw_file(one(u8, "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1),
       "more than 8 dimensions in tensor `a`"},
      {"size wraps to 0", raw_file(one(u8, "[4294967296,4294967296]", "[0,0]"), 0), "size overflows"},
      {"size wraps to 8", raw_file(one("\"F64\"", "[2305843009213693953]", "[0,8]"), 8), "size overflows"},
      {"overflow before a zero", raw_file(one(u8, "[9223372036854775808,2,0]", "[0,0]"), 0),
       "size overflows"},
      {"one offset", raw_file(one(u8, "[8]", "[8]"), 8), "data_offsets must be two numbers"},
      {"three offsets", raw_file(one(u8, "[8]", "[0,8,8]"), 8), "data_offsets must be two numbers"},
      {"negative offset", raw_file(one(u8, "[8]", "[-8,0]"), 8), "negative number in tensor `a`"},
      {"offsets swapped", raw_file(one(u8, "[8]", "[8,0]"), 8), "tensor `a` ends before it begins"},
      {"offset 2^63", raw_file(one(u8, "[9223372036854775808]", "[0,9223372036854775808]"), 8),
       "cut short: its tensors"},
      {"offsets at the end of 64 bits",
       raw_file(one(u8, "[1]", "[18446744073709551614,18446744073709551615]"), 8), "leaves a hole"},
      {"too few bytes for the shape", raw_file(one("\"F32\"", "[2]", "[0,7]"), 7), "needs 8 bytes but has 7"},
      {"too many bytes for the shape", raw_file(one("\"F32\"", "[]", "[0,8]"), 8),
       "shape [] needs 4 bytes but has 8"},
      {"bytes for a zero dimension", raw_file(one(u8, "[0,3]", "[0,3]"), 3), "needs 0 bytes but has 3"},
      {"overlap", raw_file(u8_pair("[4]", "[0,4]", "[4]", "[2,6]"), 6), "tensor `b` overlaps"},
      {"same bytes twice", raw_file(u8_pair("[4]", "[0,4]", "[4]", "[0,4]"), 4), "tensor `b` overlaps"},
      {"empty tensor inside another", raw_file(u8_pair("[4]", "[0,4]", "[0]", "[2,2]"), 4),
       "tensor `b` overlaps"},
      {"hole", raw_file(u8_pair("[2]", "[0,2]", "[2]", "[4,6]"), 6), "tensor `b` leaves a hole"},
      {"hole at the start", raw_file(one(u8, "[2]", "[2,4]"), 4), "tensor `a` leaves a hole"},
      {"bytes after the data", raw_file(one(u8, "[2]", "[0,2]"), 3), "1 bytes follow the last tensor"},
      {"data without tensors", raw_file("{}", 5), "5 bytes follow the last tensor"},
      {"data cut short", raw_file(one(u8, "[9]", "[0,9]"), 8), "need 9 bytes of data, it has 8"},
      {"tensor twice", raw_file("{\"a\":" + ok + ",\"a\":" + ok + "}", 8), "`a` appears twice"},
      {"tensor twice, once escaped", raw_file("{\"a\":" + ok + ",\"\\u0061\":" + ok + "}", 8),
       "`a` appears twice"},
      {"metadata twice", raw_file(R"({"__metadata__":{},"__metadata__":{}})", 0),
       "`__metadata__` appears twice"},
      {"metadata key twice", raw_file(R"({"__metadata__":{"k":"1","k":"2"}})", 0),
       "metadata `k` appears twice"},
      {"metadata is text", raw_file(R"({"__metadata__":"x"})", 0), "unexpected text at `__metadata__`"},
      {"metadata is null", raw_file(R"({"__metadata__":null})", 0), "unexpected null at `__metadata__`"},
      {"metadata holds a number", raw_file(R"({"__metadata__":{"k":1}})", 0), "metadata `k` must be text"},
      {"metadata holds an object", raw_file(R"({"__metadata__":{"k":{}}})", 0), "metadata `k` must be text"},
      {"metadata holds a list", raw_file(R"({"__metadata__":{"k":["v"]}})", 0), "metadata `k` must be text"},
      {"name of 257 bytes", raw_file("{\"" + std::string(257, 'n') + "\":" + ok + "}", 8),
       "name has 257 bytes"},
      {"4097 tensors", raw_file(many_tensors(kMaxTensors + 1), 0), "more than 4096 tensors"},
      {"100,000 names", raw_file("{" + repeat("\"n\":{},", 100000) + "}", 0), "field `dtype` is missing"},
      {"bomb of lists", raw_file("{\"a\":" + repeat("[", 500000), 0), "unexpected list at `a`"},
      {"bomb of objects", raw_file(repeat("{\"a\":", 200000), 0), "unknown field `a` in tensor `a`"},
      {"bomb in metadata", raw_file("{\"__metadata__\":" + repeat("{\"a\":", 100000), 0),
       "metadata `a` must be text"},
      {"terminal commands in a name", raw_file("{\"\\u001b[2J\":1}", 0), "unexpected number at `\\x1b[2J`"},
      {"BOOL byte of 2", raw_file(one("\"BOOL\"", "[1]", "[0,1]"), 0), "cut short"},
      {"checksum of something else", checksum_file(digits + "," + covers), "checksum does not agree"},
      {"checksum without its note", checksum_file(digits), "checksum does not agree"},
      {"note without its checksum", checksum_file(covers), "checksum does not agree"},
      {"short checksum", checksum_file(R"("file_xxh3_128":"0",)" + covers), "checksum does not agree"},
      {"checksum out of form", checksum_file(R"("file_xxh3_128": "0",)" + covers), "checksum does not agree"},
  };
}

}  // namespace

TEST_CASE("each kind of bad file is refused with its message") {
  const auto files = bad_files();
  CHECK(files.size() >= 85);
  for (const BadFile& file : files) {
    INFO(file.kind);
    CHECK_THAT(outcome(file.bytes), Contains(file.message));
  }
  Bytes truth = raw_file(one("\"BOOL\"", "[1]", "[0,1]"), 1);
  CHECK(outcome(truth) == "accepted");
  truth.back() = std::byte{2};
  CHECK_THAT(outcome(truth), Contains("tensor `a` of dtype BOOL holds a byte other than 0 and 1"));
}

TEST_CASE("what the format allows is accepted") {
  CHECK(outcome(raw_file("{}", 0)) == "accepted");
  CHECK(outcome(raw_file("{}\n\t  ", 0)) == "accepted");
  CHECK(outcome(raw_file(R"({"__metadata__":{}})", 0)) == "accepted");
  CHECK(outcome(raw_file("{\"__metadata__\":{\"k\":\"\\u00e9\xC3\xA9\"}}", 0)) == "accepted");
  CHECK(outcome(raw_file(one("\"U8\"", "[1,1,1,1,1,1,1,1]", "[0,1]"), 1)) == "accepted");
  CHECK(outcome(raw_file(one("\"F32\"", "[]", "[0,4]"), 4)) == "accepted");
  CHECK(outcome(raw_file(one("\"F32\"", "[0,9223372036854775808,2]", "[0,0]"), 0)) == "accepted");
  CHECK(outcome(raw_file(many_tensors(kMaxTensors), 0)) == "accepted");
  CHECK(outcome(raw_file("{\"" + std::string(256, 'n') + "\":" + tensor("\"BF16\"", "[1]", "[0,2]") + "}",
                         2)) == "accepted");
  const std::string odd_places = R"({"b":)" + tensor("\"F64\"", "[2]", "[1,17]") + R"(,"a":)" +
                                 tensor("\"U8\"", "[1]", "[0,1]") + "}   ";
  const SafetensorsFile file = SafetensorsFile::parse(raw_file(odd_places, 17), "odd");
  const auto values = file.get<double>("b", {2});
  CHECK(reinterpret_cast<std::uintptr_t>(values.data()) % alignof(double) == 0);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &values[1], sizeof bits);
  CHECK(bits == 0x0101010101010101u);
}

TEST_CASE("a file cut anywhere is refused") {
  const Bytes file = good_file();
  REQUIRE(outcome(file) == "accepted");
  for (std::size_t size = 0; size < file.size(); ++size) {
    INFO(size << " of " << file.size() << " bytes");
    REQUIRE_THAT(outcome(Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size))),
                 Contains("cut short"));
  }
  Bytes longer = file;
  longer.push_back(std::byte{0});
  CHECK_THAT(outcome(longer), Contains("1 bytes follow"));
}

TEST_CASE("every single flipped bit of a file of ours is noticed") {
  const Bytes file = good_file();
  const std::size_t bits = 8 * file.size();
  REQUIRE(bits - 8 * header_end(file) > 19000);  // that many in the data
  for (std::size_t bit = 0; bit < bits; ++bit) {
    INFO("bit " << bit << " of " << bits << ", header ends at " << 8 * header_end(file));
    REQUIRE(flip(file, bit) != "accepted");
  }
}

TEST_CASE("random damage never does worse than an error") {
  // Without a checksum more of the damage gets past the first check; with one, none may be accepted.
  const std::string header = "{\"__metadata__\":{\"k\":\"v\"},\"a\":" + tensor("\"F32\"", "[2,3]", "[0,24]") +
                             ",\"bc\":" + tensor("\"I64\"", "[3]", "[24,48]") +
                             ",\"d\":" + tensor("\"BOOL\"", "[2,1]", "[48,50]") + "}";
  const std::string alphabet = "{}[]\",:0123456789-.eE\\u truefalsn\x80\xFF";
  std::mt19937 random(12345);
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  for (const bool ours : {false, true}) {
    const Bytes original = ours ? good_file() : raw_file(header, 50);
    REQUIRE(outcome(original) == "accepted");
    std::size_t accepted = 0, refused = 0;
    for (int i = 0; i < 20000; ++i) {
      Bytes file = original;
      for (std::size_t change = 0; change <= below(4) && !file.empty(); ++change) {
        const std::size_t at = below(file.size());
        const auto place = file.begin() + static_cast<std::ptrdiff_t>(at);
        const std::size_t length = std::min(file.size() - at, 1 + below(16));
        switch (below(6)) {
          case 0:
            file[at] ^= std::byte{1} << below(8);
            break;
          case 1:
            file[at] = static_cast<std::byte>(alphabet[below(alphabet.size())]);
            break;
          case 2:
            file.erase(place, place + static_cast<std::ptrdiff_t>(length));
            break;
          case 3:
            file.insert(place, static_cast<std::byte>(alphabet[below(alphabet.size())]));
            break;
          case 4: {
            const Bytes piece(place, place + static_cast<std::ptrdiff_t>(length));
            const auto to = file.begin() + static_cast<std::ptrdiff_t>(below(file.size()));
            file.insert(to, piece.begin(), piece.end());
            break;
          }
          default:
            file[below(8) % file.size()] = static_cast<std::byte>(below(256));
            break;
        }
      }
      if (file == original) continue;
      const std::string result = outcome(std::move(file));
      REQUIRE(result != "an error without code, file or advice");
      (result == "accepted" ? accepted : refused) += 1;
    }
    CHECK(refused > 1000);
    if (ours) CHECK(accepted == 0);
    if (!ours) CHECK(accepted > 100);  // damage to the values alone cannot be seen there
  }
}
