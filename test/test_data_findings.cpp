// What data sets show when something went wrong before they were saved, and what whole ones do not show.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "data/check.h"
#include "data/dataset.h"
#include "test/data_support.h"
#include "test/program.h"

using namespace r2pac;

namespace {

/// Twenty episodes of twelve rows, every third of which ends genuinely.
DsrlColumns many_episodes() {
  std::vector<EpisodeShape> shapes;
  for (int e = 0; e < 20; ++e) shapes.push_back({12, e % 3 == 0});
  return make_columns(shapes, 4, 2);
}

/// The fault of `array` whose text has `part`; fails the test when there is none.
Fault fault_with(const DsrlColumns& columns, const std::string& array, const std::string& part) {
  for (const Fault& fault : check_columns(columns))
    if (fault.array == array && fault.what.find(part) != std::string::npos) return fault;
  FAIL("no fault of `" << array << "` says: " << part);
  return {};
}

/// Puts the observation of row `from` into the next observation of row `to`.
void set_next(DsrlColumns& c, std::size_t to, std::size_t from) {
  std::copy_n(c.observations.begin() + static_cast<std::ptrdiff_t>(from) * c.observation_dim,
              c.observation_dim,
              c.next_observations.begin() + static_cast<std::ptrdiff_t>(to) * c.observation_dim);
}

/// Calls visit with the last row of each episode.
template <class Visit>
void for_ends(const DsrlColumns& c, Visit visit) {
  for (std::size_t row = 0; row < c.terminals.size(); ++row)
    if (c.terminals[row] || c.timeouts[row]) visit(row);
}

constexpr auto kError = Fault::Severity::error;
constexpr auto kWarning = Fault::Severity::warning;

}  // namespace

TEST_CASE("whole data show nothing") {
  CHECK(check_columns(many_episodes()).empty());
  CHECK(make_dataset(many_episodes(), "x").warnings.empty());
}

TEST_CASE("an environment that restarts itself: the next episode's start stands at an end") {
  DsrlColumns c = many_episodes();
  SECTION("at every end") {
    for_ends(c, [&](std::size_t row) {
      if (row + 1 < c.terminals.size()) set_next(c, row, row + 1);
    });
    const Fault fault = fault_with(c, "next_observations", "next episode's first observation");
    CHECK(fault.severity == kError);
    CHECK(fault.row == 11);
    CHECK_THAT(fault.what, Catch::Contains("19 rows") && Catch::Contains("of 19"));
  }
  SECTION("only where a step limit cut, which is where it harms") {
    for_ends(c, [&](std::size_t row) {
      if (c.timeouts[row] && row + 1 < c.terminals.size()) set_next(c, row, row + 1);
    });
    CHECK(fault_with(c, "next_observations", "next episode's first observation").severity == kError);
  }
  SECTION("at one end, by chance") {
    set_next(c, 23, 24);
    CHECK(fault_with(c, "next_observations", "next episode's first observation").severity == kWarning);
  }
  CHECK_FALSE(make_dataset(c, "x").warnings.empty());
}

TEST_CASE("an end at which an episode's start stands that is not the next row's") {
  DsrlColumns c = many_episodes();
  const bool own =
      GENERATE(true, false);  // the same episode's, or one of later on, as after shuffling episodes
  const auto start_for = [&](std::size_t end) {
    return own ? end - 11 : (end + 1 + 5 * 12) % c.terminals.size();
  };
  SECTION("at every end") {
    for_ends(c, [&](std::size_t end) { set_next(c, end, start_for(end)); });
    const Fault fault = fault_with(c, "next_observations", "what this or another episode began with");
    CHECK(fault.severity == kError);
    CHECK_THAT(fault.what, Catch::Contains("20 rows") && Catch::Contains("of 20"));
  }
  SECTION("at one end, by chance") {
    set_next(c, 35, start_for(35));
    CHECK(fault_with(c, "next_observations", "what this or another episode began with").severity == kWarning);
  }
}

