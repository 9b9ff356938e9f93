#include "report/page.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/printable.h"
#include "base/utc.h"
#include "base/version.h"
#include "report/grid_text.h"
#include "report/names.h"
#include "report/text.h"
#include "storage/atomic_file.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = std::size_t{1} << 28;

constexpr char kStyle[] = R"css(
body { font: 15px/1.5 "DejaVu Sans", Verdana, sans-serif; color: #202020; max-width: 1500px; margin: 2em auto;
  padding: 0 1.5em; }
h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #d0d0d0; }
caption { text-align: left; font-weight: bold; padding: 0.3em 0; }
.wide { overflow-x: auto; }
.plain { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9em; }
.plain th, .plain td { padding: 0.25em 0.7em; text-align: right; vertical-align: top; }
.plain th { border-bottom: 1px solid #909090; }
.plain tr + tr td { border-top: 1px solid #ececec; }
.plain td { white-space: nowrap; }
.plain .words { text-align: left; white-space: normal; overflow-wrap: break-word; }
.note, figcaption { color: #585858; font-size: 0.9em; margin: 0.4em 0; max-width: 75em; }
figure { margin: 1.5em 0; } figure svg { width: 100%; height: auto; display: block; }
pre { background: #f5f5f5; padding: 0.6em 0.8em; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.85em; }
)css";

/// Elements of gnuplot's pictures, but for those that are left out.
constexpr std::array kElements = {"svg",     "g",       "defs",   "circle",  "path",
                                  "rect",    "use",     "filter", "text",    "tspan",
                                  "pattern", "polygon", "image",  "feFlood", "feComposite"};

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ExitCode::disk, "gnuplot's picture has " + what + ", which no page shows", "gnuplot",
              "leave out --html");
}

/// An attribute's value on a page: `prefix` before the id that it is or names. Refuses what could run a
/// script or load something.
std::string harmless_value(const std::string& name, std::string value, const std::string& prefix) {
  if (name.starts_with("on")) refuse("an attribute that runs a script");
  if (name == "id") return prefix + value;
  if (name == "href" || name == "xlink:href") {
    if (value.starts_with("#")) return "#" + prefix + value.substr(1);
    if (!value.starts_with("data:image/png;base64,")) refuse("a link");
  }
  constexpr std::string_view kNamed = "url(#";
  for (std::size_t at = 0; (at = value.find(kNamed, at)) != std::string::npos; at += kNamed.size())
    value.insert(at + kNamed.size(), prefix);
  return value;
}

/// A tag such as <g id='a' fill="none"/> with the values of harmless_value(). begin  of its attributes
std::string harmless_tag(const std::string& tag, std::size_t begin, const std::string& prefix) {
  constexpr const char* kBlanks = " \t\r\n";
  std::string out = tag.substr(0, begin);
  for (std::size_t at = begin; (at = tag.find_first_not_of(kBlanks, at)) != std::string::npos;) {
    if (const std::string rest = tag.substr(at); rest == "/>" || rest == ">") return out + rest;
    const std::size_t name_end = std::min(tag.find_first_of(" \t\r\n=/>", at), tag.size());
    std::string name = tag.substr(at, name_end - at);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    std::size_t quote = tag.find_first_not_of(kBlanks, name_end);
    if (quote == std::string::npos || tag[quote] != '=') refuse("an attribute without a value");
    quote = tag.find_first_not_of(kBlanks, quote + 1);
    if (quote == std::string::npos || (tag[quote] != '"' && tag[quote] != '\''))
      refuse("an attribute without quotes");
    const std::size_t end = tag.find(tag[quote], quote + 1);
    if (end == std::string::npos) refuse("a torn attribute");
    out.append(1, ' ').append(tag, at, name_end - at).append(1, '=').append(1, tag[quote]);
    out.append(harmless_value(name, tag.substr(quote + 1, end - quote - 1), prefix)).append(1, tag[quote]);
    at = end + 1;
  }
  refuse("a torn tag");
}

/// What stands between two tags, harmless also for whoever reads the page as text.
std::string text_between(const std::string& text) {
  std::string out, line;
  for (const char c : text) {
    if (c != '\n') {
      line += c == '\t' ? ' ' : c;
      continue;
    }
    out += printable(line) + "\n";
    line.clear();
  }
  return out + printable(line);
}

std::string words_of_status(const RunFacts& facts) { return facts.status.empty() ? "unknown" : facts.status; }

/// A path that may break after its slashes and commas.
std::string path_text(const std::string& path) {
  std::string out;
  for (const char c : html_text(path)) {
    out += c;
    if (c == '/' || c == ',') out += "<wbr>";
  }
  return out;
}

std::string number_of_steps(const RunFacts& facts) {
  return facts.effort ? std::to_string(facts.effort->steps) : "-";
}

}  // namespace

