#include "experiment/experiment.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <functional>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/nearest.h"
#include "experiment/task_sets.h"
#include "report/names.h"
#include "settings/tasks.h"
#include "settings/text_value.h"
#include "settings/toml_document.h"

namespace r2pac {
namespace {

constexpr std::size_t kMostSeeds = 1000;

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// The reader of one document. Its errors say where.
class Reader {
 public:
  explicit Reader(std::string name) : name_(std::move(name)) {}

  [[noreturn]] void fail(const toml::node& node, const std::string& what, const std::string& todo) const {
    throw Error(ExitCode::settings, what, toml_position(node, name_), todo);
  }

  /// Refuses keys of a table that are not among `allowed`.
  void allow(const toml::table& table, const std::vector<std::string>& allowed, const std::string& of) const {
    for (const auto& [key, node] : table)
      if (std::ranges::find(allowed, key.str()) == allowed.end())
        fail(node, "unknown key `" + std::string(key.str().substr(0, 100)) + "` of " + of,
             did_you_mean(key.str(), allowed));
  }

  std::string text(const toml::node& node, const std::string& key) const {
    const auto* value = node.as_string();
    if (value == nullptr) fail(node, "`" + key + "` must be a text in quotes", "");
    const std::string found = value->get();
    if (found.empty() || found.size() > 200 ||
        std::ranges::any_of(found, [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
      fail(node, "`" + key + "` must have 1 to 200 characters and no control characters", "");
    return found;
  }

  std::int64_t whole(const toml::node& node, const std::string& key, std::int64_t least,
                     std::int64_t most) const {
    const auto* value = node.as_integer();
    if (value == nullptr || value->get() < least || value->get() > most)
      fail(node,
           "`" + key + "` must be a whole number from " + std::to_string(least) + " to " +
               std::to_string(most),
           "");
    return value->get();
  }

  const toml::table& table(const toml::node& node, const std::string& key) const {
    if (!node.is_table()) fail(node, "`" + key + "` must be a table", "write " + key + " = { ... }");
    return *node.as_table();
  }

  /// Calls `each` for every member of a list that is not empty.
  void list(const toml::node& node, const std::string& key,
            const std::function<void(const toml::node&)>& each) const {
    if (!node.is_array() || node.as_array()->empty())
      fail(node, "`" + key + "` must be a list that is not empty", "write " + key + " = [ ... ]");
    for (const toml::node& member : *node.as_array()) each(member);
  }

  const toml::node& required(const toml::table& document, const std::string& key) const {
    const toml::node* node = document.get(key);
    if (node == nullptr) fail(document, "`" + key + "` is missing", "write " + key + " = [ ... ]");
    return *node;
  }

  /// The text of a setting's value, as `--set` takes it.
  std::string setting(const toml::node& node, const std::string& key) const {
    if (const auto* value = node.as_string()) return value->get();
    if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
    if (const auto* value = node.as_integer()) return format_number(value->get());
    if (const auto* value = node.as_floating_point()) return format_number(value->get());
    std::string text;
    if (const toml::array* widths = node.as_array())
      for (const toml::node& width : *widths) {
        if (!width.is_integer()) break;
        text += (text.empty() ? "" : ",") + format_number(width.as_integer()->get());
      }
    if (text.empty()) fail(node, "`" + key + "` has a value that no setting can have", "");
    return text;
  }

  using Pairs = std::vector<std::pair<std::string, std::string>>;
  /// The settings of a table; `but` are keys of it that are none.
  Pairs settings(const toml::table& table, const std::vector<std::string>& but = {}) const {
    Pairs pairs;
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (std::ranges::find(but, name) != but.end()) continue;
      for (const char* own : {"method", "task", "seed"})
        if (name == own)
          fail(node, "`" + name + "` cannot be a setting of a variant", "it has a key of its own");
      pairs.emplace_back(name, setting(node, name));
    }
    return pairs;
  }

  ExperimentTask task(const toml::node& node) const {
    ExperimentTask result;
    if (const auto* entry = node.as_table()) {
      allow(*entry, {"name", "task", "data", "env"}, "a task");
      using Member = std::pair<const char*, std::string*>;
      for (const auto& [key, member] : {Member{"name", &result.name}, Member{"task", &result.task},
                                        Member{"data", &result.data}, Member{"env", &result.env}})
        if (const toml::node* value = entry->get(key)) *member = text(*value, key);
      if (result.task.empty() && result.data.empty())
        fail(node, "a task has neither `task` nor `data`", "name the task, or a file of the data folder");
      if (result.task.empty() && result.env.empty())
        fail(node, "a task of no known name does not say where it is scored",
             "give `env`, an id of a simulator");
      if (result.env.starts_with("cmd:"))
        fail(node, "`env` would run a program of its own", "give a task or an id of a simulator");
      if (const std::filesystem::path data(result.data);
          data.is_absolute() ||
          std::ranges::any_of(data, [](const std::filesystem::path& part) { return part == ".."; }))
        fail(node, "`data` leaves the data folder", "give the name of a file in it");
    } else {
      result.task = text(node, "tasks");
    }
    if (!result.task.empty()) try {
        result.task = find_task(result.task).alias;
      } catch (const Error& error) {
        fail(node, error.what(), error.todo());
      }
    if (result.name.empty()) result.name = result.task.empty() ? result.data : result.task;
    return result;
  }

  ExperimentColumn method(const toml::node& node) const {
    ExperimentColumn column;
    column.where = toml_position(node, name_);
    const auto* entry = node.as_table();
    if (entry != nullptr && !entry->contains("method"))
      fail(node, "a member of `methods` names no method", "write { method = \"r2pac\", ... }");
    const std::string named =
        entry != nullptr ? text(*entry->get("method"), "method") : text(node, "methods");
    column.method = lower(named);  // a method that is not there is the plan's to refuse
    for (const MethodTitle& known : kMethodTitles)
      if (named == known.title) column.method = known.method;
    column.name = method_title(column.method);
    if (entry == nullptr) return column;
    if (const toml::node* value = entry->get("name")) column.name = text(*value, "name");
    column.settings = settings(*entry, {"name", "method"});
    return column;
  }

  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

/// Columns of methods and variants: `later` settings count more.
void add_settings(ExperimentColumn& column, const Reader::Pairs& later) {
  for (const auto& pair : later) {
    std::erase_if(column.settings, [&](const auto& known) { return known.first == pair.first; });
    column.settings.push_back(pair);
  }
}

/// The columns: `methods` with the settings of all and of the size, each with every variant.
std::vector<ExperimentColumn> with_variants(const Reader& reader, const toml::table& document,
                                            const std::string& size, std::vector<ExperimentColumn> methods) {
  Reader::Pairs common;
  const auto add_common = [&](const toml::node& node, const std::string& key) {
    ExperimentColumn sum{"", "", common, ""};
    add_settings(sum, reader.settings(reader.table(node, key)));
    common = sum.settings;
  };
  if (const toml::node* node = document.get("settings")) add_common(*node, "settings");
  if (const toml::node* node = document.get("sizes")) {
    const toml::table& sizes = reader.table(*node, "sizes");
    reader.allow(sizes, {std::begin(kSizes), std::end(kSizes)}, "`sizes`");
    if (const toml::node* own = sizes.get(size)) add_common(*own, size);
  }
  for (ExperimentColumn& column : methods) {
    const Reader::Pairs own = column.settings;
    column.settings = common;
    add_settings(column, own);
  }
  const toml::node* node = document.get("variants");
  if (node == nullptr) return methods;
  // toml++ sorts keys; people mean the order of the lines.
  std::vector<std::pair<std::string, const toml::node*>> variants;
  for (const auto& [key, variant] : reader.table(*node, "variants"))
    variants.emplace_back(std::string(key.str()), &variant);
  std::ranges::stable_sort(variants, [](const auto& a, const auto& b) {
    const toml::source_position x = a.second->source().begin, y = b.second->source().begin;
    return std::pair(x.line, x.column) < std::pair(y.line, y.column);
  });
  if (variants.empty()) reader.fail(*node, "`variants` has no members", "leave it out");
  std::vector<ExperimentColumn> columns;
  for (const ExperimentColumn& method : methods)
    for (const auto& [name, variant] : variants) {
      ExperimentColumn column = method;
      column.name = methods.size() == 1 ? name : method.name + ", " + name;
      column.where = toml_position(*variant, reader.name());
      add_settings(column, reader.settings(reader.table(*variant, name)));
      columns.push_back(std::move(column));
    }
  return columns;
}

template <class List, class Name>
void require_distinct(const List& list, Name name, const std::string& key, const std::string& where) {
  std::set<std::string> seen;
  for (const auto& member : list)
    if (!seen.insert(name(member)).second)
      throw Error(ExitCode::settings, "`" + key + "` has `" + name(member) + "` twice", where,
                  "give each a `name` of its own");
}

/// A size decides how much is scored, too: `published` as the file says.
void shrink_to_size(Experiment& experiment) {
  const auto shrink_curve = [&](int points, int episodes) {
    if (experiment.curve)
      experiment.curve = ExperimentCurve{std::min(experiment.curve->points, points),
                                         std::min(experiment.curve->episodes, episodes)};
  };
  if (experiment.size == "mini") shrink_curve(5, 8);
  if (experiment.size != "tiny") return;
  shrink_curve(2, 2);
  experiment.seeds.resize(1);
  experiment.scoring.episodes = std::min(experiment.scoring.episodes, 4);
}

template <std::size_t N>
std::string one_of(const Reader& reader, const toml::node& node, const std::string& key,
                   const char* const (&allowed)[N]) {
  const std::string text = reader.text(node, key);
  if (std::ranges::find(allowed, text) == std::end(allowed))
    reader.fail(node, "`" + key + "` cannot be `" + text + "`",
                did_you_mean(text, {std::begin(allowed), std::end(allowed)}));
  return text;
}

}  // namespace

Experiment parse_experiment(const std::string& text, const std::string& where, const std::string& size) {
  const Reader reader(where);
  const toml::table document = parse_toml(text, where);
  reader.allow(document,
               {"title", "tasks", "seeds", "methods", "variants", "settings", "sizes", "size", "score",
                "curve", "report"},
               "an experiment");
  Experiment e;
  e.name = std::filesystem::path(where).stem().string();
  const toml::node* title = document.get("title");
  e.title = title != nullptr ? reader.text(*title, "title") : e.name;
  reader.list(reader.required(document, "tasks"), "tasks", [&](const toml::node& node) {
    const auto* name = node.as_string();
    if (const TaskSet* set = name != nullptr ? find_task_set(name->get()) : nullptr) {
      for (const std::string_view task : set->tasks)
        e.tasks.push_back({std::string(task), std::string(task), "", ""});
    } else {
      e.tasks.push_back(reader.task(node));
    }
  });
  reader.list(reader.required(document, "seeds"), "seeds", [&](const toml::node& node) {
    e.seeds.push_back(reader.whole(node, "seeds", 0, std::int64_t{1} << 53));
    if (e.seeds.size() > kMostSeeds) reader.fail(node, "`seeds` has more than 1000 members", "");
  });
  reader.list(reader.required(document, "methods"), "methods",
              [&](const toml::node& node) { e.columns.push_back(reader.method(node)); });
  if (const toml::node* node = document.get("size")) e.size = one_of(reader, *node, "size", kSizes);
  if (!size.empty()) {
    const std::vector<std::string> sizes(std::begin(kSizes), std::end(kSizes));
    if (std::ranges::find(sizes, size) == sizes.end())
      throw Error(ExitCode::usage, "there is no size `" + size + "`", "--size", did_you_mean(size, sizes));
    e.size = size;
  }
  e.columns = with_variants(reader, document, e.size, e.columns);
  require_distinct(
      e.tasks, [](const auto& task) { return task.name; }, "tasks", where);
  require_distinct(
      e.columns, [](const auto& column) { return column.name; }, "methods", where);
  require_distinct(
      e.seeds, [](std::int64_t seed) { return std::to_string(seed); }, "seeds", where);
  if (const toml::node* node = document.get("report")) e.report = one_of(reader, *node, "report", kReports);
  if (const toml::node* node = document.get("score")) {
    const toml::table& score = reader.table(*node, "score");
    reader.allow(score, {"episodes", "seed", "cost_limit"}, "`score`");
    if (const toml::node* n = score.get("episodes"))
      e.scoring.episodes = static_cast<int>(reader.whole(*n, "episodes", 1, 1000000));
    if (const toml::node* n = score.get("seed"))
      e.scoring.seed = reader.whole(*n, "seed", 0, std::int64_t{1} << 53);
    if (const toml::node* n = score.get("cost_limit");
        n != nullptr && !(n->is_string() && *n->value<std::string>() == "task")) {
      e.scoring.cost_limit = n->is_number() ? n->value<double>() : std::nullopt;
      if (!e.scoring.cost_limit || !(*e.scoring.cost_limit >= 0) || *e.scoring.cost_limit > 1e12)
        reader.fail(*n, "`cost_limit` must be \"task\" or a number from 0 to 1e12", "");
    }
  }
  if (const toml::node* node = document.get("curve")) {
    const toml::table& curve = reader.table(*node, "curve");
    reader.allow(curve, {"points", "episodes"}, "`curve`");
    e.curve.emplace();
    if (const toml::node* n = curve.get("points"))
      e.curve->points = static_cast<int>(reader.whole(*n, "points", 1, 10000));
    if (const toml::node* n = curve.get("episodes"))
      e.curve->episodes = static_cast<int>(reader.whole(*n, "episodes", 1, 1000000));
  }
  shrink_to_size(e);
  return e;
}

Experiment read_experiment(const std::string& path, const std::string& size) {
  return parse_experiment(toml_file_text(path, "experiment"), path, size);
}

void keep_only(Experiment& experiment, const std::vector<std::string>& only) {
  std::set<std::string> tasks, methods, variants, seeds;
  const std::string form = "give for example --only task=BallRun,seed=0";
  for (const std::string& text : only)
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      const std::string item = text.substr(begin, end - begin);
      begin = end + 1;
      const std::size_t equals = item.find('=');
      const std::string key = item.substr(0, equals),
                        value = equals == std::string::npos ? "" : item.substr(equals + 1);
      std::set<std::string>* kept = key == "task"      ? &tasks
                                    : key == "method"  ? &methods
                                    : key == "variant" ? &variants
                                    : key == "seed"    ? &seeds
                                                       : nullptr;
      if (kept == nullptr || value.empty())
        throw Error(ExitCode::usage,
                    "`" + item + "` is not of the form task=, method=, variant= or seed=", "--only", form);
      kept->insert(value);
    }
  const auto fits = [](const std::set<std::string>& kept, const std::string& value) {
    return kept.empty() || kept.contains(value);
  };
  std::erase_if(experiment.tasks,
                [&](const auto& t) { return !fits(tasks, t.name) && !fits(tasks, t.task); });
  std::erase_if(experiment.columns, [&](const auto& c) {
    return !fits(variants, c.name) || (!fits(methods, c.method) && !fits(methods, method_title(c.method)));
  });
  std::erase_if(experiment.seeds, [&](std::int64_t seed) { return !fits(seeds, std::to_string(seed)); });
  if (experiment.tasks.empty() || experiment.columns.empty() || experiment.seeds.empty())
    throw Error(ExitCode::usage, "nothing of the experiment is left", "--only", form);
}

}  // namespace r2pac
