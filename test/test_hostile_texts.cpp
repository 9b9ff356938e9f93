// Texts of other people's files, through `report`, `inspect` and error messages into every form that leaves
// the program: terminal, Markdown, LaTeX, CSV, HTML and pictures. None is obeyed.
#include <algorithm>
#include <set>
#include <sstream>

#include "base/printable.h"
#include "report/text.h"
#include "scores_json.h"
#include "small_run.h"
#include "storage/safetensors.h"

using namespace r2pac;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// In UTF-8, as JSON is. %s stands for a file that must not come to be.
const char* const kTexts[] = {"=cmd|' /C touch %s'!A0",
                              "@SUM(1+1)*cmd|' /C touch %s'!A0",
                              "+1+1",
                              "-1+1|x",
                              "  =1+1",
                              "\"=1+1",
                              "a;=1+1",
                              "\uFF1D1+1",
                              "\t=1+1",
                              "\r=1+1",
                              "\x1b]0;owned\x07\x1b[2J\x1b[31m",
                              "\u009b2J\u009d0;x\u009c",
                              "\x7f\x08\x08\x08ok",
                              "safe \u202Eefas ton\u202C",
                              "a\u2028b\u2029c",
                              "row | 0.00 | 1.00 |\n| forged | row |",
                              "<script>alert(1)</script>",
                              "<img src=x onerror=alert(1)>",
                              "[click](javascript:alert(1))",
                              "![x](http://127.0.0.1/x.png)",
                              "`touch %s`",
                              "$(touch %s)",
                              "${\\href{http://127.0.0.1}{x}}$",
                              "&#60;script&#62;",
                              "*bold* _it_ ~~gone~~",
                              "\\input{/etc/passwd}",
                              "\\immediate\\write18{touch %s}",
                              "\\end{tabular}\\newpage",
                              "100% & #1 $x^2$ ~",
                              "[2pt] first",
                              "*",
                              "{",
                              "}}}",
                              "\\",
                              "'; system('touch %s') #",
                              "\" ; system(\"touch %s\") ; \"",
                              "a'\nsystem('touch %s')\n'",
                              "`touch %s`'",
                              "x\\",
                              "@{system('touch %s')}",
                              "{/Symbol a}_{x}^{y}",
                              "\"quoted\", with, commas",
                              "line\r\nbreak",
                              "",
                              " "};

std::string replaced(std::string text, const std::string& mark) {
  if (const std::size_t at = text.find("%s"); at != std::string::npos) text.replace(at, 2, mark);
  return text;
}

/// Whether a terminal or a reader would obey anything: control codes other than line ends, in UTF-8 or single
/// bytes, and changes of the writing direction.
bool is_plain(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (printable(line) != line) return false;
  return true;
}

/// The fields of a CSV file by RFC 4180, or by another separator.
std::vector<std::string> fields(const std::string& csv, char separator) {
  std::vector<std::string> all(1);
  bool quoted = false;
  for (std::size_t i = 0; i < csv.size(); ++i) {
    const char c = csv[i];
    if (quoted && c == '"' && i + 1 < csv.size() && csv[i + 1] == '"')
      all.back() += csv[++i];
    else if (c == '"' && (quoted || all.back().empty()))
      quoted = !quoted;
    else if (!quoted && (c == separator || c == '\n'))
      all.emplace_back();
    else
      all.back() += c;
  }
  return all;
}

bool is_number(const std::string& text) {
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0';
}

/// What a spreadsheet would calculate.
bool is_formula(std::string text) {
  text.erase(0, text.find_first_not_of(" \"\t"));
  if (text.empty() || is_number(text)) return false;
  return has("=+-@", text.substr(0, 1)) || text.starts_with("\uFF1D") || text.starts_with("\uFF0B") ||
         text.starts_with("\uFF0D") || text.starts_with("\uFF20");
}

void check_csv(const std::string& csv) {
  CHECK(is_plain(csv));
  for (const char separator : {',', ';'})
    for (const std::string& field : fields(csv, separator)) {
      INFO(field);
      CHECK_FALSE(is_formula(field));
    }
}

