// The demo's figure and the built-in data sets as files.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "envs/reach_avoid.h"
#include "report/cost_map.h"
#include "report/reach_avoid_figure.h"
#include "tools/data_make.h"

using namespace r2pac;

namespace {

// A folder whose name would break a carelessly quoted script.
struct OddFolder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("r2pac 'odd\" $name; " + std::to_string(getpid()));
  OddFolder() { std::filesystem::create_directories(path); }
  ~OddFolder() { std::filesystem::remove_all(path); }
};

ReachAvoidFigure small_figure() {
  const DrawnPolicy policy{.name = "it's {_one}",
                           .returns = {7, 8},
                           .costs = {0, 9},
                           .paths = {{-0.8f, 0, 0, 0.8f, 0.8f, 0}, {-0.8f, 0.2f}}};
  return {.data = {.returns = {1, 5, 9}, .costs = {0, 20, 8}},
          .cost_limit = 5,
          .policies = {policy, policy, policy, policy},
          .estimator = "it's {_one}",
          .map = {.size = 3,
                  .values = {0, 8, 0, 0, 6, 0, 0, 1, 0},
                  .threshold = 2,
                  .coverage = {0, 1, 1, 0.5f, 1, 1, 1, 1, 0}}};
}

std::string beginning(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(8, '\0');
  file.read(bytes.data(), 8);
  return bytes;
}

}  // namespace

TEST_CASE("the figure is a PNG file, whatever its folder is called") {
  const OddFolder folder;
  const std::filesystem::path png = folder.path / "figure.png";
  draw_reach_avoid_figure(png.string(), small_figure());
  CHECK(beginning(png) == "\x89PNG\r\n\x1a\n");
  CHECK(std::filesystem::file_size(png) > 10000);
}

TEST_CASE("a map that never meets the threshold is drawn without its line") {
  const OddFolder folder;
  ReachAvoidFigure figure = small_figure();
  figure.map.threshold = 100;
  CHECK_NOTHROW(draw_reach_avoid_figure((folder.path / "above.png").string(), figure));
  figure.map.values.assign(9, 0.0f);
  CHECK_NOTHROW(draw_reach_avoid_figure((folder.path / "flat.png").string(), figure));
}

TEST_CASE("a map fades where no data support it") {
  const OddFolder folder;
  const auto drawn = [&](const std::vector<float>& coverage) {
    ReachAvoidFigure figure = small_figure();
    figure.map.coverage = coverage;
    const std::filesystem::path png = folder.path / "fade.png";
    draw_reach_avoid_figure(png.string(), figure);
    std::ifstream file(png, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(file)), {});
  };
  CHECK(drawn({}) != drawn(std::vector<float>(9, 0.0f)));
  CHECK(drawn(std::vector<float>(9, 0.5f)) != drawn(std::vector<float>(9, 1.0f)));
}

TEST_CASE("data support a map near recorded states that drive to the right") {
  const auto at = [](float x, float y, Vec2 velocity, int times) {
    Dataset data;
    data.observation_dim = reach_avoid::kObservationDim;
    for (int i = 0; i < times; ++i) {
      const auto o = reach_avoid::observation({{x, y}, velocity});
      data.observations.insert(data.observations.end(), o.begin(), o.end());
    }
    return data;
  };
  const Vec2 right{0.9f * reach_avoid::kTopSpeed, 0};
  const std::vector<float> many = arena_coverage(at(0, 0.5f, right, 50));
  const auto point = [](const std::vector<float>& map, float x, float y) {  // 81 x 81 points, 0.025 apart
    return map[static_cast<std::size_t>(std::lround((y + 1) / 0.025f) * 81 + std::lround((x + 1) / 0.025f))];
  };
  REQUIRE(many.size() == 81 * 81);
  CHECK(point(many, 0, 0.5f) > 0.99f);
  CHECK(point(many, 0.05f, 0.5f) > 0.95f);
  CHECK(point(many, 0.5f, 0) == 0);  // x and y are not interchanged
  CHECK(point(many, 0.3f, 0.5f) == 0);
  const std::vector<float> one = arena_coverage(at(0, 0.5f, right, 1));
  CHECK(point(one, 0, 0.5f) == Approx(1 - std::exp(-0.2)));
  CHECK(point(arena_coverage(at(0, 0.5f, {}, 50)), 0, 0.5f) < 0.5f);  // at rest: not what the map asks about
  CHECK(point(arena_coverage(at(1, -1, right, 50)), 1, -1) > 0.99f);
  Dataset foreign = at(0, 0, right, 1);
  foreign.observation_dim = 3;
  CHECK_THROWS_AS(arena_coverage(foreign), InvalidArgument);
}

