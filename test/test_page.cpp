// The page of HTML: what is in it, and what it never lets through.
#include <catch2/catch.hpp>

#include "failure.h"
#include "report/chart.h"
#include "report/page.h"
#include "report/text.h"
#include "scratch_folder.h"

using namespace r2pac;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string svg(const std::string& inside) {
  return "<?xml version=\"1.0\"?>\n<svg viewBox=\"0 0 300 200\">\n<title>Gnuplot</title>" + inside +
         "</svg>\n";
}

}  // namespace

TEST_CASE("a picture loses its declaration and tooltips, and its ids are its own") {
  const std::string one = inline_svg(
      svg("<desc>d</desc><g id='a' fill=\"none\"><use xlink:href='#a'/><path style='fill:url(#b)'/>"
          "<text>id='a' &lt;b></text></g>"),
      "p1-");
  CHECK(one ==
        "<svg viewBox=\"0 0 300 200\">\n<g id='p1-a' fill=\"none\"><use xlink:href='#p1-a'/><path "
        "style='fill:url(#p1-b)'/><text>id='a' &lt;b></text></g></svg>\n");
}

TEST_CASE("nothing of a picture runs, loads or leads away") {
  for (const std::string inside :
       {"<script>x</script>", "<g onload='x'/>", "<g id='a' ONCLICK = \"x\"/>", "<g\nonload='x'/>",
        "<g/onload='x'/>", "<use xlink:href='http://x/'/>", "<image href=\"javascript:x\"/>",
        "<a xlink:href='#x'>x</a>", "<foreignObject/>", "<g onload=x>", "<g id>", "<g id='a", "<g",
        "<title>torn", "<!-- x -->", "<style>x</style>", "<image xlink:href='data:image/svg+xml;base64,x'/>",
        "<iframe/>", "<G/>"}) {
    INFO(inside);
    CHECK(failure([&] { inline_svg(svg(inside), "p"); }).starts_with("8 | gnuplot's picture has "));
  }
  CHECK(failure([&] { inline_svg("", "p"); }).starts_with("8 | "));
  CHECK(has(inline_svg(svg("<image xlink:href='data:image/png;base64,a/on=b'/>"), "p"), "a/on=b"));
}

TEST_CASE("a command is one that a shell takes back") {
  CHECK(shell_line({"r2pac", "train", "--set", "alpha=0.5", "--data", "a/b-1.hdf5"}) ==
        "r2pac train --set alpha=0.5 --data a/b-1.hdf5");
  CHECK(shell_line({"a b", "it's", "", "$(x)", "~"}) == "'a b' 'it'\\''s' '' '$(x)' '~'");
}

TEST_CASE("a page holds all texts escaped, and forbids scripts") {
  const std::string evil = "</pre></script><script>alert(1)</script>\"'&";
  const ScratchFolder folder;
  Page page(evil);
  page.heading(evil);
  page.paragraph(evil);
  page.commands(evil, {{evil, {evil, evil}}});
  TrainingRun run;
  run.folder = run.facts.status = run.facts.machine = run.facts.program = evil;
  run.facts.data = {evil, evil};
  run.facts.command = {evil};
  add_runs(page, {{evil, &run}});
  Chart chart;
  chart.title = chart.x_label = chart.limit_text = evil;
  chart.key = {evil};
  chart.panels = {
      {.title = evil, .y_label = "y", .lines = {{{0, 1, 1, 1}, {1, 2, 1, 3}}}, .plain_title = true}};
  add_pictures(page, {{"chart", [&](const auto& files) { draw_chart(files, chart); }, evil}},
               folder.path.string());
  const std::string text = page.text();
  CHECK_FALSE(has(text, "<script"));
  CHECK(has(text, "default-src 'none'"));
  CHECK(has(text, "&lt;script&gt;alert(1)"));
  CHECK(has(text, "<svg role=\"img\""));
  CHECK(has(text, "style=\"max-width: "));
  // The commands of both lists, and no other end of one.
  std::size_t ends = 0;
  for (std::size_t at = 0; (at = text.find("</pre>", at)) != std::string::npos; ++at) ++ends;
  CHECK(ends == 2);
}

TEST_CASE("a run of several columns stands once, and so does a file of data") {
  TrainingRun a, b;
  a.folder = "runs/a";
  b.folder = "runs/b";
  a.facts.data = b.facts.data = {"d.hdf5", "0123"};
  a.facts.status = "finished";
  Page page("t");
  add_runs(page, {{"A", &a}, {"B", &b}, {"A again", &a}});
  const std::string text = page.text();
  CHECK_FALSE(has(text, "A again"));
  CHECK(has(text, "<td class=\"words\">finished</td>"));
  CHECK(has(text, "<td class=\"words\">unknown</td>"));
  CHECK(text.find("0123") == text.rfind("0123"));
  CHECK_FALSE(has(text, "Commands of the trainings"));
  Page empty("t");
  add_runs(empty, {});
  CHECK_FALSE(has(empty.text(), "What was run"));
}
