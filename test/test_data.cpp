// Data sets: files written and read again, episodes, windows, contents that are faulty, statistics.
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>

#include "data/check.h"
#include "data/dataset.h"
#include "test/data_support.h"

using namespace r2pac;

namespace {

bool same(const DsrlColumns& a, const DsrlColumns& b) {
  return a.rows == b.rows && a.observation_dim == b.observation_dim && a.action_dim == b.action_dim &&
         a.observations == b.observations && a.next_observations == b.next_observations &&
         a.actions == b.actions && a.rewards == b.rewards && a.costs == b.costs &&
         a.terminals == b.terminals && a.timeouts == b.timeouts;
}

DsrlColumns good_columns() { return make_columns({{12, false}, {5, true}, {20, false}}); }

/// The only fault of `columns`, which must be one.
Fault only_fault(const DsrlColumns& columns, int chunk_length = 5) {
  const auto faults = check_columns(columns, chunk_length);
  REQUIRE(faults.size() == 1);
  return faults[0];
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("what is written is read again, and the same columns give the same bytes") {
  const ScratchFolder folder;
  // 70000 rows make several chunks and several pieces of decoding work, of uneven size.
  const DsrlColumns columns = make_columns({{69000, false}, {1000, true}, {3, false}}, 5, 1);
  write_dsrl(folder / "a.hdf5", columns);
  write_dsrl(folder / "b.hdf5", columns);
  CHECK(same(read_dsrl(folder / "a.hdf5"), columns));
  CHECK(bytes_of_file(folder / "a.hdf5") == bytes_of_file(folder / "b.hdf5"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder / ""), {}) == 2);  // no temporary is left

  const Dataset read = load_dataset(folder / "a.hdf5"), made = make_dataset(columns, "somewhere/a.hdf5");
  CHECK(read.fingerprint == made.fingerprint);
  CHECK(read.observations == made.observations);
  CHECK(read.name == "a");
}

TEST_CASE("a file that cannot be written is a disk error, and the old one stays") {
  const ScratchFolder folder;
  const auto code_of = [&](const std::string& path) {
    try {
      write_dsrl(path, good_columns());
    } catch (const Error& error) {
      CHECK(error.where() == path);
      return error.code();
    }
    return ExitCode::ok;
  };
  CHECK(code_of(folder / "missing/a.hdf5") == ExitCode::disk);
  std::filesystem::create_directory(folder / "taken");
  CHECK(code_of(folder / "taken") == ExitCode::disk);
  CHECK(std::distance(std::filesystem::directory_iterator(folder / ""), {}) == 1);

  write_dsrl(folder / "kept.hdf5", good_columns());
  const std::string before = bytes_of_file(folder / "kept.hdf5");
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{1000, limit.rlim_max};  // stands for a disk with 1000 bytes left
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const ExitCode full = code_of(folder / "kept.hdf5");
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  CHECK(full == ExitCode::disk);
  CHECK(bytes_of_file(folder / "kept.hdf5") == before);
  CHECK(std::distance(std::filesystem::directory_iterator(folder / ""), {}) == 2);
  DsrlColumns uneven = good_columns();
  uneven.costs.pop_back();
  CHECK_THROWS_AS(write_dsrl(folder / "a.hdf5", uneven), InvalidArgument);
}

TEST_CASE("the fingerprint depends on every array and on the shapes, not on the file") {
  const DsrlColumns columns = good_columns();
  const std::string original = make_dataset(columns, "x").fingerprint;
  CHECK(original.size() == 32);
  CHECK(make_dataset(columns, "y", 3).fingerprint == original);
  const auto changed = [&](auto change) {
    DsrlColumns other = columns;
    change(other);
    return make_dataset(other, "x").fingerprint;
  };
  CHECK(changed([](DsrlColumns& c) { c.observations[7] += 1; }) != original);
  CHECK(changed([](DsrlColumns& c) { c.next_observations[7] += 1; }) != original);
  CHECK(changed([](DsrlColumns& c) { c.actions[7] = 0; }) != original);
  CHECK(changed([](DsrlColumns& c) { c.rewards[7] += 1; }) != original);
  CHECK(changed([](DsrlColumns& c) { c.costs[7] += 1; }) != original);
  CHECK(changed([](DsrlColumns& c) { c.terminals[7] = 1; }) != original);
  CHECK(changed([](DsrlColumns& c) { c.timeouts[7] = 1; }) != original);
  CHECK(changed([](DsrlColumns& c) { std::swap(c.rewards, c.costs); }) != original);
}

TEST_CASE("closing rows hold the state an episode ended in") {
  const DsrlColumns columns = good_columns();
  const int closing = GENERATE(1, 4);
  const Dataset d = make_dataset(columns, "x", closing);
  REQUIRE(d.episodes.size() == 3);
  CHECK(d.stored_rows == 37 + 3 * closing);
  CHECK(d.rewards.size() == static_cast<std::size_t>(d.stored_rows));
  CHECK(d.warnings.empty());
  std::int64_t row = 0;  // of the file
  for (const Episode& episode : d.episodes) {
    for (std::int64_t t = 0; t < episode.length + closing; ++t) {
      const auto stored = static_cast<std::size_t>(episode.first + t);
      const bool closes = t >= episode.length;
      const auto source = static_cast<std::size_t>(row + std::min(t, episode.length - 1));
      for (std::size_t k = 0; k < 3; ++k)
        CHECK(d.observations[stored * 3 + k] ==
              (closes ? columns.next_observations : columns.observations)[source * 3 + k]);
      for (std::size_t k = 0; k < 2; ++k)
        CHECK(d.actions[stored * 2 + k] == (closes ? 0 : columns.actions[source * 2 + k]));
      CHECK(d.rewards[stored] == (closes ? 0 : columns.rewards[source]));
      CHECK(d.costs[stored] == (closes ? 0 : columns.costs[source]));
      CHECK(d.terminals[stored] == columns.terminals[source]);
    }
    row += episode.length;
  }
  CHECK(d.episodes[1].terminal);
  CHECK_FALSE(d.episodes[2].terminal);
}

TEST_CASE("windows equal a search row by row on random episodes") {
  for (std::uint32_t round = 0; round < 300; ++round) {
    const auto below = [&](std::uint32_t lane, std::uint32_t bound) {
      return static_cast<int>(random_below(round, Purpose::test, 1, lane, bound));
    };
    std::vector<EpisodeShape> shapes;
    for (int e = 0; e < 1 + below(0, 8); ++e) {
      const auto lane = static_cast<std::uint32_t>(3 * e);
      shapes.push_back({1 + below(lane + 1, 12), below(lane + 2, 2) == 1});
    }
    if (below(100, 3) == 0) shapes.back().finished = false;
    const int h = 1 + below(101, 6);
    const bool pad = below(102, 2) == 1;
    const DsrlColumns columns = make_columns(shapes, 2, 1, round);
    const Dataset d = make_dataset(columns, "x", pad ? h : 1);

    // From the flags of the file alone: row t starts a window when no episode ends before its last row, or
    // when padding is on and the first end in it is genuine.
    std::vector<std::uint32_t> expected;
    std::uint32_t ended = 0;  // episodes before row t
    for (std::int64_t t = 0; t < columns.rows; ++t) {
      bool valid = true;
      for (std::int64_t k = t; k < t + h; ++k) {
        if (k >= columns.rows) valid = false;
        if (k >= columns.rows) break;
        const auto row = static_cast<std::size_t>(k);
        if (k + 1 < t + h && (columns.terminals[row] || columns.timeouts[row])) {
          valid = pad && columns.terminals[row];
          break;
        }
      }
      if (valid)
        expected.push_back(static_cast<std::uint32_t>(t) +
                           ended * static_cast<std::uint32_t>(d.closing_rows));
      ended +=
          columns.terminals[static_cast<std::size_t>(t)] || columns.timeouts[static_cast<std::size_t>(t)];
    }
    if (expected.empty()) {
      CHECK_THROWS_WITH(window_starts(d, h, pad), Catch::Contains("zero valid windows"));
    } else {
      REQUIRE(window_starts(d, h, pad) == expected);
      CHECK(static_cast<std::int64_t>(expected.back()) + h < d.stored_rows);  // the successor is stored
    }
  }
}

TEST_CASE("episodes kept aside are the asked share, and the same ones every time") {
  for (const auto& [episodes, share, expected] :
       {std::tuple{0, 0.5, 0}, {1, 0.5, 0}, {2, 0.01, 1}, {10, 0.0, 0}, {10, 0.1, 1}, {1000, 0.25, 250}}) {
    const std::vector<bool> held = held_out_episodes(static_cast<std::size_t>(episodes), share);
    CHECK(held.size() == static_cast<std::size_t>(episodes));
    CHECK(std::count(held.begin(), held.end(), true) == expected);
    CHECK(held == held_out_episodes(static_cast<std::size_t>(episodes), share));
  }
  const std::vector<bool> few = held_out_episodes(500, 0.1), more = held_out_episodes(500, 0.3);
  for (std::size_t e = 0; e < 500; ++e) CHECK(more[e] >= few[e]);  // a larger share keeps these, too
}

TEST_CASE("no window at all names the longest episode and the chunk length") {
  const Dataset d = make_dataset(make_columns({{3, false}, {4, true}}), "short.hdf5");
  try {
    window_starts(d, 5);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::data);
    CHECK(std::string(error.what()) ==
          "zero valid windows: the longest episode has 4 rows, the chunk length is 5");
    CHECK(error.where() == "short.hdf5");
  }
  CHECK_THROWS_AS(window_starts(d, 0), InvalidArgument);
  CHECK_THROWS_AS(window_starts(d, 2, true), InvalidArgument);  // padding needs two closing rows
}

