// A report as one page of HTML, which needs no other file and runs no script.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "report/input.h"
#include "report/markup.h"
#include "report/pictures.h"

namespace r2pac {

/// What is added comes below what was there. Texts are escaped, but for markup.
class Page {
 public:
  explicit Page(std::string title) : title_(std::move(title)) {}
  void heading(const std::string& text);
  void paragraph(const std::string& text);
  /// Markup of this program's own: tables as grid_html() and html_of() make them.
  void markup(const std::string& html) { body_ += html; }
  /// A picture as gnuplot wrote it, with a line below. Throws as inline_svg().
  void picture(const std::string& caption, const std::string& svg);
  /// Commands behind a summary that a click opens, each after a line that says what it is for.
  void commands(const std::string& summary,
                const std::vector<std::pair<std::string, std::vector<std::string>>>& commands);

  /// The whole page. Whoever opens it is told that nothing may be loaded and no script be run.
  std::string text() const;

 private:
  std::string title_, body_;
  int pictures_ = 0;
};

/// gnuplot's SVG as an element of a page: without declaration, titles and description, `prefix` before all of
/// its ids. Throws Error(disk) where it has an element or attribute that no picture of this program has, such
/// as a script. svg  untrusted
std::string inline_svg(const std::string& svg, const std::string& prefix);

/// A command as a shell takes it: words that a shell would not take as they are stand in single quotes.
std::string shell_line(const std::vector<std::string>& words);

/// Draws the pictures as .svg into the folder and adds them. Throws as draw_with_gnuplot() and inline_svg().
void add_pictures(Page& page, const std::vector<Picture>& pictures, const std::string& folder);

/// A run with what it is called on the page.
struct NamedRun {
  std::string name;
  const TrainingRun* run;
};

/// Adds what was run: a table of the runs, one of the data files with their fingerprints, and the commands.
void add_runs(Page& page, const std::vector<NamedRun>& runs);

}  // namespace r2pac
