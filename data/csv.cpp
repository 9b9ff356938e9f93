#include "data/csv.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <optional>
#include <string_view>

#include "data/fence.h"

namespace r2pac {
namespace {

constexpr std::size_t kLongestLine = std::size_t{1} << 20;
constexpr std::int64_t kClaimedRows = 16384;  // rows for which memory is claimed at once

/// The lines of a text file, of bounded length.
class Lines {
 public:
  explicit Lines(const std::string& path) : file_(path, std::ios::binary), buffer_(kLongestLine) {}

  /// The next line that is not blank, without its end; nothing after the last one.
  std::optional<std::string_view> next() {
    while (file_.getline(buffer_.data(), static_cast<std::streamsize>(buffer_.size()))) {
      ++number_;
      report_progress();
      std::string_view line(buffer_.data(), static_cast<std::size_t>(file_.gcount()));
      while (!line.empty() && (line.back() == '\0' || line.back() == '\r')) line.remove_suffix(1);
      if (number_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
      if (line.find_first_not_of(" \t") != std::string_view::npos) return line;
    }
    if (!file_.eof())
      throw Error(ExitCode::data, "line " + std::to_string(number_ + 1) + " cannot be read or is too long",
                  {}, "a line may have 1 MiB");
    return std::nullopt;
  }
  std::int64_t number() const { return number_; }  ///< of the line that next() gave, from 1

 private:
  std::ifstream file_;
  std::vector<char> buffer_;
  std::int64_t number_ = 0;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

/// The cells of a line, without their quotes. Throws when a quote is not closed.
std::vector<std::string_view> cells_of(std::string_view line, char separator, std::int64_t number) {
  std::vector<std::string_view> cells;
  for (;;) {
    std::size_t begin = line.find_first_not_of(" ");
    if (begin != std::string_view::npos && line[begin] == '"') {
      const std::size_t close = line.find('"', begin + 1);
      const std::size_t end = close == std::string_view::npos ? close : line.find(separator, close);
      if (close == std::string_view::npos)
        throw Error(ExitCode::data, "line " + std::to_string(number) + " has a quote that is not closed", {},
                    "write each row on one line");
      cells.push_back(line.substr(begin + 1, close - begin - 1));
      if (end == std::string_view::npos) return cells;
      line.remove_prefix(end + 1);
      continue;
    }
    const std::size_t end = line.find(separator);
    cells.push_back(trimmed(line.substr(0, end)));
    if (end == std::string_view::npos) return cells;
    line.remove_prefix(end + 1);
  }
}

std::optional<double> number_of(std::string_view cell) {
  for (const std::string_view yes : {"True", "true", "TRUE"})
    if (cell == yes) return 1.0;
  for (const std::string_view no : {"False", "false", "FALSE"})
    if (cell == no) return 0.0;
  if (cell.starts_with('+')) cell.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc() || end != cell.data() + cell.size()) return std::nullopt;
  return value;
}

/// The number behind a name: 3 of obs_3, obs3, obs.3, obs[3] and "obs 3".
std::optional<std::int64_t> index_behind(const std::string& column, const std::string& name) {
  if (!column.starts_with(name)) return std::nullopt;
  std::string_view rest = std::string_view(column).substr(name.size());
  if (rest.ends_with(']') && rest.starts_with('[')) rest.remove_suffix(1);
  if (!rest.empty() && std::string_view("_.[ ").find(rest[0]) != std::string_view::npos)
    rest.remove_prefix(1);
  std::int64_t index = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
  const bool number = error == std::errc() && end == rest.data() + rest.size() && index >= 0;
  return number ? std::optional(index) : std::nullopt;
}

}  // namespace

CsvFile::CsvFile(const std::string& path, Budget& budget) : path_(path), budget_(budget) {
  Lines lines(path);
  const std::string line(lines.next().value_or(""));
  for (const char candidate : {';', '\t'})
    if (std::ranges::count(line, candidate) > std::ranges::count(line, separator_)) separator_ = candidate;
  for (const std::string_view cell : cells_of(line, separator_, lines.number())) header_.emplace_back(cell);
  if (std::ranges::all_of(header_, [](const std::string& cell) { return number_of(cell).has_value(); }))
    throw Error(ExitCode::data, "the first line holds no names", {},
                "name the columns in the first line: obs_0,obs_1,action_0,reward,cost,terminal,timeout");
}

std::vector<std::size_t> CsvFile::columns_of(const std::string& name) const {
  if (const auto exact = std::ranges::find(header_, name); exact != header_.end()) {
    if (std::find(exact + 1, header_.end(), name) != header_.end())
      throw array_fault(name, "is the name of several columns", "name each column differently");
    return {static_cast<std::size_t>(exact - header_.begin())};
  }
  std::map<std::int64_t, std::size_t> numbered;
  for (std::size_t i = 0; i < header_.size(); ++i)
    if (const auto index = index_behind(header_[i], name))
      if (!numbered.emplace(*index, i).second)
        throw array_fault(name, "has several columns of number " + std::to_string(*index),
                          "name each column differently");
  std::vector<std::size_t> columns;
  if (numbered.empty() || numbered.begin()->first > 1) return columns;
  for (const auto& [index, place] : numbered) {
    if (index != numbered.begin()->first + std::ssize(columns))
      throw array_fault(name, "has no column of number " + std::to_string(index - 1),
                        "number the columns without a gap");
    columns.push_back(place);
  }
  return columns;
}

NumberArray CsvFile::read(const std::string& name, ArrayKind kind) const {
  const std::vector<std::size_t> columns = columns_of(name);
  if (columns.empty()) throw array_fault(name, "is missing", "it is needed for this layout");
  NumberArray numbers;
  numbers.columns = std::ssize(columns);
  numbers.rounding.resize(columns.size());
  Lines lines(path_);
  lines.next();
  while (const auto line = lines.next()) {
    if (numbers.rows % kClaimedRows == 0)
      budget_.claim(kClaimedRows * numbers.columns * std::int64_t{sizeof(float)});
    const auto place = [&] { return " in line " + std::to_string(lines.number()); };
    const std::vector<std::string_view> cells = cells_of(*line, separator_, lines.number());
    if (cells.size() != header_.size())
      throw Error(ExitCode::data,
                  "there are " + std::to_string(cells.size()) + " cells" + place() +
                      ", the first line names " + std::to_string(header_.size()),
                  {}, "give every line one cell for each name");
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto value = number_of(cells[columns[i]]);
      if (!value)
        throw array_fault(
            header_[columns[i]],
            std::string(cells[columns[i]].empty() ? "is empty" : "is no number") + place(),
            "write numbers as 0.5, flags as 0 and 1 or true and false, and leave no cell empty");
      numbers.rounding[i].add(*value);
      numbers.values.push_back(static_cast<float>(*value));
    }
    ++numbers.rows;
  }
  check_extent(name, kind,
               {numbers.columns == 1 && kind != ArrayKind::matrix ? 1 : 2,
                static_cast<std::uint64_t>(numbers.rows), static_cast<std::uint64_t>(numbers.columns)});
  return numbers;
}

ArrayExtent CsvFile::extent(const std::string& name) const {
  throw array_fault(name, "is a column of a table", "");
}

}  // namespace r2pac
