// Tables of text in languages of markup.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace r2pac {

/// The words of a table in one language.
struct Markup {
  std::string (*text)(std::string_view);  ///< escapes any text
  const char* plus_minus;
  const char* at_most_kappa;
  const char* kappa;
  const char* about;  ///< before a number that is none but near
};
extern const Markup kMarkdown, kLatex, kHtml;

/// A table in one of the languages.
struct TextTable {
  std::vector<std::vector<std::string>> lines;  ///< the header, then rows of as many cells; all escaped
  std::size_t words = 1;                        ///< first columns that hold words; the others go to the right
  std::vector<std::string> notes;               ///< sentences, not escaped
};

/// Columns padded, so that it reads in a terminal, then the notes.
std::string markdown_of(const TextTable& table);
/// A `tabular` for the package booktabs, the notes as comments before it.
std::string latex_of(const TextTable& table);
/// A `table` element of the class "plain", then the notes as paragraphs.
std::string html_of(const TextTable& table);

}  // namespace r2pac
