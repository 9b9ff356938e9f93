// `r2pac report` as a user sees it: files, pictures, messages.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "base/error.h"
#include "report/chart.h"
#include "report/composition.h"
#include "report/gnuplot.h"
#include "report/scatter.h"
#include "small_run.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Width and height of a PNG file; {0, 0} if it is none.
std::pair<unsigned, unsigned> png_size(const std::string& path) {
  const std::string bytes = content(path);
  if (bytes.size() < 24 || !bytes.starts_with("\x89PNG\r\n\x1a\n")) return {0, 0};
  const auto word = [&](std::size_t at) {
    unsigned value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  };
  return {word(16), word(20)};
}

void check_picture(const std::string& stem) {
  INFO(stem);
  const auto [width, height] = png_size(stem + ".png");
  CHECK(width > 400);
  CHECK(height > 200);
  CHECK(content(stem + ".pdf").starts_with("%PDF-"));
}

/// PATH without gnuplot, while it lives.
struct NoPrograms {
  std::string path = std::getenv("PATH");
  NoPrograms() { setenv("PATH", "/nowhere", 1); }
  ~NoPrograms() { setenv("PATH", path.c_str(), 1); }
};

}  // namespace

TEST_CASE("runs of two seeds become tables and pictures") {
  const SmallRun fixture;
  std::vector<std::string> runs;
  for (const char* seed : {"1", "2"}) {
    runs.push_back(fixture.path(std::string("run ") + seed));
    REQUIRE(run_program(fixture.train({"--schedule", "joint", "--seed", seed, "--out", runs.back(),
                                       "--eval-env", "reach-avoid", "--eval-every", "20", "--eval-episodes",
                                       "2", "--set", "log_every=10", "--set", "flow_steps=2"}))
                .status == 0);
  }
  const std::string out = fixture.path("report");
  const auto report = [&](std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"report", runs[0], runs[1], "-o", out});
    return run_program(more);
  };

  // Scored only on the way: the last scores are reported and marked.
  const ProgramResult on_the_way = report();
  CHECK(on_the_way.status == 0);
  CHECK(has(on_the_way.err,
            "note: " + runs[0] + " was scored only while it trained; its row is of 2 episodes"));
  CHECK(has(content(out + "/table.csv"), "\nReachAvoid,,last (while training),2,"));
  CHECK(has(content(out + "/table.md"), "(while training): the last score that a run made on its way"));
  CHECK(has(content(out + "/evaluations.csv"), runs[1] + "/evaluations.jsonl"));
  CHECK(std::ranges::count(content(out + "/episodes.csv"), '\n') == 1);  // of them nothing but means is known
  check_picture(out + "/scores-ReachAvoid");
  fs::remove_all(out);

  // Not scored at all: the curves are drawn, and the message says what is missing.
  for (const std::string& run : runs) fs::rename(run + "/evaluations.jsonl", run + "/put aside");
  const ProgramResult unscored = report();
  CHECK(unscored.status == 2);
  CHECK(has(unscored.err, "r2pac eval " + runs[0]));
  CHECK(!fs::exists(out + "/learning-ReachAvoid.png"));
  check_picture(out + "/training-ReachAvoid");
  CHECK(!fs::exists(out + "/table.md"));
  fs::remove_all(out);
  for (const std::string& run : runs) fs::rename(run + "/put aside", run + "/evaluations.jsonl");

  for (const std::string& run : runs)
    REQUIRE(run_program({"eval", run, "--episodes", "3", "--flow-steps", "2"}).status == 0);
  const ProgramResult scored = report();
  CHECK(scored.status == 0);
  CHECK(scored.err.empty());
  CHECK(scored.out.starts_with("| task "));
  CHECK(scored.out.starts_with(content(out + "/table.md")));
  CHECK(has(content(out + "/table.tex"), "ReachAvoid"));
  CHECK(has(content(out + "/table.csv"), "\nReachAvoid,,last,2,"));
  CHECK(has(content(out + "/evaluations.csv"), runs[1] + "/eval.json"));
  CHECK(has(content(out + "/episodes.csv"), "\nReachAvoid,,last,2,2,"));
  for (const char* name : {"/learning-ReachAvoid", "/training-ReachAvoid", "/scores-ReachAvoid", "/cost-map"})
    check_picture(out + name);
  CHECK(!fs::exists(out + "/report.html"));
  fs::remove_all(out);

  SECTION("one page has all of it") {
    const ProgramResult result = report({"--html"});
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    const std::string page = content(out + "/report.html");
    CHECK(page.starts_with("<!DOCTYPE html>"));
    CHECK(page.ends_with("</html>\n"));
    std::size_t pictures = 0;
    for (std::size_t at = 0; (at = page.find("<svg ", at)) != std::string::npos; ++at) ++pictures;
    CHECK(pictures == 4);
    CHECK(has(page, "<td class=\"words\">ReachAvoid</td>"));
    CHECK(has(page, " train --data " + fixture.data));
    CHECK(has(page, "--eval-env reach-avoid"));
    const std::string info = run_program({"data", "info", fixture.data, "--json"}).out;
    const std::size_t at = info.find("\"fingerprint\": \"") + 16;
    CHECK(has(page, info.substr(at, 32)));
    for (const char* outside : {"http://", "https://", "src=", "<script", "<link", "@import"})
      for (std::size_t found = 0; (found = page.find(outside, found)) != std::string::npos; ++found)
        CHECK(page.compare(found, 18, "http://www.w3.org/") == 0);  // names of SVG
  }
  SECTION("scores may lie elsewhere") {
    const std::string moved = fixture.path("scores.json");
    fs::rename(runs[0] + "/eval.json", moved);
    CHECK(has(report().err, "r2pac eval " + runs[0]));
    CHECK(has(content(out + "/table.csv"), "\nReachAvoid,,last (while training),1,"));  // beside the other's
    const ProgramResult result = report({moved});
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    CHECK(has(content(out + "/table.csv"), "\nReachAvoid,,last,2,"));
  }
  SECTION("only tables") {
    CHECK(report({"--no-pictures"}).status == 0);
    CHECK(fs::exists(out + "/table.md"));
    CHECK(!fs::exists(out + "/cost-map.png"));
  }
  SECTION("without gnuplot the tables are there, and the message names the package") {
    const NoPrograms none;
    const ProgramResult result = report();
    CHECK(result.status == 8);
    CHECK(has(result.err, "gnuplot-nox"));
    CHECK(fs::exists(out + "/table.tex"));
    CHECK(fs::exists(out + "/episodes.csv"));
  }
  SECTION("data that are gone can be named, other data are refused") {
    const std::string moved = fixture.path("moved.hdf5"), other = fixture.path("other.hdf5");
    fs::rename(fixture.data, moved);
    REQUIRE(run_program({"data", "make", "reach-avoid", "-o", other, "--episodes", "2"}).status == 0);
    const ProgramResult gone = report();
    CHECK(gone.status == 0);
    CHECK(has(gone.err, "note: the data " + fixture.data + " are not there"));
    const ProgramResult named = report({"--data", moved});
    CHECK(named.status == 0);
    CHECK(named.err.empty());
    CHECK(report({"--data", other}).status == 2);
  }
  SECTION("a folder that cannot be made") {
    CHECK(run_program({"report", runs[0], "-o", fixture.data + "/report"}).status == 8);
  }
}

