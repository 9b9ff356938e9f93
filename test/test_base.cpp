// Random numbers against Random123, and the suggestion of names.
#include <Random123/philox.h>

#include <catch2/catch.hpp>

#include "base/nearest.h"
#include "base/philox.h"

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
