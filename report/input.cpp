#include "report/input.h"

#include <cmath>
#include <filesystem>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/statistics.h"
#include "settings/text_value.h"
#include "storage/atomic_file.h"
#include "storage/json.h"
#include "storage/safetensors.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kMostBytes = std::size_t{1} << 28;
constexpr std::size_t kMostValues = std::size_t{1} << 24;  // two million episodes
constexpr double kMostSteps = 0x1p53;

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw Error(ExitCode::checkpoint, what, file, "make the file anew, or leave it out");
}

/// One JSON value of our own shape: an object, its list of rows, a row.
Json parse_json(std::string_view text, const std::string& file) {
  try {
    return read_json(text, {kMostBytes, 5, kMostValues});
  } catch (const JsonFault& fault) {
    fail(file, std::string("the file ") + fault.what());
  }
}

/// The members of a JSON object, each checked when it is asked for.
class Members {
 public:
  /// prefix  of the keys in messages, such as "rows[3]."
  Members(const Json& json, const std::string& file, std::string prefix = {})
      : json_(json), file_(file), prefix_(std::move(prefix)) {
    if (!json.is_object()) fail(file_, (prefix_.empty() ? "the file" : prefix_) + " must be a JSON object");
  }

  bool has(const char* key) const { return json_.contains(key); }

  const Json& member(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) fail(file_, "`" + prefix_ + key + "` is missing");
    return *found;
  }

  std::string text(const char* key) const {
    const Json& value = member(key);
    if (!value.is_string()) must_be(key, "a text");
    return value.get<std::string>();
  }

  double number(const char* key, double least = -HUGE_VAL) const {
    const Json& value = member(key);
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() < least)
      must_be(key, least == 0 ? "a number of at least 0" : "a finite number");
    return value.get<double>();
  }

  /// A whole number from `least` to 2^53.
  std::uint64_t count(const char* key, std::uint64_t least = 0) const {
    const Json& value = member(key);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < least || value.get<double>() > kMostSteps)
      must_be(key, least == 0 ? "a whole number of at least 0" : "a whole number of at least 1");
    return value.get<std::uint64_t>();
  }

  bool flag(const char* key) const {
    const Json& value = member(key);
    if (!value.is_boolean()) must_be(key, "true or false");
    return value.get<bool>();
  }

  [[noreturn]] void must_be(const char* key, const std::string& what) const {
    fail(file_, "`" + prefix_ + key + "` must be " + what);
  }

 private:
  const Json& json_;
  const std::string& file_;
  std::string prefix_;
};

/// A mean that the file states must be that of its rows, but for rounding.
void require_mean(const Members& top, const char* key, double stated, const std::vector<double>& values) {
  double largest = 1;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  if (!(std::abs(mean(values) - stated) <= 1e-6 * largest)) top.must_be(key, "the mean over `rows`");
}

/// Whether there is a file; one that cannot be looked at is there for whoever reads it to complain.
bool is_there(const fs::path& path) {
  std::error_code fault;
  const fs::file_status status = fs::status(path, fault);
  return status.type() != fs::file_type::not_found;
}

std::string read_text(const fs::path& path) {
  const std::vector<std::byte> bytes = read_file(path, kMostBytes, ExitCode::checkpoint);
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\x89HDF"))
    throw Error(ExitCode::checkpoint, "this is an HDF5 file and holds no scores", path.string(),
                "give run folders and files of `r2pac eval`; a data set goes with --data");
  return text;
}

/// Adds the numbers of each line of a .jsonl file to the curves, `prefix` before their names. Returns the
/// last line.
std::string add_curves(const fs::path& path, const char* prefix, std::map<std::string, Curve>& curves) {
  const std::string text = read_text(path), file = path.string();
  std::size_t begin = 0, line = 0;
  std::string last;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string where = file + ":" + std::to_string(++line);
    last = text.substr(begin, end - begin);
    try {
      const Json json = parse_json(last, where);
      const std::uint64_t step = Members(json, where).count("step");
      for (const auto& [key, value] : json.items())
        if (value.is_number()) curves[prefix + key][step] = value.get<double>();
    } catch (const Error& error) {
      throw Error(error.code(), error.what(), error.where(),
                  "remove this line from the file, or give the folder's eval.json in place of the folder");
    }
  }
  return last;
}

RunEffort read_effort(const Json& json, const std::string& file) {
  const Members effort(json, file, "effort.");
  RunEffort e{effort.count("steps"), effort.number("seconds", 0), effort.number("scoring_seconds", 0),
              effort.number("gflop_per_step", 0), effort.count("host_bytes")};
  if (!effort.member("device_bytes").is_null()) e.device_bytes = effort.count("device_bytes");
  return e;
}

/// Adds the data file that a manifest names, if it names one.
void add_data_source(const DataSource& source, std::vector<DataSource>& sources) {
  if (source.path.empty() && source.fingerprint.empty()) return;
  for (const DataSource& known : sources)
    if (known.path == source.path && known.fingerprint == source.fingerprint) return;
  sources.push_back(source);
}