TEST_CASE("an end that repeats its observation") {
  DsrlColumns c = many_episodes();
  const bool genuine = GENERATE(false, true);
  for_ends(c, [&](std::size_t row) {
    if ((c.terminals[row] != 0) == genuine) set_next(c, row, row);
  });
  const auto faults = check_columns(c);
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].severity == (genuine ? kWarning : kError));
  CHECK_THAT(faults[0].what, Catch::Contains("repeats the observation"));
  CHECK_THAT(faults[0].todo, Catch::Contains(genuine ? "harmless" : "bootstraps"));
}

TEST_CASE("a filler where episodes were cut") {
  DsrlColumns c = many_episodes();
  for_ends(c, [&](std::size_t row) {
    if (c.timeouts[row])
      std::fill_n(c.next_observations.begin() + static_cast<std::ptrdiff_t>(4 * row), 4, 0.0f);
  });
  CHECK(fault_with(c, "next_observations", "the same numbers stand at all 13 ends").severity == kWarning);
}

TEST_CASE("padding: rows in which nothing changes") {
  DsrlColumns c = many_episodes();
  const float filler = GENERATE(0.0f, -1.0f);
  for (std::size_t episode = 0; episode < 20; ++episode)
    for (std::size_t t = 7; t < 12; ++t) {
      const std::size_t row = 12 * episode + t;
      for (std::size_t k = 0; k < 4; ++k)
        c.observations[4 * row + k] = c.next_observations[4 * row + k] = filler;
      for (std::size_t k = 0; k < 2; ++k) c.actions[2 * row + k] = 0;
      c.rewards[row] = c.costs[row] = 0;
    }
  const Fault fault = fault_with(c, "next_observations", "nothing changes");
  CHECK(fault.row == 7);
  CHECK_THAT(fault.what, Catch::Contains("80 rows"));  // and the last row of each episode is an end
  CHECK_THAT(fault.todo, Catch::Contains("padding"));
}

TEST_CASE("no end, or one for many episodes") {
  DsrlColumns c = many_episodes();
  std::fill(c.terminals.begin(), c.terminals.end(), 0);
  std::fill(c.timeouts.begin(), c.timeouts.end(), 0);
  CHECK(fault_with(c, "timeouts", "no row is flagged").severity == kError);
  c.timeouts.back() = 1;
  const Fault one = fault_with(c, "timeouts", "all 240 rows are one episode");
  CHECK(one.severity == kWarning);
  CHECK_THAT(one.todo, Catch::Contains("--episode-steps"));
}

TEST_CASE("episodes that were joined: the observation jumps to where episodes start") {
  DsrlColumns c = many_episodes();
  std::vector<float> state(4);  // moves a little in each row, and starts anywhere
  std::uint32_t draw = 0;
  const auto uniform = [&] { return 2 * random_uniform(7, Purpose::test, 0, draw++, 0) - 1; };
  for (std::size_t row = 0; row < 240; ++row)
    for (std::size_t k = 0; k < 4; ++k) {
      if (row % 12 == 0) state[k] = uniform();
      c.observations[4 * row + k] = state[k];
      c.next_observations[4 * row + k] = state[k] += 0.02f * uniform();
    }
  REQUIRE(check_columns(c).empty());
  const auto join = [&](std::size_t row) {
    c.terminals[row] = c.timeouts[row] = 0;
    set_next(c, row, row + 1);
  };
  SECTION("a third of the ends is left") {
    for (std::size_t episode = 0; episode + 1 < 20; ++episode)
      if (episode % 3 != 0) join(12 * episode + 11);
    const Fault fault = fault_with(c, "timeouts", "jumps to where episodes start");
    CHECK(fault.severity == kWarning);
    CHECK(fault.row % 12 == 11);
  }
  SECTION("all are one") {
    for (std::size_t episode = 0; episode + 1 < 20; ++episode) join(12 * episode + 11);
    const Fault fault = fault_with(c, "timeouts", "are one episode, and the observation jumps after");
    CHECK(fault.severity == kError);
  }
}

