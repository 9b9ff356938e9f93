#include "experiment/task_sets.h"

namespace r2pac {

const TaskSet* find_task_set(std::string_view name) {
  static const std::vector<TaskSet> all = {
      {"paper17",
       {"CarButton1", "CarButton2", "CarPush1", "CarPush2", "CarGoal1", "CarGoal2", "AntVelocity",
        "HalfCheetahVelocity", "SwimmerVelocity", "AntRun", "BallRun", "CarRun", "DroneRun", "AntCircle",
        "BallCircle", "CarCircle", "DroneCircle"}},
      {"bullet8",
       {"AntRun", "BallRun", "CarRun", "DroneRun", "AntCircle", "BallCircle", "CarCircle", "DroneCircle"}},
      {"safety-gym15",
       {"PointButton1", "PointButton2", "PointPush1", "PointPush2", "PointGoal1", "PointGoal2", "CarButton1",
        "CarButton2", "CarPush1", "CarPush2", "CarGoal1", "CarGoal2", "AntVelocity", "HalfCheetahVelocity",
        "SwimmerVelocity"}},
      {"metadrive9",
       {"easysparse", "easymean", "easydense", "mediumsparse", "mediummean", "mediumdense", "hardsparse",
        "hardmean", "harddense"}},
  };
  for (const TaskSet& set : all)
    if (set.name == name) return &set;
  return nullptr;
}

std::string_view suite_title(std::string_view family) {
  if (family == "safety-gymnasium") return "Safety-Gymnasium";
  if (family == "bullet-safety-gym") return "Bullet-Safety-Gym";
  if (family == "metadrive") return "MetaDrive";
  if (family == "built-in") return "Built-in robot";
  return "Other";
}

}  // namespace r2pac