TEST_CASE("ends of every kind") {
  DsrlColumns columns = make_columns({{6, false}, {1, true}, {7, true}});
  SECTION("both flags at once count as genuine") {
    columns.timeouts[6] = 1;
    CHECK(make_dataset(columns, "x").episodes[1].terminal);
    const Fault fault = only_fault(columns);
    CHECK(fault.severity == Fault::Severity::warning);
    CHECK(fault.row == 6);
  }
  SECTION("an unfinished last episode is kept as if cut") {
    columns.terminals[13] = 0;
    const Dataset d = make_dataset(columns, "x");
    CHECK_FALSE(d.episodes[2].finished);
    CHECK_FALSE(d.episodes[2].terminal);
    CHECK(d.warnings.size() == 1);
    const Fault fault = only_fault(columns);
    CHECK(fault.severity == Fault::Severity::warning);
    CHECK(contains(fault.what, "unfinished"));
    CHECK(fault.row == 7);
  }
  SECTION("no end at all") {
    columns = make_columns({{14, false, false}});
    CHECK(make_dataset(columns, "x").episodes.size() == 1);
    CHECK(contains(only_fault(columns).what, "no row is flagged"));
  }
}

TEST_CASE("NaN and infinity are named by array and row, and refused") {
  struct Case {
    const char* array;
    std::vector<float> DsrlColumns::*member;
    std::size_t index;
    std::int64_t row;
  };
  const float bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity());
  for (const Case& c :
       {Case{"observations", &DsrlColumns::observations, 3 * 12 + 1, 12},
        Case{"next_observations", &DsrlColumns::next_observations, 3 * 36 + 2, 36},
        Case{"actions", &DsrlColumns::actions, 2 * 36, 36}, Case{"rewards", &DsrlColumns::rewards, 0, 0},
        Case{"costs", &DsrlColumns::costs, 5, 5}}) {
    DsrlColumns columns = good_columns();
    (columns.*c.member)[c.index] = bad;
    const auto faults = check_columns(columns);
    REQUIRE_FALSE(faults.empty());
    CHECK(faults[0].severity == Fault::Severity::error);
    CHECK(faults[0].array == c.array);
    CHECK(faults[0].row == c.row);
    CHECK(contains(faults[0].what, "NaN or infinity"));
    CHECK_THROWS_WITH(make_dataset(columns, "x"),
                      Catch::Contains(c.array) && Catch::Contains("(first: " + std::to_string(c.row) + ")"));
  }
}