TEST_CASE("one episode in which a robot strikes out once is no join of several") {
  DsrlColumns c = make_columns({{1000, false}}, 4, 2);
  const auto fill = [&](bool restarts) {
    for (std::size_t row = 0; row <= 1000; ++row)
      for (std::size_t k = 0; k < 4; ++k) {
        // A slow circle, of which a part passes between two rows: to a place unlike the start, or to the
        // start.
        const double angle = 0.005 * static_cast<double>(restarts && row >= 500 ? row - 500 : row) +
                             (!restarts && row >= 500 ? 1.5 : 0.0) + static_cast<double>(k);
        const auto value = static_cast<float>(std::sin(angle));
        if (row < 1000) c.observations[4 * row + k] = value;
        if (row > 0) c.next_observations[4 * (row - 1) + k] = value;
      }
  };
  fill(false);
  CHECK(fault_with(c, "timeouts", "all 1000 rows are one episode").severity == kWarning);
  fill(true);
  CHECK_THAT(
      fault_with(c, "timeouts", "all 1000 rows are one episode, and the observation jumps after 1 row").todo,
      Catch::Contains("--episode-steps"));
}

TEST_CASE("rows in no order are refused by whatever trains, and named by what checks") {
  DsrlColumns c = many_episodes();
  DsrlColumns shuffled = c;
  for (std::size_t row = 0; row < 240; ++row) {
    const std::size_t from = row * 77 % 240;  // each row once
    for (std::size_t k = 0; k < 4; ++k) {
      shuffled.observations[4 * row + k] = c.observations[4 * from + k];
      shuffled.next_observations[4 * row + k] = c.next_observations[4 * from + k];
    }
    shuffled.terminals[row] = c.terminals[from];
    shuffled.timeouts[row] = c.timeouts[from];
  }
  CHECK(fault_with(shuffled, "next_observations", "in no order").refused);
  CHECK_THROWS_WITH(make_dataset(shuffled, "x"), Catch::Contains("219 of 219 rows inside episodes"));
}

TEST_CASE("a number that is none is one fault, not also a row that does not follow") {
  DsrlColumns c = many_episodes();
  c.observations[4 * 17 + 2] = std::numeric_limits<float>::quiet_NaN();
  const auto faults = check_columns(c);
  REQUIRE(faults.size() == 1);
  CHECK_THAT(faults[0].what, Catch::Contains("NaN or infinity in 1 row"));
}

TEST_CASE("next observations of another precision are told from wrong ones by the greatest difference") {
  DsrlColumns c = many_episodes();
  for (float& x : c.next_observations) x = std::round(x * 1024) / 1024;
  const Fault rounded = fault_with(c, "next_observations", "rounded");
  CHECK(rounded.severity == kWarning);
  CHECK_FALSE(rounded.refused);
  CHECK(make_dataset(c, "x").warnings.size() == 1);
  c.next_observations[4] += 0.5f;
  const Fault wrong = fault_with(c, "next_observations", "the greatest difference is 0.");
  CHECK(wrong.severity == kError);
}

TEST_CASE("actions that are choices") {
  DsrlColumns c = many_episodes();
  const auto fill = [&](auto value) {
    for (std::size_t i = 0; i < c.actions.size(); ++i) c.actions[i] = value(i);
  };
  const auto bit = [](std::size_t i) { return i * 2654435761u >> 7 & 1; };
  SECTION("two values") {
    fill([&](std::size_t i) { return bit(i) != 0 ? 1.0f : -1.0f; });
    CHECK_THAT(fault_with(c, "actions", "choices").what, Catch::Contains("only the values -1 and 1"));
  }
  SECTION("one component of each row") {
    fill([&](std::size_t i) { return bit(i / 2) == i % 2 ? 1.0f : 0.0f; });
    CHECK_THAT(fault_with(c, "actions", "choices").what,
               Catch::Contains("one component of each row is 1 and the others are 0"));
  }
  SECTION("three values") {
    fill([&](std::size_t i) { return static_cast<float>(i % 3) - 1; });
    CHECK_THAT(fault_with(c, "actions", "choices").what, Catch::Contains("-1, 0 and 1"));
  }
  SECTION("an actuator that is often at its limit is no choice") {
    fill([&](std::size_t i) {
      return i % 5 == 0 ? std::sin(static_cast<float>(i)) : bit(i) != 0 ? 1.0f : -1.0f;
    });
    CHECK(check_columns(c).empty());
  }
}