TEST_CASE("sizes that do not fit are refused") {
  ReachAvoidFigure figure = small_figure();
  figure.map.values.pop_back();
  CHECK_THROWS_AS(draw_reach_avoid_figure("unused.png", figure), InvalidArgument);
  figure = small_figure();
  figure.map.coverage.pop_back();
  CHECK_THROWS_AS(draw_reach_avoid_figure("unused.png", figure), InvalidArgument);
  figure = small_figure();
  figure.data.costs.pop_back();
  CHECK_THROWS_AS(draw_reach_avoid_figure("unused.png", figure), InvalidArgument);
  figure = small_figure();
  figure.policies[3].paths[0].pop_back();
  CHECK_THROWS_AS(draw_reach_avoid_figure("unused.png", figure), InvalidArgument);
}

TEST_CASE("a moving picture has a frame for every second step, panels side by side, and repeats") {
  const OddFolder folder;
  const std::filesystem::path gif = folder.path / "moving.gif";
  // 11 and 5 steps after the start: the longer one tells how long it lasts.
  std::vector<float> through, aside;
  for (int i = 0; i <= 11; ++i) through.insert(through.end(), {-0.6f + 0.1f * static_cast<float>(i), 0.3f});
  for (int i = 0; i <= 5; ++i) aside.insert(aside.end(), {-0.9f, 0.1f * static_cast<float>(i)});
  animate_reach_avoid({gif.string()}, {{"it's one", {through, aside}}, {"two", {aside}}});
  std::ifstream file(gif, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  CHECK(bytes.substr(0, 6) == "GIF89a");
  const auto two = [&](std::size_t at) {
    return static_cast<unsigned char>(bytes[at]) + 256 * static_cast<unsigned char>(bytes[at + 1]);
  };
  CHECK(two(6) == 2 * 300 + 3 * 12);
  CHECK(two(8) == 300 + 34 + 12);
  std::size_t frames =
      0;  // each begins with a graphic control extension; the delay of 7 makes it unlikely elsewhere
  const std::string delay("\x07\x00", 2);
  for (std::size_t at = bytes.find("\x21\xf9\x04"); at != std::string::npos;
       at = bytes.find("\x21\xf9\x04", at + 1))
    frames += bytes.compare(at + 4, 2, delay) == 0;
  CHECK(frames == 6);
  CHECK(bytes.find("NETSCAPE2.0") != std::string::npos);

  CHECK_THROWS_AS(animate_reach_avoid({"unused.gif"}, {}), InvalidArgument);
  CHECK_THROWS_AS(animate_reach_avoid({"unused.gif"}, {{"none", {}}}), InvalidArgument);
  through.pop_back();
  CHECK_THROWS_AS(animate_reach_avoid({"unused.gif"}, {{"odd", {through}}}), InvalidArgument);
}

TEST_CASE("a missing gnuplot is named with its package") {
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/nowhere", 1);
  try {
    draw_reach_avoid_figure("unused.png", small_figure());
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::disk);
    CHECK(error.todo() == "install the package gnuplot-nox");
  }
  setenv("PATH", path.c_str(), 1);
}

TEST_CASE("the columns made are whole episodes that read back as written") {
  const OddFolder folder;
  const std::string file = (folder.path / "data.hdf5").string();
  CHECK(run_data_make_reach_avoid(file, 3, 7) == 0);
  const DsrlColumns made = reach_avoid_columns(3, 7), read = read_dsrl(file);
  CHECK(made.rows == 300);
  CHECK(read.rows == 300);
  CHECK(read.observations == made.observations);
  CHECK(read.next_observations == made.next_observations);
  CHECK(read.actions == made.actions);
  CHECK(read.rewards == made.rewards);
  CHECK(read.costs == made.costs);
  CHECK(read.terminals == made.terminals);
  CHECK(read.timeouts == made.timeouts);
  for (std::size_t row = 0; row < 300; ++row) {
    REQUIRE(made.timeouts[row] == (row % 100 == 99 ? 1 : 0));
    REQUIRE(made.terminals[row] == 0);
  }
  // Inside an episode a row's successor is the next row.
  CHECK(std::equal(made.next_observations.begin(), made.next_observations.begin() + 99 * 7,
                   made.observations.begin() + 7));
  CHECK_THROWS_AS(reach_avoid_columns(0, 0), Error);
  CHECK_THROWS_AS(reach_avoid_columns(100001, 0), Error);
}