TEST_CASE("text in a picture is never obeyed") {
  const ScratchFolder folder;
  const std::string mark = folder / "obeyed", path = folder / "it's \"odd\" `x`.png";
  const std::string touch = "touch " + mark;
  for (const std::string& evil :
       {"'; system('" + touch + "') #", "a'\nsystem('" + touch + "')\n@a",
        "`" + touch + "` \"`" + touch + "`\"", std::string("x\\"), std::string("'")}) {
    Chart chart;
    chart.title = chart.limit_text = chart.x_label = evil;
    chart.key = {evil, evil};
    chart.panels = {{"title", "y", {{{0, 1, 1, 2}, {1, 2, 1, 3}}, {{0.5, 1, 1, 1}}}, {}}};
    draw_chart({path}, chart);
    CHECK(png_size(path).first > 0);
    TableRow row;
    row.task = row.variant = row.checkpoint = evil;
    row.seeds = 2;
    row.seed_scores = {{0, 0}, {0, 0}};
    draw_scatter({path, folder / "x.pdf"}, {&row}, {0}, {});
    CHECK(content(folder / "x.pdf").starts_with("%PDF-"));
    CHECK(!fs::exists(mark));
  }
}

TEST_CASE("values of all sizes are drawn, and lines without points are left out") {
  const ScratchFolder folder;
  Chart chart;
  chart.key = {"first", "second"};
  chart.panels = {{"lone", "y", {{}, {{5, 1, 1, 1}}}, {}},
                  {"decades", "y", {{{0, 1e-9, 1e-9, 1e-9}, {1, 1e9, 1e9, 1e9}}}, {}, true},
                  {"huge", "y", {{{0, -1e300, -1e300, 1e300}, {1, 0, 0, 0}}}, {}},
                  {"flat", "y", {{{0, 0, 0, 0}, {1, 0, 0, 0}}}, {}, true}};
  draw_chart({folder / "x.png"}, chart);
  CHECK(png_size(folder / "x.png").first > 0);
  CHECK_THROWS_AS(draw_chart({folder / "x.jpg"}, chart), InvalidArgument);
  chart.panels.push_back({"nothing", "y", {{}}, {}});
  CHECK_THROWS_AS(draw_chart({folder / "x.png"}, chart), InvalidArgument);
}

