// NumPy archives: what is read, what is refused, and that nothing else happens.
#include <algorithm>
#include <catch2/catch.hpp>

#include "data/layouts.h"
#include "data/npy.h"
#include "test/data_support.h"
#include "test/npz_support.h"

using namespace r2pac;

namespace {

const std::vector<float> kNumbers = {0, 1, 2, 3, 4, 5};  // three rows of two

/// A sound archive of three transitions whose observations are `observations`.
Members members(const std::string& observations) {
  return {{"observations", observations},
          {"next_observations", npy_array<float>("<f4", "(3, 2)", {2, 3, 4, 5, 6, 7})},
          {"actions", npy_array<float>("<f4", "(3, 1)", {0.5f, -0.5f, 0})},
          {"rewards", npy_array<float>("<f4", "(3,)", {1, 2, 3})},
          {"costs", npy_array<float>("<f4", "(3, 1)", {0, 1, 0})},
          {"terminals", npy_array<std::uint8_t>("|b1", "(3,)", {0, 0, 0})},
          {"timeouts", npy_array<std::uint8_t>("|b1", "(3,)", {0, 0, 1})}};
}

template <class To>
std::vector<To> converted(bool big_endian = false) {
  std::vector<To> values(kNumbers.begin(), kNumbers.end());
  for (To& value : values) {
    auto* bytes = reinterpret_cast<unsigned char*>(&value);
    if (big_endian) std::reverse(bytes, bytes + sizeof(To));
  }
  return values;
}

std::string why_not(const std::string& path, const ReadLimits& limits = {}) {
  try {
    read_layout(path, {}, limits);
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::data);
    CHECK(error.where() == path);
    return error.what();
  }
}

std::string why_not_header(const std::string& text) {
  try {
    parse_npy_header(text, "x");
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a header is read in any order of its entries") {
  const NpyHeader header =
      parse_npy_header("{\"shape\": (10, 3), 'fortran_order': True, 'descr': '>i2'}  \n", "x");
  CHECK(header.kind == 'i');
  CHECK(header.width == 2);
  CHECK(header.big_endian);
  CHECK(header.column_major);
  CHECK(header.shape == std::vector<std::uint64_t>{10, 3});
  CHECK(parse_npy_header("{'descr': '|b1', 'fortran_order': False, 'shape': ()}", "x").shape.empty());
}

TEST_CASE("a header that is not plainly one is refused") {
  const std::string rest = ", 'fortran_order': False, 'shape': (3,)}";
  for (const char* type : {"|O", "<U4", "|S8", "<c8", "<M8[s]", "|V4", "<f16", "f4", "*f4", ""})
    CHECK_THAT(why_not_header("{'descr': '" + std::string(type) + "'" + rest),
               Catch::Contains("not one of numbers"));
  CHECK_THAT(why_not_header("{'descr': [('a', '<f4')]" + rest), Catch::Contains("records"));
  const std::string start = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("{}"), start, start + "(",
        start + "(3", start + "(-3,)}", start + "(3.0,)}", start + "(99999999999999999999,)}",
        start + "(3,) extra}", start + "(3,)} extra", start + "(3,), 'shape': (3,)}",
        start + "(3,), 'more': 1}", start + "3}",
        std::string("{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}"),
        std::string("{'descr': '<f4', 'fortran_order': False}"),
        std::string("{'descr': __import__('os'), 'fortran_order': False, 'shape': (3,)}")})
    CHECK_FALSE(why_not_header(text).empty());
}

TEST_CASE("numbers of every type and order are the same numbers") {
  const ScratchFolder folder;
  const std::string path = folder / "data.npz";
  const std::string shape = "(3, 2)";
  const std::vector<float> columns = {0, 2, 4, 1, 3, 5};
  for (const bool packed : {true, false})
    for (const std::string& observations :
         {npy_array("<f4", shape, converted<float>()), npy_array(">f4", shape, converted<float>(true)),
          npy_array("<f8", shape, converted<double>()), npy_array(">f8", shape, converted<double>(true)),
          npy_array("|i1", shape, converted<std::int8_t>()),
          npy_array("|u1", shape, converted<std::uint8_t>()),
          npy_array("<i2", shape, converted<std::int16_t>()),
          npy_array(">u2", shape, converted<std::uint16_t>(true)),
          npy_array("<i4", shape, converted<std::int32_t>()),
          npy_array(">u4", shape, converted<std::uint32_t>(true)),
          npy_array("<i8", shape, converted<std::int64_t>()),
          npy_array(">u8", shape, converted<std::uint64_t>(true)),
          npy_array("<f4", shape, columns, /*column_major=*/true)}) {
      write_npz(path, members(observations), packed);
      const OtherData data = read_layout(path, {});
      CHECK(data.layout == Layout::npz);
      CHECK(data.columns.rows == 3);
      CHECK(data.columns.observations == kNumbers);
      CHECK(data.columns.costs == std::vector<float>{0, 1, 0});
      CHECK(data.columns.timeouts == std::vector<std::uint8_t>{0, 0, 1});
      CHECK(data.notes.empty());
    }
}

