#include "report/text.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "base/printable.h"
#include "report/markup.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

std::string spread(const OverSeeds& value, int digits, const Markup& markup) {
  return fixed_text(value.mean, digits) +
         (value.deviation ? markup.plus_minus + fixed_text(*value.deviation, digits) : "");
}

bool has_variants(const ReportTable& table) {
  return std::ranges::any_of(table.rows, [](const TableRow& row) { return !row.variant.empty(); });
}

constexpr const char* kLegend[] = {
    "Means over training seeds, ± their sample standard deviation where there are two or more.",
    "Normalised cost: cost / kappa; a seed is safe if its mean is at most 1.",
    "P(cost <= kappa): share of all episodes and its 95 % bootstrap interval, from 10,000 resamples of the "
    "episodes of all seeds taken as independent; where all or none are within, the exact bound of Clopper "
    "and "
    "Pearson."};

constexpr const char* kWhileTraining =
    "(while training): the last score that a run made on its way, with the episodes of its --eval-episodes "
    "and "
    "--eval-seed; `r2pac eval` has not scored its policy.";

/// The table in a language.
TextTable table_in(const ReportTable& table, const Markup& markup) {
  const bool variants = has_variants(table);
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string>& header = lines.emplace_back();
  header = {"task"};
  if (variants) header.emplace_back("variant");
  header.insert(header.end(), {"checkpoint", "normalised return", "normalised cost", "safe seeds",
                               markup.at_most_kappa, markup.kappa, "return", "cost", "episodes"});
  for (const TableRow& row : table.rows) {
    std::vector<std::string>& line = lines.emplace_back();
    line = {markup.text(row.task)};
    if (variants) line.push_back(markup.text(row.variant));
    line.insert(
        line.end(),
        {markup.text(row.checkpoint), row.normalized_return ? spread(*row.normalized_return, 3, markup) : "-",
         spread(row.normalized_cost, 2, markup),
         std::to_string(row.safe_seeds) + "/" + std::to_string(row.seeds),
         fixed_text(row.share_within_limit, 2) + " [" + fixed_text(row.share_interval.low, 2) + ", " +
             fixed_text(row.share_interval.high, 2) + "]",
         format_number(row.cost_limit), spread(row.episode_return, 2, markup),
         spread(row.episode_cost, 2, markup), std::to_string(row.episodes)});
  }
  std::vector<std::string> notes{std::begin(kLegend), std::end(kLegend)};
  if (std::ranges::any_of(table.rows, &TableRow::while_training)) notes.emplace_back(kWhileTraining);
  // Columns of words: task and checkpoint, and between them the variant.
  return {lines, variants ? std::size_t{3} : std::size_t{2}, notes};
}

std::string number_or_nothing(const std::optional<double>& value) {
  return value ? format_number(*value) : "";
}

/// The text with an apostrophe wherever a spreadsheet would take what follows for a formula: at the beginning
/// and behind a semicolon, which is the separator in some countries. Numbers stay as they are.
std::string without_formulas(const std::string& text) {
  constexpr std::string_view kSigns[] = {"=",      "+",      "-",      "@",
                                         "\uFF1D", "\uFF0B", "\uFF0D", "\uFF20"};  // and the same, wide
  if (parse_number<double>(text)) return text;
  std::string out;
  bool begins = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto follows = [&](std::string_view sign) {
      return std::string_view(text).substr(i).starts_with(sign);
    };
    if (begins && std::ranges::any_of(kSigns, follows)) out += '\'';
    out += text[i];
    begins = text[i] == ';' || (begins && (text[i] == ' ' || text[i] == '"'));
  }
  return out;
}

}  // namespace

std::string fixed_text(double value, int digits) {
  char text[400];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) line.append(csv_text(field)).append(1, ',');
  line.back() = '\n';
  return line;
}

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    const char* entity = c == '&'   ? "&amp;"
                         : c == '<' ? "&lt;"
                         : c == '>' ? "&gt;"
                         : c == '"' ? "&quot;"
                                    : nullptr;
    if (entity != nullptr)
      out += entity;
    else
      out += c;
  }
  return out;
}

