#include "report/pictures.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <tuple>

#include "base/counted.h"
#include "envs/reach_avoid.h"
#include "policy/policy.h"
#include "report/chart.h"
#include "report/cost_map.h"
#include "report/curves.h"
#include "report/scatter.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

/// A name for files of a task: letters, digits, - and _ of it, and a number where that is taken.
class FileNames {
 public:
  std::string make(const std::string& kind, const std::string& task) {
    std::string base = kind + "-";
    for (const char c : task.substr(0, 80))
      base += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ? c : '-';
    std::string name = base;
    for (int number = 2; taken_.contains(name); ++number) name = base + "-" + std::to_string(number);
    taken_.insert(name);
    return name;
  }

 private:
  std::set<std::string> taken_;
};

/// The runs of one task and variant.
struct RunGroup {
  std::string variant;
  std::vector<const TrainingRun*> runs;
};

/// Per task, in the order given.
std::vector<std::pair<std::string, std::vector<RunGroup>>> group_runs(const std::vector<TrainingRun>& runs) {
  std::vector<VariantKeys> keys;
  for (const TrainingRun& run : runs) keys.push_back(training_keys(run.settings));
  const std::vector<std::string> variants = variant_texts(keys);
  std::vector<std::pair<std::string, std::vector<RunGroup>>> tasks;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::string& name = runs[i].settings.task;
    const std::string task = name.empty() ? "unnamed task" : task_alias(name);
    auto place = std::ranges::find_if(tasks, [&](const auto& known) { return known.first == task; });
    if (place == tasks.end()) place = tasks.insert(tasks.end(), {task, {}});
    auto& groups = place->second;
    auto group = std::ranges::find_if(groups, [&](const RunGroup& g) { return g.variant == variants[i]; });
    if (group == groups.end()) group = groups.insert(groups.end(), {variants[i], {}});
    group->runs.push_back(&runs[i]);
  }
  return tasks;
}

std::vector<Band> bands_of(const std::vector<RunGroup>& groups, const std::string& name, Spread spread) {
  std::vector<Band> bands;
  for (const RunGroup& group : groups) bands.push_back(band_over(group.runs, name, spread));
  return bands;
}

Chart chart_of(const std::string& task, const std::vector<RunGroup>& groups, Spread spread,
               const VariantLooks& looks) {
  Chart chart;
  const bool bands = std::ranges::any_of(groups, [](const RunGroup& g) { return g.runs.size() > 1; });
  chart.title = task + (!bands                        ? ""
                        : spread == Spread::deviation ? ": mean ± standard deviation over seeds"
                                                      : ": mean over seeds, band from least to greatest");
  chart.x_label = "gradient steps in thousands";
  for (const RunGroup& group : groups) {
    const VariantLooks::Look& look = looks.of(group.runs.front()->settings);
    chart.key.push_back(look.name + ", " + counted(group.runs.size(), "seed"));
    chart.looks.push_back(look.number);
  }
  return chart;
}

/// Adds a panel of a curve if any run has it.
void add_panel(Chart& chart, const std::vector<RunGroup>& groups, const std::string& curve, Spread spread,
               Panel panel) {
  panel.lines = bands_of(groups, curve, spread);
  if (panel.share)  // a flow without labels logs a share below 0, which is none
    for (Band& band : panel.lines)
      std::erase_if(band, [](const BandPoint& p) { return p.mean < 0 || p.mean > 1; });
  if (has_points(panel)) chart.panels.push_back(std::move(panel));
}

Chart learning_chart(const std::string& task, const std::vector<RunGroup>& groups,
                     const VariantLooks& looks) {
  constexpr Spread kSpread = Spread::deviation;
  Chart chart = chart_of(task, groups, kSpread, looks);
  chart.limit_text = "cost limit";
  const auto add = [&](const char* curve, const Panel& panel) {
    add_panel(chart, groups, curve, kSpread, panel);
  };
  add("eval_normalized_return", {.title = "Return", .y_label = "normalised return"});
  if (chart.panels.empty()) add("eval_return_mean", {.title = "Return", .y_label = "return per episode"});
  add("eval_normalized_cost",
      {.title = "Cost", .y_label = "normalised cost (cost / limit)", .limit = true, .cost = true});
  add("eval_share_within_limit",
      {.title = "Safe episodes", .y_label = "share within the limit", .share = true});
  const char* deviation = "standard deviation";
  add("eval_action_spread", {.title = "Spread of the candidates' first actions", .y_label = deviation});
  add("eval_q_cost_spread", {.title = "Spread of the candidates' Q_c", .y_label = deviation});
  return chart;
}