/// Whether the folder of an eval.json holds another policy of the name than the one that was scored.
bool is_stale(const ScoredPolicy& s) {
  const fs::path folder = fs::path(s.file).parent_path(), name = fs::path(s.policy).filename();
  for (const fs::path& policy : {folder / name, folder / "checkpoints" / name}) {
    std::error_code missing;
    if (s.policy_checksum.empty() || !fs::is_regular_file(policy, missing)) continue;
    try {
      return SafetensorsFile::read(policy).checksum() != s.policy_checksum;
    } catch (const Error&) {  // damaged: nothing can be told
    }
  }
  return false;
}

/// How a policy of this program acted.
void read_acting(const Members& top, ScoredPolicy& s) {
  s.selection = top.text("selection");
  s.label = top.text("label");
  if (top.has("act_with")) s.act_with = top.text("act_with");
  s.candidates = static_cast<std::int64_t>(top.count("candidates", 1));
  s.flow_steps = static_cast<std::int64_t>(top.count("flow_steps", 1));
  s.guidance = top.number("guidance");
  if (top.has("trained_threshold") && top.number("threshold") != top.number("trained_threshold"))
    s.threshold = top.has("l") && top.number("threshold") == top.number("l")
                      ? "l"
                      : format_number(top.number("threshold"));
}

constexpr int kMostEpisodes = 1'000'000;  // as of --eval-episodes

/// Whether the numbers can be those of some episodes.
bool is_score(const Evaluation& e) {
  return e.episodes > 0 && e.episodes <= kMostEpisodes && e.share_within_limit >= 0 &&
         e.share_within_limit <= 1;
}

TrainingRun read_run(const fs::path& folder) {
  if (!is_there(folder / "config.toml"))
    throw Error(ExitCode::usage, "the folder holds no run", folder.string(),
                "give folders made by `r2pac train`, or eval.json files");
  TrainingRun run;
  run.folder = folder.string();
  run.settings = read_settings((folder / "config.toml").string());
  run.facts = read_facts(folder / "manifest.json");
  if (is_there(folder / "metrics.jsonl")) add_curves(folder / "metrics.jsonl", "", run.curves);
  if (is_there(folder / "evaluations.jsonl")) {
    run.last_evaluation =
        parse_evaluation_line(add_curves(folder / "evaluations.jsonl", "eval_", run.curves));
    if (run.last_evaluation && !is_score(*run.last_evaluation)) run.last_evaluation.reset();
  }
  run.scored = is_there(folder / "eval.json");
  return run;
}

}  // namespace

RunFacts read_facts(const fs::path& manifest) {
  RunFacts facts;
  if (!is_there(manifest)) return facts;
  const std::string file = manifest.string();
  const Json json = parse_json(read_text(manifest), file);
  const Members top(json, file);
  const Members data(top.member("data"), file, "data.");
  facts.data = {data.text("path"), data.text("fingerprint")};
  if (top.has("version")) facts.program = top.text("version");
  if (top.has("commit")) facts.program += " (" + top.text("commit") + ")";
  if (top.has("machine")) {
    const Members machine(top.member("machine"), file, "machine.");
    facts.machine = machine.text("processor") + "; " + machine.text("device_description");
  }
  if (top.has("arguments")) {
    if (!top.member("arguments").is_array()) top.must_be("arguments", "a list of texts");
    for (const Json& word : top.member("arguments")) {
      if (!word.is_string()) top.must_be("arguments", "a list of texts");
      facts.command.push_back(word.get<std::string>());
    }
  }
  if (top.has("history")) {
    const Json& history = top.member("history");
    if (!history.is_array()) top.must_be("history", "a list");
    if (!history.empty()) facts.status = Members(history.back(), file, "history[-1].").text("status");
  }
  if (top.has("effort")) facts.effort = read_effort(top.member("effort"), file);
  return facts;
}

std::string task_alias(const std::string& name) {
  const std::optional<Task> task = task_from_file_name(name);
  return task ? std::string(task->alias) : name;
}

