#include "report/markup.h"

#include <algorithm>

#include "report/text.h"

namespace r2pac {
namespace {

/// Characters as a terminal shows them: bytes that continue a UTF-8 character do not count.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

const Markup kMarkdown = {markdown_text, " ± ", "P(cost <= kappa)", "kappa", "≈ "};
const Markup kLatex = {latex_text, " $\\pm$ ", "$P(\\mathrm{cost} \\le \\kappa)$", "$\\kappa$",
                       "$\\approx$ "};
const Markup kHtml = {html_text, " ± ", "P(cost ≤ κ)", "κ", "≈ "};

std::string markdown_of(const TextTable& table) {
  const auto& lines = table.lines;
  std::vector<std::size_t> widths(lines[0].size());
  for (const auto& line : lines)
    for (std::size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], width(line[c]));
  std::string out;
  for (const auto& line : lines) {
    for (std::size_t c = 0; c < line.size(); ++c) {
      const std::string padding(widths[c] - width(line[c]), ' ');
      out.append("| ").append(c < table.words ? line[c] + padding : padding + line[c]).append(1, ' ');
    }
    out += "|\n";
    if (&line != lines.data()) continue;
    for (std::size_t c = 0; c < line.size(); ++c)
      out.append(1, '|').append(widths[c] + 1, '-').append(1, c < table.words ? '-' : ':');
    out += "|\n";
  }
  for (const std::string& sentence : table.notes) out += "\n" + sentence + "\n";
  return out;
}

std::string latex_of(const TextTable& table) {
  const auto& lines = table.lines;
  std::string out = "% needs \\usepackage{booktabs}\n";
  for (const std::string& sentence : table.notes) out += "% " + sentence + "\n";
  out += "\\begin{tabular}{" + std::string(table.words, 'l') +
         std::string(lines[0].size() - table.words, 'r') + "}\n\\toprule\n";
  for (const auto& line : lines) {
    for (std::size_t c = 0; c < line.size(); ++c) out += (c > 0 ? " & " : "") + line[c];
    out += " \\\\\n";
    if (&line == lines.data()) out += "\\midrule\n";
  }
  return out + "\\bottomrule\n\\end{tabular}\n";
}

std::string html_of(const TextTable& table) {
  std::string out = "<div class=\"wide\"><table class=\"plain\">\n<thead>\n";
  for (const auto& line : table.lines) {
    const bool header = &line == table.lines.data();
    out += "<tr>";
    for (std::size_t c = 0; c < line.size(); ++c) {
      const std::string tag = header ? "th" : "td";
      out += "<" + tag + (c < table.words ? " class=\"words\"" : "") + ">" + line[c] + "</" + tag + ">";
    }
    out += header ? "</tr>\n</thead>\n<tbody>\n" : "</tr>\n";
  }
  out += "</tbody>\n</table></div>\n";
  for (const std::string& sentence : table.notes)
    out += "<p class=\"note\">" + html_text(sentence) + "</p>\n";
  return out;
}

}  // namespace r2pac
