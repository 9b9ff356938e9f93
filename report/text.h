// A report's table as Markdown, LaTeX and CSV.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/table.h"

namespace r2pac {

/// Columns padded, so that it reads in a terminal; the column of variants only where there are any. Below it
/// what the columns mean.
std::string table_markdown(const ReportTable& table);

/// A `tabular` for the package booktabs, with the same columns and notes as comments.
std::string table_latex(const ReportTable& table);

/// A `table` element of the class "plain" with the same columns, and the notes.
std::string table_html(const ReportTable& table);

/// All numbers unrounded: one line per row of the table, per ScoredPolicy, per episode. Empty: does not
/// apply.
std::string table_csv(const ReportTable& table);
std::string evaluations_csv(const ReportTable& table, const std::vector<ScoredPolicy>& scores);
std::string episodes_csv(const ReportTable& table, const std::vector<ScoredPolicy>& scores);

/// The number with that many digits behind the point.
std::string fixed_text(double value, int digits);

/// The fields as one line of CSV, each escaped. fields  not empty
std::string csv_line(const std::vector<std::string>& fields);

/// Text in which characters that are special in HTML, LaTeX, Markdown or CSV (RFC 4180) are escaped, and in
/// CSV what a spreadsheet would take for a formula. Control characters are spelled out.
std::string html_text(std::string_view text);
std::string latex_text(std::string_view text);
std::string markdown_text(std::string_view text);
std::string csv_text(std::string_view text);

}  // namespace r2pac