TEST_CASE("actions a rounding error beyond 1 are inside, and larger ones are printed with all digits") {
  DsrlColumns c = many_episodes();
  c.actions[7] = std::nextafter(1.0f, 2.0f);
  CHECK(check_columns(c).empty());
  CHECK(make_dataset(c, "x").actions[7] == 1.0f);
  c.actions[7] = 1.00001f;
  CHECK_THAT(fault_with(c, "actions", "outside").what, Catch::Contains("1.00001"));
}

TEST_CASE("rewards and costs that are sums over steps") {
  DsrlColumns c = many_episodes();
  const std::string array = GENERATE("rewards", "costs");
  std::vector<float>& column = array == "rewards" ? c.rewards : c.costs;
  SECTION("from the start of each episode") {
    float sum = 0;
    for (std::size_t row = 0; row < column.size(); ++row)
      column[row] = sum = (row % 12 == 0 ? 0 : sum) + std::abs(column[row]);
    CHECK(fault_with(c, array, "running sums").severity == kWarning);
  }
  SECTION("over the whole episode, in each of its rows") {
    for (std::size_t row = 0; row < column.size(); ++row) column[row] = static_cast<float>(row / 12 % 5);
    CHECK(fault_with(c, array, "the same in all rows of an episode").severity == kWarning);
  }
  SECTION("a price of the last step alone is no sum") {
    for (std::size_t row = 0; row < column.size(); ++row)
      column[row] = row % 12 == 11 ? static_cast<float>(row % 7) : 0.0f;
    CHECK(check_columns(c).empty());
  }
  SECTION("one episode in which every step costs is none, either") {
    for (std::size_t row = 0; row < column.size(); ++row)
      column[row] = row / 12 == 3 ? 1.0f : static_cast<float>(row % 3);
    CHECK(check_columns(c).empty());
  }
}

TEST_CASE("every verb that reads data says what is odd about them") {
  const ScratchFolder folder;
  DsrlColumns c = make_columns({{30, false}, {30, false}, {30, true}});
  set_next(c, 29, 30);
  set_next(c, 59, 60);
  const std::string data = folder / "restarted.hdf5", run = folder / "run",
                    named = folder / "SafetyCarRun-v0-40-651.hdf5";
  write_dsrl(data, c);
  const std::string says = "next episode's first observation";
  const auto err_of = [&](std::vector<std::string> arguments) {
    const ProgramResult result = run_program(std::move(arguments));
    INFO(result.err);
    CHECK(result.status == 0);
    return result.err;
  };
  CHECK_THAT(err_of({"train", "--data", data, "--out", run, "--hidden", "8", "--batch", "8", "--steps", "2",
                     "--quiet"}),
             Catch::Contains(says));
  CHECK_THAT(err_of({"values", run, "--data", data, "-o", folder / "values.csv"}), Catch::Contains(says));
  CHECK_THAT(err_of({"diagnose", run, "--data", data}), Catch::Contains(says));
  CHECK_THAT(err_of({"data", "info", data}), Catch::Contains(says));
  const ProgramResult converted = run_program({"data", "convert", data, "-o", named});
  CHECK_THAT(converted.out,
             Catch::Contains(says) && Catch::Contains("those of task CarRun are observation 7, action 2"));
  const ProgramResult checked = run_program({"data", "check", named});
  CHECK(checked.status == static_cast<int>(ExitCode::data));
  CHECK_THAT(checked.out, Catch::Contains(says) && Catch::Contains("those of task CarRun"));
  CHECK_THAT(err_of({"train", "--data", named, "--out", folder / "other", "--hidden", "8", "--batch", "8",
                     "--steps", "2", "--quiet"}),
             Catch::Contains("those of task CarRun"));
}