TEST_CASE("later versions of the format are read") {
  const ScratchFolder folder;
  const std::string path = folder / "data.npz";
  std::string numbers(kNumbers.size() * sizeof(float), '\0');
  std::memcpy(numbers.data(), kNumbers.data(), numbers.size());
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}";
  for (const char version : {'\2', '\3'}) {
    write_npz(path, members(npy_bytes(header, numbers, version)));
    CHECK(read_layout(path, {}).columns.observations == kNumbers);
  }
  write_npz(path, members(npy_bytes(header, numbers, '\4')));
  CHECK_THAT(why_not(path), Catch::Contains("version 4"));
}

TEST_CASE("members that lie about themselves are refused") {
  const ScratchFolder folder;
  const std::string path = folder / "data.npz";
  struct Case {
    std::string observations, message;
  };
  for (const Case& c : {
           Case{npy_array<float>("<f4", "(4, 2)", kNumbers), "holds 24 bytes, its shape needs 32"},
           Case{npy_array<float>("<f4", "(2, 2)", kNumbers), "holds 24 bytes, its shape needs 16"},
           Case{npy_array<float>("<f4", "(1, 3, 2)", kNumbers), "has 3 dimensions"},
           Case{npy_array<float>("<f4", "()", kNumbers), "has 0 dimensions"},
           Case{npy_array<float>("<f4", "(0, 2)", kNumbers), "is empty"},
           Case{npy_array<float>("<f4", "(4294967295, 1048576)", kNumbers),
                "its shape needs 18014398505287680"},
           Case{npy_array<float>("<f4", "(4294967296, 1)", kNumbers), "claims 4294967296 rows"},
           Case{npy_array<float>("|O", "(3, 2)", kNumbers), "has the type `|O`"},
           Case{"PICKLE", "is not a NumPy array"},
           Case{std::string("not an array at all"), "is not a NumPy array"},
           Case{npy_bytes("{", "").substr(0, 30), "ends inside its header"},
       }) {
    write_npz(path, members(c.observations));
    CHECK_THAT(why_not(path), Catch::Contains("array `observations`") && Catch::Contains(c.message));
  }
  CHECK(no_child_left());
}

TEST_CASE("an archive that unpacks to more than is allowed is refused before it does") {
  const ScratchFolder folder;
  const std::string path = folder / "bomb.npz";
  write_npz(path, members(npy_array<float>("<f4", "(3, 1000000)", std::vector<float>(3000000))));
  CHECK_THAT(why_not(path, {.bytes = 1 << 20}),
             Catch::Contains("12000000 bytes") && Catch::Contains("allowed"));
}

TEST_CASE("random mutants of an archive are read or refused, and nothing else happens") {
  const ScratchFolder folder;
  const std::string path = folder / "mutant.npz";
  write_npz(path, members(npy_array<float>("<f4", "(3, 2)", kNumbers)));
  const std::string whole = bytes_of_file(path);
  int refused = 0;
  constexpr int kRounds = 300;
  for (std::uint32_t round = 0; round < std::uint32_t{kRounds}; ++round) {
    std::string mutant = whole;
    for (std::uint32_t change = 0; change <= round % 4; ++change)
      mutant[random_below(3, Purpose::test, round, 2 * change, static_cast<std::uint32_t>(whole.size()))] =
          static_cast<char>(random_below(3, Purpose::test, round, 2 * change + 1, 256));
    write_bytes(path, mutant);
    refused += !why_not(path, {.bytes = 1 << 26, .seconds = 2}).empty();
  }
  CHECK(refused > kRounds / 4);  // checksums and headers cover most of so small a file
  CHECK(refused < kRounds);
  CHECK(no_child_left());
}

TEST_CASE("a truncated archive is refused") {
  const ScratchFolder folder;
  const std::string path = folder / "cut.npz";
  write_npz(path, members(npy_array<float>("<f4", "(3, 2)", kNumbers)));
  const std::string whole = bytes_of_file(path);
  for (const std::size_t size : {whole.size() - 1, whole.size() / 2, std::size_t{10}}) {
    write_bytes(path, whole.substr(0, size));
    CHECK_THAT(why_not(path), Catch::Contains("archive") || Catch::Contains("damaged"));
  }
}
