#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "base/printable.h"
#include "storage/atomic_file.h"
#include "storage/json.h"
#include "tools/bench_output.h"

namespace r2pac {
namespace {

struct Row {
  std::string name;  // with its shape and threads, by which rows of two files belong together
  double median = 0, lower = 0, upper = 0, share = 0;
  bool noisy = false;
};

struct File {
  std::string machine;    // what must be the same for times to be comparable
  std::string precision;  // the same; files of the CPU did not always say it
  std::vector<Row> rows;
};

File read(const std::string& path) {
  const auto refuse = [&](const std::string& what) -> Error {
    return {ExitCode::data, what, path, "give two files of `r2pac bench SUITE --json`"};
  };
  const std::vector<std::byte> bytes = read_file(path, JsonLimits{}.bytes, ExitCode::data);
  nlohmann::json json;
  try {
    json = read_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  } catch (const JsonFault& fault) {
    throw refuse(std::string("its text ") + fault.what());
  }
  if (!json.is_object() || !json.contains("rows") || !json["rows"].is_array())
    throw refuse("this is not a table of `r2pac bench`");
  const auto word = [&](const char* key) {
    return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string();
  };
  File file;
  for (const char* key : {"processor", "instruction_set", "device"})
    if (!word(key).empty()) file.machine += (file.machine.empty() ? "" : ", ") + printable(word(key));
  file.precision = printable(word("precision"));
  for (const nlohmann::json& row : json["rows"]) {
    const auto positive = [&](const char* key) {
      if (!row.is_object() || !row.contains(key) || !row[key].is_number() || !(row[key].get<double>() > 0) ||
          !std::isfinite(row[key].get<double>()))
        throw refuse(std::string("a row has no positive number `") + key + "`");
      return row[key].get<double>();
    };
    Row one;
    one.median = positive("median_ms"), one.lower = positive("lower_ms"), one.upper = positive("upper_ms");
    if (!row.contains("name") || !row["name"].is_string() || !row.contains("shape") ||
        !row["shape"].is_string())
      throw refuse("a row has no name or no shape");
    one.name = printable(row["name"].get<std::string>()) + ": " + printable(row["shape"].get<std::string>());
    if (row.contains("threads") && row["threads"].is_number_integer() && row["threads"].get<long>() > 1)
      one.name += ", " + std::to_string(row["threads"].get<long>()) + " threads";
    if (row.contains("peak_fraction") && row["peak_fraction"].is_number())
      one.share = row["peak_fraction"].get<double>();
    one.noisy = row.contains("noisy") && row["noisy"].is_boolean() && row["noisy"].get<bool>();
    file.rows.push_back(one);
  }
  return file;
}

}  // namespace

bool compare_benches(const std::string& before_path, const std::string& after_path, double percent) {
  const File before = read(before_path), after = read(after_path);
  std::printf("before: %s %s\nafter:  %s %s\n", before.machine.c_str(), before.precision.c_str(),
              after.machine.c_str(), after.precision.c_str());
  if (before.machine != after.machine)
    std::printf("the machines differ, so times say little: compare the shares\n");
  if (before.precision != after.precision && !before.precision.empty() && !after.precision.empty())
    std::printf("the precisions differ, so shares are those of different peaks\n");
  std::printf(
      "\n| row | before, ms | after, ms | after / before | of peak before | after | |\n"
      "|---|---:|---:|---:|---:|---:|---|\n");
  bool slower = false, common = false;
  for (const Row& now : after.rows) {
    const auto old = std::find_if(before.rows.begin(), before.rows.end(),
                                  [&](const Row& row) { return row.name == now.name; });
    if (old == before.rows.end()) {
      std::printf("| %s | | %.3f | | | %.1f%% | only after |\n", now.name.c_str(), now.median,
                  100 * now.share);
      continue;
    }
    common = true;
    const double ratio = now.median / old->median;
    std::string verdict = old->noisy || now.noisy ? "noisy" : "";
    if (ratio > 1 + percent / 100 && now.lower > old->upper) {
      verdict = verdict.empty() ? "slower" : "slower, noisy";
      slower = true;
    } else if (1 / ratio > 1 + percent / 100 && now.upper < old->lower) {
      verdict = verdict.empty() ? "faster" : "faster, noisy";
    }
    std::printf("| %s | %.3f | %.3f | %.3f | %.1f%% | %.1f%% | %s |\n", now.name.c_str(), old->median,
                now.median, ratio, 100 * old->share, 100 * now.share, verdict.c_str());
  }
  for (const Row& old : before.rows)
    if (std::none_of(after.rows.begin(), after.rows.end(),
                     [&](const Row& row) { return row.name == old.name; }))
      std::printf("| %s | %.3f | | | %.1f%% | | only before |\n", old.name.c_str(), old.median,
                  100 * old.share);
  if (!common)
    throw Error(ExitCode::data, "the two files have no row in common", before_path + ", " + after_path,
                "compare files of one suite");
  return slower;
}

}  // namespace r2pac