std::string latex_text(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (std::string_view("#$%&_{}").find(c) != std::string_view::npos) out += '\\';
    switch (c) {
      case '\\':
        out += "\\textbackslash{}";
        break;
      case '~':
        out += "\\textasciitilde{}";
        break;
      case '^':
        out += "\\textasciicircum{}";
        break;
      case '<':
        out += "\\textless{}";
        break;
      case '>':
        out += "\\textgreater{}";
        break;
      case '|':
        out += "\\textbar{}";
        break;
      case '[':  // after a line's end it would be an argument of that, as would a star
        out += "{[}";
        break;
      case '*':
        out += "{*}";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string markdown_text(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '<' || c == '&') {  // not every reader of Markdown takes a backslash before these
      out += c == '<' ? "&lt;" : "&amp;";
      continue;
    }
    const bool link = c == '(' && out.ends_with(']');
    if (link || std::string_view("\\|`*$~").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string csv_text(std::string_view text) {
  const std::string plain = without_formulas(printable(text));
  if (plain.find_first_of(",;\"") == std::string::npos) return plain;
  std::string quoted(1, '"');
  for (const char c : plain) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

std::string table_markdown(const ReportTable& table) { return markdown_of(table_in(table, kMarkdown)); }
std::string table_latex(const ReportTable& table) { return latex_of(table_in(table, kLatex)); }
std::string table_html(const ReportTable& table) { return html_of(table_in(table, kHtml)); }

std::string table_csv(const ReportTable& table) {
  std::string out =
      "task,variant,checkpoint,seeds,safe_seeds,episodes,cost_limit,normalized_return_mean,"
      "normalized_return_std,normalized_cost_mean,normalized_cost_std,return_mean,return_std,cost_mean,"
      "cost_std,share_within_limit,share_low,share_high\n";
  for (const TableRow& r : table.rows) {
    std::vector<std::string> fields = {r.task,
                                       r.variant,
                                       r.checkpoint,
                                       std::to_string(r.seeds),
                                       std::to_string(r.safe_seeds),
                                       std::to_string(r.episodes),
                                       format_number(r.cost_limit)};
    const auto add = [&](const std::optional<OverSeeds>& value) {
      fields.push_back(value ? format_number(value->mean) : "");
      fields.push_back(value ? number_or_nothing(value->deviation) : "");
    };
    add(r.normalized_return);
    add(r.normalized_cost);
    add(r.episode_return);
    add(r.episode_cost);
    for (const double share : {r.share_within_limit, r.share_interval.low, r.share_interval.high})
      fields.push_back(format_number(share));
    out += csv_line(fields);
  }
  return out;
}

std::string evaluations_csv(const ReportTable& table, const std::vector<ScoredPolicy>& scores) {
  std::string out =
      "task,variant,checkpoint,train_seed,seed,step,env,episodes,cost_limit,normalized_return,"
      "normalized_cost,return_mean,return_std,cost_mean,cost_std,selection,candidates,flow_steps,guidance,"
      "threshold,label,data_fingerprint,policy,file\n";
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const ScoredPolicy& s = scores[i];
    const TableRow& row = table.rows[table.row_of[i]];
    const auto of_own = [&](const std::string& text) { return s.program.empty() ? text : ""; };
    std::vector<double> returns, costs;
    for (const ScoredEpisode& e : s.episodes) {
      returns.push_back(e.episode_return);
      costs.push_back(e.episode_cost);
    }
    out += csv_line(
        {row.task,
         row.variant,
         row.checkpoint,
         std::to_string(s.train_seed),
         std::to_string(s.seed),
         std::to_string(s.step),
         s.env,
         std::to_string(s.episode_count()),
         format_number(s.cost_limit),
         number_or_nothing(s.normalized_return),
         format_number(s.normalized_cost),
         format_number(s.return_mean),
         format_number(s.while_training ? s.while_training->return_std : standard_deviation(returns)),
         format_number(s.cost_mean),
         format_number(s.while_training ? s.while_training->cost_std : standard_deviation(costs)),
         s.selection,
         of_own(std::to_string(s.candidates)),
         of_own(std::to_string(s.flow_steps)),
         of_own(format_number(s.guidance)),
         s.threshold,
         s.label,
         s.data_fingerprint,
         s.policy,
         s.file});
  }
  return out;
}

std::string episodes_csv(const ReportTable& table, const std::vector<ScoredPolicy>& scores) {
  std::string out = "task,variant,checkpoint,train_seed,episode,seed,return,cost,length,terminated\n";
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const TableRow& row = table.rows[table.row_of[i]];
    for (const ScoredEpisode& e : scores[i].episodes)
      out += csv_line({row.task, row.variant, row.checkpoint, std::to_string(scores[i].train_seed),
                       std::to_string(e.episode), std::to_string(e.seed), format_number(e.episode_return),
                       format_number(e.episode_cost), std::to_string(e.length), e.terminated ? "1" : "0"});
  }
  return out;
}

}  // namespace r2pac