/// Every row has as many cells as the header, and no tag can be read in it.
void check_markdown(const std::string& markdown) {
  CHECK(is_plain(markdown));
  for (std::size_t at = 0; (at = markdown.find('<', at)) != std::string::npos; ++at)
    CHECK(markdown.compare(at, 8, "<= kappa") == 0);  // our own words
  std::istringstream lines(markdown);
  std::ptrdiff_t cells = 0;
  for (std::string line; std::getline(lines, line) && line.starts_with("|");) {
    std::ptrdiff_t bars = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\\')
        ++i;
      else
        bars += line[i] == '|';
      CHECK((line[i] != '`' || line[i - 1] == '\\'));
      CHECK((line[i] != '(' || line[i - 1] != ']'));
    }
    if (cells == 0) cells = bars;
    CHECK(bars == cells);
  }
}

/// Balanced braces, no command but those of the table and of spelled characters, and no row that begins with
/// what the end of the row before would take for its argument.
void check_latex(const std::string& latex) {
  CHECK(is_plain(latex));
  const std::vector<std::string> ours = {
      "begin",    "end",         "toprule", "midrule",       "bottomrule",     "pm",
      "mathrm",   "le",          "kappa",   "textbackslash", "textasciitilde", "textasciicircum",
      "textless", "textgreater", "textbar", "usepackage"};
  std::ptrdiff_t depth = 0;
  for (std::size_t i = 0; i < latex.size(); ++i) {
    if (latex[i] == '\\') {
      std::size_t end = i + 1;
      while (end < latex.size() && std::isalpha(static_cast<unsigned char>(latex[end]))) ++end;
      const std::string command = latex.substr(i + 1, end - i - 1);
      INFO(command);
      if (!command.empty()) CHECK(std::ranges::find(ours, command) != ours.end());
      i = command.empty() ? i + 1 : end - 1;
    } else {
      depth += latex[i] == '{' ? 1 : latex[i] == '}' ? -1 : 0;
      CHECK(depth >= 0);
    }
  }
  CHECK(depth == 0);
  CHECK_FALSE(has(latex, "\\\\\n["));
  CHECK_FALSE(has(latex, "\\\\\n*"));
  CHECK_FALSE(has(latex, "rule\n["));
}

/// Nothing in the page runs, loads or leads away, and every tag is one of ours.
void check_html(const std::string& html) {
  CHECK(is_plain(html.substr(html.find("<body>"))));
  const std::set<std::string> ours = {
      "!DOCTYPE", "html",    "head",    "meta",    "title",   "style",      "body",       "h1",
      "h2",       "p",       "div",     "table",   "thead",   "tbody",      "tr",         "th",
      "td",       "figure",  "details", "summary", "pre",     "wbr",        "figcaption", "svg",
      "g",        "defs",    "circle",  "path",    "rect",    "use",        "filter",     "text",
      "tspan",    "pattern", "polygon", "image",   "feFlood", "feComposite"};
  for (std::size_t at = 0; (at = html.find('<', at)) != std::string::npos; ++at) {
    const std::size_t begin = at + 1 + (html[at + 1] == '/' ? 1 : 0);
    const std::string name = html.substr(begin, html.find_first_of(" \n/>", begin) - begin);
    INFO(name);
    CHECK(ours.contains(name));
    // Its attributes: what stands in quotes is text, but for places.
    bool quoted = false;
    for (std::size_t i = begin; i < html.size() && (quoted || html[i] != '>'); ++i) {
      if (html[i] == '"') quoted = !quoted;
      if (!quoted) CHECK(html.compare(i, 3, " on") != 0);
      if (!quoted && html.compare(i, 5, "href=") == 0) {
        const std::string place = html.substr(i + 6, 22);
        CHECK((place.starts_with("#") || place == "data:image/png;base64,"));
      }
    }
  }
}

}  // namespace