TEST_CASE("faults of the contents, one by one") {
  DsrlColumns columns = good_columns();
  CHECK(check_columns(columns).empty());
  SECTION("action outside [-1, 1]") {
    columns.actions[2 * 9] = -1.5f;
    const Fault fault = only_fault(columns);
    CHECK(fault.severity == Fault::Severity::error);
    CHECK(fault.array == "actions");
    CHECK(fault.row == 9);
    CHECK(contains(fault.what, "1.5"));
    const Dataset d = make_dataset(columns, "x");
    CHECK(d.actions[2 * 9] == -1.0f);
    CHECK(d.warnings.size() == 1);
  }
  SECTION("actions of exactly one are inside") {
    columns.actions[2 * 9] = -1.0f;
    columns.actions[2 * 9 + 1] = 1.0f;
    CHECK(check_columns(columns).empty());
  }
  SECTION("next observation that does not match") {
    columns.next_observations[3 * 4 + 2] += 0.01f;
    columns.next_observations[3 * 5] += 0.01f;
    const Fault fault = only_fault(columns);
    CHECK(fault.severity == Fault::Severity::error);
    CHECK(fault.array == "next_observations");
    CHECK(fault.row == 4);
    CHECK(contains(fault.what, "2 rows"));
    CHECK(make_dataset(columns, "x").warnings.size() == 1);
  }
  SECTION("the last next observation of an episode has nothing to match") {
    columns.next_observations[3 * 11] += 0.01f;
    CHECK(check_columns(columns).empty());
  }
  SECTION("constant columns") {
    for (std::size_t row = 0; row < 37; ++row)
      columns.observations[3 * row + 1] = columns.next_observations[3 * row + 1] = 7;
    for (float& cost : columns.costs) cost = 0;
    const auto faults = check_columns(columns);
    REQUIRE(faults.size() == 2);
    CHECK(faults[0].array == "observations");
    CHECK(contains(faults[0].what, "column 1 is constant"));
    CHECK(faults[1].array == "costs");
    CHECK(faults[1].severity == Fault::Severity::warning);
  }
  SECTION("negative costs") {
    columns.costs[30] = -1;
    CHECK(only_fault(columns).row == 30);
  }
  SECTION("zero windows") {
    const Fault fault = only_fault(columns, 21);
    CHECK(fault.severity == Fault::Severity::error);
    CHECK(contains(fault.what, "longest episode has 20 rows"));
  }
  SECTION("sizes that do not fit") {
    columns.rewards.pop_back();
    CHECK(contains(only_fault(columns).what, "rewards"));
    CHECK(only_fault(DsrlColumns{}).severity == Fault::Severity::error);
  }
}

