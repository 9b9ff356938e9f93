#include "data/fields.h"

#include <algorithm>

#include "data/layouts.h"

namespace r2pac {
namespace {

using Names = std::vector<std::string>;

/// The usual names of each field, the likeliest first.
const std::vector<std::pair<std::string, Names>>& usual_names() {
  static const std::vector<std::pair<std::string, Names>> table = {
      {"observations", {"observations", "obs", "observation"}},
      {"next_observations", {"next_observations", "next_obs", "observations_next", "next_observation"}},
      {"actions", {"actions", "action", "act"}},
      {"rewards", {"rewards", "reward", "rew"}},
      {"costs", {"costs", "cost", "infos/cost", "infos/costs"}},
      {"terminals", {"terminals", "terminations", "terminated", "terminal"}},
      {"timeouts", {"timeouts", "truncations", "truncated", "timeout"}},
      {"done", {"dones", "done", "episode_terminals"}}};
  return table;
}

const Names& usual_names(const std::string& field) {
  return std::ranges::find(usual_names(), field, &std::pair<std::string, Names>::first)->second;
}

std::string quoted_list(const Names& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "`" : ", `") + name + "`";
  return list;
}

Names split(const std::string& list) {
  Names parts;
  for (std::size_t begin = 0, end; begin <= list.size(); begin = end + 1) {
    end = std::min(list.find(',', begin), list.size());
    parts.push_back(list.substr(begin, end - begin));
  }
  return parts;
}

/// Puts `right` beside `left`, which has as many rows.
void append_columns(NumberArray& left, const NumberArray& right) {
  NumberArray both{
      left.rows, left.columns + right.columns, {}, left.whole_numbers && right.whole_numbers, {}};
  both.values.resize(static_cast<std::size_t>(both.rows * both.columns));
  for (std::int64_t row = 0; row < both.rows; ++row) {
    const auto to = std::copy_n(left.values.begin() + row * left.columns, left.columns,
                                both.values.begin() + row * both.columns);
    std::copy_n(right.values.begin() + row * right.columns, right.columns, to);
  }
  if (!left.rounding.empty() || !right.rounding.empty()) {
    both.rounding = left.rounding;
    both.rounding.resize(static_cast<std::size_t>(left.columns));
    both.rounding.insert(both.rounding.end(), right.rounding.begin(), right.rounding.end());
    both.rounding.resize(static_cast<std::size_t>(both.columns));
  }
  left = std::move(both);
}

}  // namespace

const std::vector<std::string>& field_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, usual] : usual_names()) all.push_back(name);
    return all;
  }();
  return names;
}

std::optional<std::string> Fields::find(const std::string& field) const {
  if (const auto named = options_.names.find(field); named != options_.names.end()) return named->second;
  for (const std::string& name : usual_names(field))
    if (file_.contains(name)) return name;
  return std::nullopt;
}

std::string Fields::need(const std::string& field) const {
  const auto name = find(field);
  const Names parts = name ? split(*name) : Names{usual_names(field).front()};
  for (const std::string& part : parts)
    if (!file_.contains(part))
      throw array_fault(
          label_ + part, "is missing",
          "the file holds " + listing(file_) + "; say which is which with --map " + field + "=NAME");
  return *name;
}

void Fields::check_rows(const NumberArray& array, const std::string& name, std::int64_t rows) const {
  if (rows != 0 && array.rows != rows)
    throw array_fault(
        label_ + name,
        "has " + std::to_string(array.rows) + " rows where " + std::to_string(rows) + " are expected",
        "all arrays must describe the same transitions");
}

NumberArray Fields::matrix(const std::string& field, std::int64_t rows) const {
  const Names parts = split(need(field));
  NumberArray all = file_.read(parts[0], ArrayKind::either);
  check_rows(all, parts[0], rows);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const NumberArray part = file_.read(parts[i], ArrayKind::either);
    check_rows(part, parts[i], all.rows);
    append_columns(all, part);
  }
  return all;
}

NumberArray Fields::actions(std::int64_t rows) const {
  NumberArray actions = matrix("actions", rows);
  if (actions.whole_numbers) refuse_discrete(label_ + *find("actions"));
  return actions;
}

NumberArray Fields::vector(const std::string& field, std::int64_t rows) const {
  const std::string name = need(field);
  NumberArray array = file_.read(name, ArrayKind::vector);
  check_rows(array, name, rows);
  return array;
}

std::vector<std::uint8_t> Fields::flags(const std::string& field, std::int64_t rows) const {
  const std::vector<float> values = vector(field, rows).values;
  std::vector<std::uint8_t> flags(values.size());
  for (std::size_t row = 0; row < values.size(); ++row)
    flags[row] = as_flag(values[row], label_ + *find(field), row);
  return flags;
}

NumberArray Fields::costs(std::int64_t rows, bool with_reset) const {
  if (options_.no_costs) return {rows, 1, std::vector<float>(static_cast<std::size_t>(rows)), false, {}};
  const auto name = find("costs");
  if (!name)
    throw Error(ExitCode::data,
                "the file holds no costs: none of " + quoted_list(usual_names("costs")) + " is there", {},
                "the file holds " + listing(file_) +
                    "; name the costs with --cost-key, or have zeros with --no-costs");
  NumberArray costs = file_.read(need("costs"), ArrayKind::vector);
  if (with_reset && costs.rows == rows + 1) {
    costs.values.erase(costs.values.begin());
    --costs.rows;
  }
  check_rows(costs, *name, rows);
  return costs;
}

}  // namespace r2pac