ScoredPolicy parse_scores(std::string_view text, const std::string& file) {
  const Json json = parse_json(text, file);
  const Members top(json, file);
  if (!top.has("format") || top.text("format") != "r2pac-eval-1")
    fail(file, "the file holds no scores: `format` must be \"r2pac-eval-1\"");
  ScoredPolicy s;
  s.file = file;
  s.policy = top.text("policy");
  s.checkpoint = top.text("checkpoint");
  s.task = top.text("task");
  s.env = top.text("env");
  s.data_fingerprint = top.text("data_fingerprint");
  if (top.has("policy_checksum")) s.policy_checksum = top.text("policy_checksum");
  s.step = top.count("step");
  s.train_seed = top.count("train_seed");
  s.seed = top.count("seed");
  s.cost_limit = top.number("cost_limit", 0);
  if (top.has("program")) {
    s.program = top.text("program");
    s.method = top.text("method");
  } else {
    read_acting(top, s);
  }
  s.return_mean = top.number("return_mean");
  s.cost_mean = top.number("cost_mean");
  s.normalized_cost = top.number("normalized_cost");
  if (top.has("normalized_return")) s.normalized_return = top.number("normalized_return");
  s.settings = parse_settings(top.text("settings"), file + ", `settings`");
  if (!s.program.empty()) s.settings.method = s.method;  // what it is called and coloured by
  const Json& rows = top.member("rows");
  if (!rows.is_array() || rows.size() != top.count("episodes", 1))
    top.must_be("rows", "a list of as many rows as `episodes` says");
  std::vector<double> returns, costs;
  for (const Json& json_row : rows) {
    const Members row(json_row, file, "rows[" + std::to_string(s.episodes.size()) + "].");
    ScoredEpisode e;
    e.episode = static_cast<std::int64_t>(row.count("episode"));
    if (!row.member("seed").is_number_unsigned()) row.must_be("seed", "a whole number of at least 0");
    e.seed = row.member("seed").get<std::uint64_t>();
    e.episode_return = row.number("return");
    e.episode_cost = row.number("cost");
    e.length = static_cast<std::int64_t>(row.count("length"));
    e.terminated = row.flag("terminated");
    returns.push_back(e.episode_return);
    costs.push_back(e.episode_cost);
    s.episodes.push_back(e);
  }
  require_mean(top, "return_mean", s.return_mean, returns);
  require_mean(top, "cost_mean", s.cost_mean, costs);
  return s;
}

std::size_t ScoredPolicy::episode_count() const {
  return while_training ? static_cast<std::size_t>(while_training->episodes) : episodes.size();
}

ScoredPolicy score_while_training(const TrainingRun& run) {
  if (!run.last_evaluation) throw InvalidArgument("score_while_training: the run has no score");
  const Evaluation& e = *run.last_evaluation;
  const Settings& settings = run.settings;
  const bool by_flow = settings.act_with == ActWith::flow;
  const bool caps = settings.method == "caps", bcrl = settings.method == "bcrl";  // which switch
  const bool one_chunk =
      settings.actor == ActorKind::gaussian || (settings.actor == ActorKind::one_step && !by_flow);
  ScoredPolicy s;
  s.file = (fs::path(run.folder) / "evaluations.jsonl").string();
  s.policy = (fs::path(run.folder) / "policy.safetensors").string();
  s.checkpoint = "last";
  s.task = settings.task;
  s.env = e.env;
  s.data_fingerprint = run.facts.data.fingerprint;
  s.step = e.step;
  s.train_seed = static_cast<std::uint64_t>(settings.seed);
  s.seed = e.seed;
  s.cost_limit = settings.cost_limit;
  s.selection = selection_name(caps ? Selection::within : bcrl ? Selection::surplus : settings.selection);
  s.label = settings.label == ActingLabel::null ? "null" : "1";
  s.act_with = by_flow ? "flow" : "";
  s.candidates = caps ? settings.heads : bcrl ? 2 : one_chunk ? 1 : settings.num_candidates;
  s.flow_steps = settings.flow_steps;
  s.guidance = settings.guidance_scale;
  s.return_mean = e.return_mean;
  s.cost_mean = e.cost_mean;
  s.normalized_cost = e.normalized_cost;
  s.normalized_return = e.normalized_return;
  s.settings = settings;
  s.while_training = e;
  return s;
}

TrainingRun read_training_run(const std::string& folder) { return read_run(folder); }

ReportInput read_report_input(const std::vector<std::string>& paths) {
  ReportInput input;
  std::set<fs::path> seen;
  const auto add_scores = [&](const fs::path& file) {
    if (!seen.insert(fs::canonical(file)).second) return;
    input.scores.push_back(parse_scores(read_text(file), file.string()));
    input.scores.back().stale = is_stale(input.scores.back());
  };
  for (const std::string& text : paths) {
    const fs::path path(text);
    std::error_code ignored;
    const fs::file_status status = fs::status(path, ignored);
    if (fs::is_directory(status)) {
      if (!seen.insert(fs::canonical(path)).second) continue;  // exists, as its status says
      input.runs.push_back(read_run(path));
      add_data_source(input.runs.back().facts.data, input.data);
      if (input.runs.back().scored) add_scores(path / "eval.json");
    } else if (fs::is_regular_file(status)) {
      add_scores(path);
      add_data_source(read_facts(path.parent_path() / "manifest.json").data, input.data);
    } else {
      throw Error(ExitCode::usage, "there is no such run folder or eval.json", text,
                  "give folders made by `r2pac train`, or files made by `r2pac eval -o FILE`");
    }
  }
  return input;
}

}  // namespace r2pac