std::string inline_svg(const std::string& svg, const std::string& prefix) {
  std::string out;
  std::size_t at = svg.find("<svg");
  if (at == std::string::npos) refuse("no element `svg`");
  while (at < svg.size()) {
    if (svg[at] != '<') {
      const std::size_t end = std::min(svg.find('<', at), svg.size());
      out += text_between(svg.substr(at, end - at));
      at = end;
      continue;
    }
    const std::size_t end = svg.find('>', at);
    if (end == std::string::npos) refuse("a torn tag");
    const std::string tag = svg.substr(at, end + 1 - at);
    at = end + 1;
    const std::size_t begin = tag.starts_with("</") ? 2 : 1;
    const std::size_t name_end = tag.find_first_of(" \t\r\n/>", begin);
    const std::string name = tag.substr(begin, name_end - begin);
    if (name == "title" || name == "desc") {  // tooltips of our own file names
      const std::size_t close = svg.find("</" + name + ">", at);
      if (begin == 2 || close == std::string::npos) refuse("a torn title");
      at = close + name.size() + 3;
      continue;
    }
    if (std::ranges::find(kElements, name) == kElements.end()) refuse("an element `" + name + "`");
    out += harmless_tag(tag, name_end, prefix);
  }
  return out;
}

std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    const bool plain = !word.empty() && std::ranges::all_of(word, [](unsigned char c) {
      return std::isalnum(c) != 0 ||
             std::string_view("_-+=.,:/@%").find(static_cast<char>(c)) != std::string_view::npos;
    });
    std::string quoted = plain ? word : "'";
    if (!plain) {
      for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
      quoted += "'";
    }
    line += (line.empty() ? "" : " ") + quoted;
  }
  return line;
}

void Page::heading(const std::string& text) { body_ += "<h2>" + html_text(text) + "</h2>\n"; }
void Page::paragraph(const std::string& text) { body_ += "<p>" + html_text(text) + "</p>\n"; }

void Page::picture(const std::string& caption, const std::string& svg) {
  const std::string prefix = std::string(1, 'p').append(std::to_string(++pictures_)) + "-";
  std::string element = inline_svg(svg, prefix);
  const std::size_t view = element.find("viewBox=\"0 0 ");  // its width is the third number
  const int width = view == std::string::npos ? 0 : std::atoi(element.c_str() + view + 13);
  if (width > 0) element.insert(4, " style=\"max-width: " + std::to_string(width) + "px\"");
  element.insert(4, " role=\"img\" aria-label=\"" + html_text(caption) + "\"");  // behind "<svg"
  body_ += "<figure>\n" + element + "<figcaption>" + html_text(caption) + "</figcaption>\n</figure>\n";
}

void Page::commands(const std::string& summary,
                    const std::vector<std::pair<std::string, std::vector<std::string>>>& commands) {
  body_ += "<details><summary>" + html_text(summary) + "</summary>\n<pre>";
  for (const auto& [what, words] : commands)
    body_ += html_text("# " + what) + "\n" + html_text(shell_line(words)) + "\n";
  body_ += "</pre>\n</details>\n";
}

std::string Page::text() const {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
         "style-src "
         "'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
         html_text(title_) + "</title>\n<style>" + kStyle + grid_style() + "</style>\n</head>\n<body>\n<h1>" +
         html_text(title_) + "</h1>\n<p class=\"note\">Made by r2pac " + html_text(kVersion) + " (" +
         html_text(kCommit) + ") on " + html_text(utc_now()) + ".</p>\n" + body_ + "</body>\n</html>\n";
}

void add_pictures(Page& page, const std::vector<Picture>& pictures, const std::string& folder) {
  for (const Picture& picture : pictures) {
    const std::string path = (fs::path(folder) / (picture.name + ".svg")).string();
    picture.draw({path});
    const std::vector<std::byte> bytes = read_file(path, kMostBytes, ExitCode::disk);
    page.picture(picture.caption, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
}

void add_runs(Page& page, const std::vector<NamedRun>& runs) {
  TextTable table, data;
  table.words = 5;
  table.lines = {{"run", "state", "machine", "program", "folder", "seed", "steps"}};
  data.words = 2;
  data.lines = {{"file", "fingerprint"}};
  std::vector<std::pair<std::string, std::vector<std::string>>> commands;
  std::set<std::string> seen, sources;
  for (const auto& [name, run] : runs) {
    if (!seen.insert(run->folder).second) continue;  // a run of several columns
    const RunFacts& facts = run->facts;
    table.lines.push_back({html_text(name), html_text(words_of_status(facts)), html_text(facts.machine),
                           html_text(facts.program), path_text(run->folder),
                           std::to_string(run->settings.seed), number_of_steps(facts)});
    if (!facts.data.path.empty() && sources.insert(facts.data.path + "\n" + facts.data.fingerprint).second)
      data.lines.push_back({path_text(facts.data.path), html_text(facts.data.fingerprint)});
    if (!facts.command.empty())
      commands.emplace_back(name + ", seed " + std::to_string(run->settings.seed), facts.command);
  }
  table.notes = {"Steps are gradient steps that were taken, of all stages together."};
  data.notes = {"A fingerprint is that of all numbers in the file: `r2pac data info FILE` prints it."};
  if (table.lines.size() > 1) {
    page.heading("What was run");
    page.markup(html_of(table));
    if (!commands.empty()) page.commands("Commands of the trainings", commands);
  }
  if (data.lines.size() > 1) {
    page.heading("Data");
    page.markup(html_of(data));
  }
}

}  // namespace r2pac