TEST_CASE("runs of the built-in robot without critics have no map of V_c, and their report no fault") {
  const SmallRun f;
  for (const char* method : {"cloning", "bc", "cpq", "coptidice"})
    REQUIRE(run_program({"train", "--data", f.data, "--task", "reach-avoid", "--method", method, "--hidden",
                         "8", "--batch", "16", "--steps", "5", "--out", f.path(method)})
                .status == 0);
  REQUIRE(run_program(f.train({"--task", "reach-avoid"})).status == 0);
  for (const std::string& run :
       {f.path("cloning"), f.path("bc"), f.path("cpq"), f.path("coptidice"), f.run}) {
    REQUIRE(run_program({"eval", run, "--env", "reach-avoid", "--episodes", "1"}).status == 0);
    const ProgramResult report = run_program({"report", run, "-o", run + "-report"});
    INFO(run << report.err);
    CHECK(report.status == 0);
    CHECK(fs::exists(run + "-report/cost-map.png") == (run == f.run));
  }
}

TEST_CASE("data sets are drawn without any run") {
  const SmallRun f;
  const std::string evil = f.path("it's <b> `x` $(touch obeyed).hdf5"), out = f.path("composition");
  fs::copy_file(f.data, evil);
  std::vector<std::string> command = {"data", "picture"};
  for (int i = 0; i < 5; ++i) command.push_back(i % 2 == 0 ? f.data : evil);
  command.emplace_back("-o");
  for (const char* ending : {".png", ".pdf", ".svg"}) {
    std::vector<std::string> one = command;
    one.push_back(out + ending);
    const ProgramResult result = run_program(one);
    CHECK(result.status == 0);
    CHECK(result.out == out + ending + "\n");
  }
  check_picture(out);
  const std::string svg = content(out + ".svg");
  CHECK(has(svg, " % of 30 within"));
  CHECK(has(svg, "it\u2019s &lt;b>"));
  CHECK(run_program({"data", "picture", f.data, "-o", out + ".jpg"}).status == 2);
  CHECK(run_program({"data", "picture", f.path("none.hdf5"), "-o", out + ".png"}).status == 3);
  CHECK(run_program({"data", "picture", f.data, "-o", f.data + "/x.png"}).status == 8);
  CHECK_THROWS_AS(draw_composition({out + ".png"}, "t", {}), InvalidArgument);
  CHECK_THROWS_AS(draw_composition({out + ".png"}, "t", {{"no episode", {}, 1}}), InvalidArgument);
}

TEST_CASE("a picture that cannot be drawn is refused before anything is scored or trained") {
  const SmallRun fixture;
  REQUIRE(run_program(fixture.train()).status == 0);
  const std::string picture = fixture.path("p.png"), gif = fixture.path("p.gif"), demo = fixture.path("demo");
  const NoPrograms none;
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"eval", fixture.run, "--env", "reach-avoid", "--picture", picture},
        {"eval", fixture.run, "--env", "reach-avoid", "--gif", gif},
        {"diagnose", fixture.run, "--data", fixture.data, "--picture", picture},
        {"demo", "--out", demo}}) {
    INFO(command.front());
    const ProgramResult result = run_program(command);
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK(has(result.err, "gnuplot-nox"));
  }
  for (const std::string& file : {fixture.run + "/eval.json", picture, gif, demo})
    CHECK(!std::filesystem::exists(file));
}