TEST_CASE("statistics of a data set worked by hand") {
  DsrlColumns columns = make_columns({{2, false}, {4, true}, {3, false}, {1, false, false}});
  columns.rewards = {1, 2, 0, 0, 0, 4, -1, -1, -1, 10};  // returns 3, 4, -3, 10
  columns.costs = {0, 1, 1, 1, 1, 1, 0, 0, 0, 2};        // costs 1, 4, 0, 2
  const DataSummary s = summarize(columns, 1.0, 3);
  CHECK(s.rows == 10);
  CHECK(s.episodes == 4);
  CHECK(s.windows == 3);
  CHECK(s.terminal_episodes == 1);
  CHECK(s.timeout_episodes == 2);
  CHECK(s.unfinished);
  CHECK(s.share_within_limit == 0.5);
  CHECK(s.episode_return.min == -3);
  CHECK(s.episode_return.lower == 1.5);  // between -3 and 3
  CHECK(s.episode_return.median == 3.5);
  CHECK(s.episode_return.upper == 5.5);  // between 4 and 10
  CHECK(s.episode_return.max == 10);
  CHECK(s.episode_return.mean == 3.5);
  CHECK(s.episode_cost.median == 1.5);
  CHECK(s.length.max == 4);
  CHECK(s.ranges[3].name == "rewards");
  CHECK(s.ranges[3].min == -1);
  CHECK(s.ranges[3].max == 10);
  CHECK(s.ranges[3].mean == Approx(1.4));
  columns.rewards[0] = std::numeric_limits<float>::quiet_NaN();
  const DataSummary faulty = summarize(columns, 1.0, 3);
  CHECK(faulty.ranges[3].not_finite == 1);
  CHECK(faulty.ranges[3].max == 10);
  CHECK(std::isnan(faulty.episode_return.median));
}
