// The pictures of a report: curves over training, and scores among the data's episodes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/device.h"
#include "report/input.h"
#include "report/names.h"
#include "report/scatter.h"
#include "report/table.h"

namespace r2pac {

/// What pictures show of a task's data.
struct TaskData {
  DataCloud cloud;
  std::vector<float> coverage = {};  ///< arena_coverage(), of the reach-avoid task
};

/// A picture of a report before it is drawn, which takes a second or so.
struct Picture {
  std::string name;  ///< of its files, without ending
  /// Draws it into these files. What it was made from outlives it. Throws as draw_with_gnuplot().
  std::function<void(const std::vector<std::string>& files)> draw;
  std::string caption;  ///< any text
};

/// Per task of the runs: learning-TASK from evaluations.jsonl (normalised return and cost, share of episodes
/// within the limit) where a run has been scored on the way, and training-TASK from metrics.jsonl (losses,
/// V_c and threshold, shares). One line per variant: the mean over its runs, over the steps that all of them
/// have, with a band: of scores one standard deviation to both sides, of losses from the least to the
/// greatest. looks  of all that the report is about
std::vector<Picture> curve_pictures(const std::vector<TrainingRun>& runs, const VariantLooks& looks);

/// Per task of the table: scores-TASK, return against cost of each row (mean and standard deviation over
/// seeds, and the seeds) with the cost limit, over the data's episodes where `data` has the task.
std::vector<Picture> score_pictures(const ReportTable& table, const std::map<std::string, TaskData>& data,
                                    const VariantLooks& looks);

/// cost-map: the map of V_c of each run of the reach-avoid task that has a policy, with its threshold, as far
/// as the data support it where `data` has the task. The device evaluates the policies.
/// Throws Error(checkpoint) for a damaged policy, too.
std::vector<Picture> map_pictures(const std::vector<TrainingRun>& runs,
                                  const std::map<std::string, TaskData>& data,
                                  const std::shared_ptr<Device>& device);

}  // namespace r2pac