TEST_CASE("no text of an eval.json is obeyed in any form of a report") {
  const ScratchFolder folder;
  const std::string mark = folder / "obeyed", out = folder / "report";
  std::vector<std::string> arguments = {"report"};
  std::int64_t seed = 0;
  for (const char* const raw : kTexts) {
    const std::string text = replaced(raw, mark);
    Json json = scores_json("BallRun", seed++, {10, 30}, {0, 5});
    for (const char* key : {"policy", "checkpoint", "task", "env", "data_fingerprint", "selection", "label"})
      json[key] = text;
    arguments.push_back(folder / ("eval" + std::to_string(seed) + ".json"));
    std::ofstream(arguments.back()) << json.dump();
  }
  arguments.insert(arguments.end(), {"-o", out});
  const auto check = [&](const std::vector<std::string>& command) {
    const ProgramResult result = run_program(command);
    INFO(result.err);
    CHECK(result.status == 0);
    CHECK(is_plain(result.out));
    CHECK(is_plain(result.err));
    check_markdown(content(out + "/table.md"));
    check_latex(content(out + "/table.tex"));
    for (const char* file : {"/table.csv", "/evaluations.csv", "/episodes.csv"})
      check_csv(content(out + file));
    CHECK_FALSE(fs::exists(mark));
  };
  std::vector<std::string> tables = arguments;
  tables.emplace_back("--no-pictures");
  check(tables);
  // All texts in the titles, keys and names of pictures: of one task, so that there is one picture of all.
  std::vector<std::string> drawn = {"report", "-o", out};
  for (std::size_t i = 0; i < std::size(kTexts); i += 6) {
    Json json = scores_json("BallRun", 0, {10, 30}, {0, 5});
    json["task"] = json["selection"] = json["label"] = json["checkpoint"] = replaced(kTexts[i], mark);
    drawn.push_back(folder / ("drawn" + std::to_string(i) + ".json"));
    std::ofstream(drawn.back()) << json.dump();
  }
  fs::remove_all(out);
  drawn.emplace_back("--html");
  check(drawn);
  check_html(content(out + "/report.html"));
  CHECK(std::any_of(fs::directory_iterator(out), fs::directory_iterator(),
                    [](const auto& entry) { return entry.path().extension() == ".png"; }));
}

TEST_CASE("no text of a policy, a file name or a log reaches the terminal as it is") {
  const SmallRun f;
  for (const char* const raw : kTexts) {
    const std::string text = replaced(raw, f.path("obeyed"));
    if (has(text, "/") || text.empty() || text == " ") continue;  // as a name of a file, too
    SafetensorsWriter writer;
    const float value[] = {1};
    writer.add<float>("tensor " + text, {1}, value);
    for (const char* key :
         {"settings", "observation_dim", "action_dim", "chunk_length", "value_limit", "step"})
      writer.metadata(key, text);
    writer.metadata("format", "r2pac-policy-2");
    writer.metadata("data_fingerprint", text);
    writer.metadata("key " + text, text);
    const std::string policy = f.path("policy " + text.substr(0, text.find('\0')));
    writer.write(policy);
    std::ofstream(f.path("line")) << text << "\n";
    for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
             {"inspect", policy},
             {"inspect", "--json", policy},
             {"sample", policy, "--obs", f.path("line")},
             {"values", policy, "--data", f.data, "-o", f.path("v.csv")},
             {"train", "--data", f.data, "--out", f.path("x"), "--config", policy},
             {"data", "info", policy},
             {"report", policy, "-o", f.path("report")}}) {
      const ProgramResult result = run_program(command);
      INFO(command[0] << " " << printable(text) << ": " << printable(result.err));
      CHECK(is_plain(result.out));
      CHECK(is_plain(result.err));
      // No line poses as one of ours.
      for (const char* line : {"\n  where:", "\n  to do:"}) {
        const std::size_t first = result.err.find(line);
        CHECK((first == std::string::npos || result.err.find(line, first + 1) == std::string::npos));
      }
    }
  }
}
