// Random numbers against Random123, the suggestion of names, and texts made harmless.
#include <Random123/philox.h>

#include <catch2/catch.hpp>

#include "base/counted.h"
#include "base/nearest.h"
#include "base/philox.h"
#include "base/printable.h"

using namespace r2pac;

TEST_CASE("philox equals Random123 for every counter and key tried") {
  r123::Philox4x32 reference;
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const Words4 counter{{i * 2654435761u, ~i, i * i, i ^ 0x12345678u}};
    const std::uint64_t key = i * 0x9E3779B97F4A7C15ull;
    r123::Philox4x32::ctr_type c{{counter.word[0], counter.word[1], counter.word[2], counter.word[3]}};
    r123::Philox4x32::key_type k{{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)}};
    const auto expected = reference(c, k);
    const Words4 actual = philox4x32_10(counter, key);
    for (unsigned w = 0; w < 4; ++w) REQUIRE(actual.word[w] == expected[w]);
  }
}

TEST_CASE("uniforms stay inside the open unit interval") {
  CHECK(unit_interval(0) > 0.0f);
  CHECK(unit_interval(0xFFFFFFFFu) < 1.0f);
}

TEST_CASE("random_below covers its range and nothing else") {
  std::vector<int> count(7);
  for (std::uint32_t row = 0; row < 7000; ++row) ++count.at(random_below(1, Purpose::test, 0, row, 7));
  // Each count is binomial(7000, 1/7), standard deviation 29.3; six of them leave 1e-8 for a false alarm.
  for (const int c : count) CHECK(std::abs(c - 1000) < 176);
}

TEST_CASE("the nearest name is found, and nothing when none is near") {
  CHECK(nearest_name("widht", {"width", "weight", "height"}) == "width");
  CHECK(nearest_name("ballrun", {"BallRun", "CarRun"}) == "BallRun");
  CHECK(nearest_name("zzzzzz", {"BallRun", "CarRun"}).empty());
}

TEST_CASE("one thing is singular, every other number of things plural") {
  CHECK(counted(0, "row") == "0 rows");
  CHECK(counted(1u, "row") == "1 row");
  CHECK(counted(std::int64_t{-1}, "row") == "-1 rows");
  CHECK(counted(std::size_t{12}, "row") == "12 rows");
}

TEST_CASE("what could command a terminal is spelled, and every other character stays") {
  CHECK(printable("plain \u00e4\u4e2d\U0001F600 \\ \"") == "plain \u00e4\u4e2d\U0001F600 \\ \"");
  CHECK(printable("\x1b[2J\r\n\t\x7f") == "\\x1b[2J\\x0d\\x0a\\x09\\x7f");
  CHECK(printable(std::string_view("\0", 1)) == "\\x00");
  CHECK(printable("\u0080\u009b\u009f") == "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f");
  CHECK(printable("\u00a0") == "\u00a0");  // the first character behind the control codes
  CHECK(printable("a\u202eb\u2066c\u2028d\u200f") ==
        "a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6c\\xe2\\x80\\xa8d\\xe2\\x80\\x8f");
  // No UTF-8: single bytes, a cut, overlong, a surrogate, beyond the last character.
  CHECK(printable("\x9b"
                  "a") == "\\x9ba");
  CHECK(printable("\xff\xfe") == "\\xff\\xfe");
  CHECK(printable("\xe4\xb8") == "\\xe4\\xb8");
  CHECK(printable("\xc0\x9b") == "\\xc0\\x9b");
  CHECK(printable("\xe0\x80\x9b") == "\\xe0\\x80\\x9b");
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
  CHECK(printable(printable("\x1b\x9b")) == printable("\x1b\x9b"));
  CHECK(printable("").empty());
}

TEST_CASE("a message keeps the lines that it sets off, and no line poses as one of ours") {
  CHECK(printable_message("it broke:\n    | Traceback\n    | line 2\n  its last output:") ==
        "it broke:\n    | Traceback\n    | line 2\n  its last output:");
  CHECK(printable_message("a\nerror: b") == "a\\x0aerror: b");
  CHECK(printable_message("a\n  where: b\n   to do: c\n  x\x1b") ==
        "a\\x0a  where: b\\x0a   to do: c\n  x\\x1b");
  CHECK(printable_message("a\n") == "a\\x0a");
}
