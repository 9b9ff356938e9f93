#include "tools/inspect.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>

#include "base/counted.h"
#include "storage/generations.h"
#include "storage/safetensors.h"
#include "tools/command_line.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

/// Text entries longer than this are shortened in the table, not in JSON.
constexpr std::size_t kShownBytes = 200, kShownSettings = 16384;

struct Summary {
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();
  double mean = 0;
  std::size_t finite = 0;
  std::size_t non_finite = 0;
};

template <class T>
Summary summarize(std::span<const T> values) {
  Summary summary;
  for (const T element : values) {
    const auto value = static_cast<double>(element);
    if (!std::isfinite(value)) {
      ++summary.non_finite;
      continue;
    }
    summary.min = std::min(summary.min, value);
    summary.max = std::max(summary.max, value);
    // A running mean, because a sum of doubles near the largest would overflow.
    ++summary.finite;
    const auto count = static_cast<double>(summary.finite);
    summary.mean += value / count - summary.mean / count;
  }
  return summary;
}

/// Nothing for the element types that are listed only.
std::optional<Summary> summarize(const SafetensorsFile& file, const StoredTensor& tensor) {
  switch (tensor.type) {
    case StoredType::boolean:
      return summarize(file.get<bool>(tensor.name));
    case StoredType::u8:
      return summarize(file.get<std::uint8_t>(tensor.name));
    case StoredType::i8:
      return summarize(file.get<std::int8_t>(tensor.name));
    case StoredType::u32:
      return summarize(file.get<std::uint32_t>(tensor.name));
    case StoredType::i32:
      return summarize(file.get<std::int32_t>(tensor.name));
    case StoredType::f32:
      return summarize(file.get<float>(tensor.name));
    case StoredType::u64:
      return summarize(file.get<std::uint64_t>(tensor.name));
    case StoredType::i64:
      return summarize(file.get<std::int64_t>(tensor.name));
    case StoredType::f64:
      return summarize(file.get<double>(tensor.name));
    default:
      return std::nullopt;
  }
}

/// The file that a run folder, or a folder of checkpoints, stands for.
SafetensorsFile open_content(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return SafetensorsFile::read(path);
  const fs::path policy = path / "policy.safetensors";
  if (fs::exists(policy, ignored)) return SafetensorsFile::read(policy);
  const auto warn = [](const std::string& text) { std::cerr << "warning: " << printable(text) << '\n'; };
  for (const fs::path& folder : {path / "checkpoints", path})
    if (auto newest = newest_valid_generation(folder, {}, warn)) return std::move(newest->file);
  throw Error(ExitCode::checkpoint, "the folder holds neither policy.safetensors nor checkpoints",
              path.string(), "give a run folder or a safetensors file");
}

const char* checksum_text(const SafetensorsFile& file) { return file.checksummed() ? "verified" : "none"; }

void print_json(const SafetensorsFile& file) {
  nlohmann::ordered_json out;
  out["file"] = file.path().string();
  out["checksum"] = checksum_text(file);
  out["metadata"] = file.metadata();
  out["tensors"] = nlohmann::ordered_json::array();
  for (const StoredTensor& tensor : file.tensors()) {
    nlohmann::ordered_json row{
        {"name", tensor.name}, {"dtype", type_name(tensor.type)}, {"shape", tensor.shape}};
    for (const char* key : {"min", "max", "mean", "non_finite"}) row[key] = nullptr;
    if (const auto summary = summarize(file, tensor)) {
      if (summary->finite > 0)
        row["min"] = summary->min, row["max"] = summary->max, row["mean"] = summary->mean;
      row["non_finite"] = summary->non_finite;
    }
    out["tensors"].push_back(std::move(row));
  }
  // In ASCII, which commands no terminal; replacing, because the file's name on the disk need not be UTF-8.
  std::cout << out.dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

using Row = std::vector<std::string>;

Row table_row(const SafetensorsFile& file, const StoredTensor& tensor) {
  Row row{printable(tensor.name), type_name(tensor.type), shape_text(tensor.shape), "-", "-", "-", "-"};
  if (const auto summary = summarize(file, tensor)) {
    if (summary->finite > 0) {
      row[3] = number_text(summary->min);
      row[4] = number_text(summary->max);
      row[5] = number_text(summary->mean);
    }
    row[6] = std::to_string(summary->non_finite);
  }
  return row;
}

/// Columns as wide as their widest entry; numbers to the right.
void print_table(const std::vector<Row>& rows) {
  constexpr std::size_t kTextColumns = 3;
  std::vector<std::size_t> width(rows[0].size());
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(width[i] - row[i].size(), ' ');
      line += (i ? "  " : "") + (i < kTextColumns ? row[i] + space : space + row[i]);
    }
    std::cout << line << '\n';
  }
}

void print_text(const SafetensorsFile& file) {
  std::size_t elements = 0, bytes = 0;
  std::vector<Row> rows{{"tensor", "dtype", "shape", "min", "max", "mean", "non-finite"}};
  for (const StoredTensor& tensor : file.tensors()) {
    rows.push_back(table_row(file, tensor));
    elements += tensor.count();
    bytes += tensor.bytes();
  }
  std::cout << printable(file.path().string()) << ": " << counted(file.tensors().size(), "tensor") << ", "
            << counted(elements, "number") << ", " << counted(bytes, "byte") << ", checksum "
            << checksum_text(file) << "\n\n";
  for (const auto& [key, value] : file.metadata()) {
    const bool to_read = key == "settings";  // TOML: a line each, without its comments
    std::size_t shown = std::min(value.size(), to_read ? kShownSettings : kShownBytes);
    while (shown < value.size() && (value[shown] & 0xC0) == 0x80) --shown;  // not inside a character
    std::cout << printable(key) << " = ";
    std::istringstream lines(value.substr(0, shown));
    if (to_read)
      for (std::string line; std::getline(lines, line);)
        std::cout << (line.starts_with('#') ? "" : "\n  " + printable(line));
    else
      std::cout << printable(lines.view());
    if (shown < value.size()) std::cout << "... (" << value.size() << " bytes; `--json` shows all)";
    std::cout << '\n';
  }
  if (!file.metadata().empty()) std::cout << '\n';
  print_table(rows);
}

}  // namespace

int run_inspect(const InspectOptions& options) {
  const SafetensorsFile content = open_content(options.file);
  options.json ? print_json(content) : print_text(content);
  return 0;
}

void add_inspect(CLI::App& app, Action& action) {
  const auto [verb, options] =
      add_verb(app, action, run_inspect, "inspect", "Show what a policy, checkpoint or trace holds",
               "r2pac inspect runs/ball");
  verb->add_option("file", options->file, "safetensors file or run folder")->required();
  verb->add_flag("--json", options->json, "Print one JSON object");
}

}  // namespace r2pac