Chart training_chart(const std::string& task, const std::vector<RunGroup>& groups,
                     const VariantLooks& looks) {
  constexpr Spread kSpread = Spread::range;  // what a deviation leaves below zero, no loss is
  Chart chart = chart_of(task, groups, kSpread, looks);
  chart.columns = 4;
  const auto add = [&](const char* curve, const Panel& panel) {
    add_panel(chart, groups, curve, kSpread, panel);
  };
  for (const auto& [curve, title] :
       {std::pair{"loss_q_r", "Loss of Q_r"}, std::pair{"loss_q_c", "Loss of Q_c"},
        std::pair{"loss_v_r", "Loss of V_r"}, std::pair{"loss_v_c", "Loss of V_c"},
        std::pair{"loss_flow", "Loss of the flow"}})
    add(curve, {.title = title, .y_label = "loss", .logarithmic = true});
  add("v_c", {.title = "V_c (line) and threshold l (dotted)",
              .y_label = "discounted cost",
              .dashed = bands_of(groups, "threshold", kSpread)});
  const char* share = "share of the batch";
  add("unsafe", {.title = "Unsafe: the chunk leaves the region", .y_label = share, .share = true});
  add("good", {.title = "Labelled good", .y_label = share, .share = true});
  return chart;
}

}  // namespace

std::vector<Picture> curve_pictures(const std::vector<TrainingRun>& runs, const VariantLooks& looks) {
  std::vector<Picture> pictures;
  FileNames file_names;
  for (const auto& [task, groups] : group_runs(runs)) {
    const std::tuple<const char*, const char*, Chart> charts[] = {
        {"learning", "scores over training", learning_chart(task, groups, looks)},
        {"training", "losses, values and shares over training", training_chart(task, groups, looks)}};
    for (const auto& [kind, what, chart] : charts)
      if (!chart.panels.empty())
        pictures.push_back({file_names.make(kind, task),
                            [chart](const auto& files) { draw_chart(files, chart); }, task + ": " + what});
  }
  return pictures;
}

std::vector<Picture> score_pictures(const ReportTable& table, const std::map<std::string, TaskData>& data,
                                    const VariantLooks& looks) {
  std::vector<Picture> pictures;
  FileNames file_names;
  for (std::size_t begin = 0, end = 0; begin < table.rows.size(); begin = end) {
    const std::string& task = table.rows[begin].task;
    std::vector<const TableRow*> rows;
    for (; end < table.rows.size() && table.rows[end].task == task; ++end) rows.push_back(&table.rows[end]);
    std::vector<std::size_t> numbers;
    for (const TableRow* row : rows) numbers.push_back(looks.of(row->settings).number);
    pictures.push_back({file_names.make("scores", task),
                        [rows, numbers, &data, &task](const auto& files) {
                          const auto known = data.find(task);
                          draw_scatter(files, rows, numbers,
                                       known == data.end() ? DataCloud() : known->second.cloud);
                        },
                        task + ": return against cost"});
  }
  return pictures;
}

std::vector<Picture> map_pictures(const std::vector<TrainingRun>& runs,
                                  const std::map<std::string, TaskData>& data,
                                  const std::shared_ptr<Device>& device) {
  const auto known = data.find(task_alias(std::string(ReachAvoidTask::name)));
  std::vector<TitledMap> maps;
  for (const TrainingRun& run : runs) {
    std::error_code fault;
    if (task_alias(run.settings.task) != task_alias(std::string(ReachAvoidTask::name)) ||
        !fs::exists(fs::path(run.folder) / "policy.safetensors", fault))
      continue;
    const Policy policy = Policy::load(run.folder, device);
    if (policy.dimensions().observation != reach_avoid::kObservationDim || !policy.has_critics()) continue;
    maps.push_back({fs::weakly_canonical(run.folder).filename().string(),
                    cost_map(policy, known == data.end() ? std::vector<float>() : known->second.coverage)});
  }
  if (maps.empty()) return {};
  return {{"cost-map", [maps](const auto& files) { draw_cost_maps(files, maps); }, "V_c over the arena"}};
}

}  // namespace r2pac
