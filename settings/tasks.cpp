#include "settings/tasks.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/nearest.h"
#include "settings/task_widths.h"

namespace r2pac {
namespace {

constexpr std::string_view kGymnasium = "safety-gymnasium", kBullet = "bullet-safety-gym",
                           kMetaDrive = "metadrive", kBuiltIn = "built-in";
constexpr std::string_view kPaper = "paper", kOurs = "ours", kAsCar = "ours (as the Car task)";

// Columns: names; S, A, T, least and greatest return, greatest cost, trajectories; cost limit, alpha,
// penalty, reward scale, chunk length, source of these five.
constexpr Task kTasks[] = {
    // clang-format off
    {"OfflinePointGoal1Gymnasium-v0", "SafetyPointGoal1Gymnasium-v0-100-2022", kGymnasium, "PointGoal1",
     60, 2, 1000, 0.01196012764197707, 30.071114857340543, 100, 2022, 10, 0.9, 10, 200, 5, kAsCar},
    {"OfflinePointGoal2Gymnasium-v0", "SafetyPointGoal2Gymnasium-v0-200-3442", kGymnasium, "PointGoal2",
     60, 2, 1000, 0.002616959830266108, 27.717709787852737, 200, 3442, 10, 0.9, 10, 200, 5, kAsCar},
    {"OfflinePointButton1Gymnasium-v0", "SafetyPointButton1Gymnasium-v0-200-2268", kGymnasium, "PointButton1",
     76, 2, 1000, 0.008822109034937853, 41.19301568767707, 200, 2268, 10, 0.8, 10, 200, 5, kAsCar},
    {"OfflinePointButton2Gymnasium-v0", "SafetyPointButton2Gymnasium-v0-250-3288", kGymnasium, "PointButton2",
     76, 2, 1000, 0.014114166087574098, 42.8985953616709, 250, 3288, 10, 0.5, 10, 200, 5, kAsCar},
    {"OfflinePointPush1Gymnasium-v0", "SafetyPointPush1Gymnasium-v0-150-2379", kGymnasium, "PointPush1",
     76, 2, 1000, 0.0014001545292344209, 16.518654299293367, 150, 2379, 10, 0.9, 10, 200, 5, kAsCar},
    {"OfflinePointPush2Gymnasium-v0", "SafetyPointPush2Gymnasium-v0-200-3242", kGymnasium, "PointPush2",
     76, 2, 1000, 0.0012438183001730607, 14.691039145644403, 200, 3242, 10, 0.9, 10, 200, 5, kAsCar},
    {"OfflinePointCircle1Gymnasium-v0", "SafetyPointCircle1Gymnasium-v0-200-1098", kGymnasium, "PointCircle1",
     28, 2, 500, 20.067626953125, 61.72819519042969, 200, 1098, 10, 0.9, 1, 1, 5, kOurs},
    {"OfflinePointCircle2Gymnasium-v0", "SafetyPointCircle2Gymnasium-v0-300-895", kGymnasium, "PointCircle2",
     28, 2, 500, 20.478347778320312, 54.02184295654297, 299, 895, 10, 0.9, 1, 1, 5, kOurs},
    {"OfflineCarGoal1Gymnasium-v0", "SafetyCarGoal1Gymnasium-v0-120-1671", kGymnasium, "CarGoal1",
     72, 2, 1000, 0.012232819540852091, 39.907809198384705, 120, 1671, 10, 0.9, 10, 200, 5, kPaper},
    {"OfflineCarGoal2Gymnasium-v0", "SafetyCarGoal2Gymnasium-v0-200-4105", kGymnasium, "CarGoal2",
     72, 2, 1000, 0.001032874531954775, 28.902897990056502, 200, 4105, 10, 0.9, 10, 200, 5, kPaper},
    {"OfflineCarButton1Gymnasium-v0", "SafetyCarButton1Gymnasium-v0-250-2656", kGymnasium, "CarButton1",
     88, 2, 1000, 0.0028926206826067613, 44.420003345738984, 250, 2656, 10, 0.8, 10, 200, 5, kPaper},
    {"OfflineCarButton2Gymnasium-v0", "SafetyCarButton2Gymnasium-v0-300-3755", kGymnasium, "CarButton2",
     88, 2, 1000, 0.001767391717990563, 41.99513815522894, 300, 3755, 10, 0.5, 10, 200, 5, kPaper},
    {"OfflineCarPush1Gymnasium-v0", "SafetyCarPush1Gymnasium-v0-200-2871", kGymnasium, "CarPush1",
     88, 2, 1000, 0.013700173533941762, 16.304467598905237, 200, 2871, 10, 0.9, 10, 200, 5, kPaper},
    {"OfflineCarPush2Gymnasium-v0", "SafetyCarPush2Gymnasium-v0-250-4407", kGymnasium, "CarPush2",
     88, 2, 1000, 0.00029391133526335267, 15.141648491514314, 250, 4407, 10, 0.9, 10, 200, 5, kPaper},
    {"OfflineCarCircle1Gymnasium-v0", "SafetyCarCircle1Gymnasium-v0-250-1271", kGymnasium, "CarCircle1",
     40, 2, 500, 8.037073135375977, 24.94155502319336, 250, 1271, 10, 0.9, 1, 1, 5, kOurs},
    {"OfflineCarCircle2Gymnasium-v0", "SafetyCarCircle2Gymnasium-v0-400-940", kGymnasium, "CarCircle2",
     40, 2, 500, 5.113386154174805, 25.950098037719727, 398, 940, 10, 0.9, 1, 1, 5, kOurs},
    {"OfflineSwimmerVelocityGymnasium-v1", "SafetySwimmerVelocityGymnasium-v1-200-1686", kGymnasium,
     "SwimmerVelocity",
     8, 2, 1000, 0.07114458084106445, 238.95831298828125, 200, 1686, 10, 0.7, 1, 1, 5, kPaper},
    {"OfflineHopperVelocityGymnasium-v1", "SafetyHopperVelocityGymnasium-v1-250-2240", kGymnasium,
     "HopperVelocity",
     11, 3, 1000, 37.05154800415039, 1911.396728515625, 250, 2240, 10, 0.9, 1, 1, 5, kOurs},
    {"OfflineHalfCheetahVelocityGymnasium-v1", "SafetyHalfCheetahVelocityGymnasium-v1-250-2495",
     kGymnasium, "HalfCheetahVelocity",
     17, 6, 1000, 5.7509765625, 2806.93310546875, 250, 2495, 10, 0.99, 1, 1, 1, kPaper},
    {"OfflineWalker2dVelocityGymnasium-v1", "SafetyWalker2dVelocityGymnasium-v1-300-2729", kGymnasium,
     "Walker2dVelocity",
     17, 6, 1000, 18.668498992919922, 3418.223876953125, 300, 2729, 10, 0.9, 1, 1, 5, kOurs},
    {"OfflineAntVelocityGymnasium-v1", "SafetyAntVelocityGymnasium-v1-250-2249", kGymnasium, "AntVelocity",
     27, 8, 1000, 6.1519012451171875, 2976.276611328125, 250, 2249, 10, 0.95, 1, 1, 5, kPaper},
    {"OfflineBallRun-v0", "SafetyBallRun-v0-80-940", kBullet, "BallRun",
     7, 2, 100, 26.339754104614258, 1327.445556640625, 80, 940, 5, 0.5, 1, 1, 5, kPaper},
    {"OfflineCarRun-v0", "SafetyCarRun-v0-40-651", kBullet, "CarRun",
     7, 2, 200, 204.28726196289062, 574.6533203125, 40, 651, 5, 0.95, 1, 1, 5, kPaper},
    {"OfflineDroneRun-v0", "SafetyDroneRun-v0-140-1990", kBullet, "DroneRun",
     17, 4, 200, 10.557029724121094, 682.8330078125, 140, 1990, 5, 0.7, 1, 1, 5, kPaper},
    {"OfflineAntRun-v0", "SafetyAntRun-v0-150-1816", kBullet, "AntRun",
     33, 8, 200, 0.001767391717990563, 955.4818725585938, 150, 1816, 5, 0.7, 1, 1, 5, kPaper},
    {"OfflineBallCircle-v0", "SafetyBallCircle-v0-80-886", kBullet, "BallCircle",
     8, 2, 200, 0.38312244415283203, 881.46337890625, 80, 886, 5, 0.85, 1, 1, 5, kPaper},
    {"OfflineCarCircle-v0", "SafetyCarCircle-v0-100-1450", kBullet, "CarCircle",
     8, 2, 300, 3.484419822692871, 534.3060913085938, 100, 1450, 5, 0.9, 1, 1, 5, kPaper},
    {"OfflineDroneCircle-v0", "SafetyDroneCircle-v0-100-1923", kBullet, "DroneCircle",
     18, 4, 300, 207.794189453125, 996.38916015625, 100, 1923, 5, 0.7, 1, 1, 5, kPaper},
    {"OfflineAntCircle-v0", "SafetyAntCircle-v0-200-5728", kBullet, "AntCircle",
     34, 8, 500, 0.0177031010389328, 460.7091979980469, 200, 5728, 5, 0.7, 1, 1, 5, kPaper},
    {"OfflineMetadrive-easysparse-v0", "SafeMetaDrive-easysparse-v0-85-1000", kMetaDrive, "easysparse",
     261, 2, 1000, 20.094310760498047, 425.8006286621094, 82.424187, 1000, 5, 0.9, 1, 1, 5, kOurs},
    {"OfflineMetadrive-easymean-v0", "SafeMetaDrive-easymean-v0-85-1000", kMetaDrive, "easymean",
     261, 2, 1000, 22.142553329467773, 425.82440185546875, 82.386017, 1000, 5, 0.9, 1, 1, 5, kOurs},
    {"OfflineMetadrive-easydense-v0", "SafeMetaDrive-easydense-v0-85-1000", kMetaDrive, "easydense",
     261, 2, 1000, 19.71139144897461, 425.81732177734375, 80.363586, 1000, 5, 0.9, 1, 1, 5, kOurs},
    {"OfflineMetadrive-mediumsparse-v0", "SafeMetaDrive-mediumsparse-v0-50-1000", kMetaDrive, "mediumsparse",
     261, 2, 1000, 17.446578979492188, 269.80084228515625, 46.464592, 1000, 5, 0.9, 1, 1, 5, kOurs},
    {"OfflineMetadrive-mediummean-v0", "SafeMetaDrive-mediummean-v0-50-1000", kMetaDrive, "mediummean",
     261, 2, 1000, 17.032529830932617, 269.8221435546875, 46.46154, 1000, 5, 0.9, 1, 1, 5, kOurs},
    {"OfflineMetadrive-mediumdense-v0", "SafeMetaDrive-mediumdense-v0-50-1000", kMetaDrive, "mediumdense",
     261, 2, 1000, 15.102348327636719, 269.7813415527344, 46.458584, 1000, 5, 0.9, 1, 1, 5, kOurs},
    {"OfflineMetadrive-hardsparse-v0", "SafeMetaDrive-hardsparse-v0-85-1000", kMetaDrive, "hardsparse",
     261, 2, 1000, 17.247974395751953, 486.80523681640625, 85.01001, 1000, 5, 0.9, 1, 1, 5, kOurs},
    {"OfflineMetadrive-hardmean-v0", "SafeMetaDrive-hardmean-v0-85-1000", kMetaDrive, "hardmean",
     261, 2, 1000, 19.387981414794922, 486.9967956542969, 84.339951, 1000, 5, 0.9, 1, 1, 5, kOurs},
    {"OfflineMetadrive-harddense-v0", "SafeMetaDrive-harddense-v0-85-1000", kMetaDrive, "harddense",
     261, 2, 1000, 15.386894226074219, 486.63616943359375, 84.766792, 1000, 5, 0.9, 1, 1, 5, kOurs},
    {"reach-avoid", "reach-avoid", kBuiltIn, "ReachAvoid",
     7, 2, 100, 0.46, 9.46, 78, 1000, 5, 0.85, 0.2, 1, 5, kOurs},
    // clang-format on
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// Removes `-<digits>` from the end; false when there is none.
bool drop_number(std::string& name) {
  const std::size_t dash = name.find_last_not_of("0123456789");
  if (dash == std::string::npos || name[dash] != '-' || dash + 1 == name.size()) return false;
  name.resize(dash);
  return true;
}

/// Removes ` (<digits>)`, which browsers put behind a name that is taken.
void drop_copy_number(std::string& name) {
  const std::size_t open = name.rfind(" (");
  if (open == std::string::npos || open + 3 >= name.size() || name.back() != ')') return;
  const bool digits = std::all_of(name.begin() + static_cast<std::ptrdiff_t>(open) + 2, name.end() - 1,
                                  [](unsigned char c) { return std::isdigit(c) != 0; });
  if (digits) name.resize(open);
}

/// File name, lower case, without directory, `.hdf5`, ` (1)` and `-cap-count`.
std::string base_name(std::string_view path) {
  std::string name = lower(path.substr(path.find_last_of('/') + 1));
  for (const std::string_view extension : {".hdf5", ".h5"})
    if (name.ends_with(extension)) name.resize(name.size() - extension.size());
  drop_copy_number(name);
  std::string stem = name;
  return drop_number(stem) && drop_number(stem) ? stem : name;
}

const Task* lookup(std::string_view name) {
  const std::string wanted = base_name(name);
  const auto* found = std::find_if(std::begin(kTasks), std::end(kTasks), [&](const Task& task) {
    return wanted == lower(task.env_id) || wanted == base_name(task.dataset_stem) ||
           wanted == lower(task.alias);
  });
  return found == std::end(kTasks) ? nullptr : found;
}

}  // namespace

std::span<const Task> all_tasks() { return kTasks; }

const Task& find_task(std::string_view name) {
  if (const Task* task = lookup(name)) return *task;
  std::vector<std::string> aliases, names;
  for (const Task& task : kTasks) {
    aliases.emplace_back(task.alias);
    names.insert(names.end(),
                 {std::string(task.alias), std::string(task.env_id), base_name(task.dataset_stem)});
  }
  const std::string near = nearest_name(base_name(name), names);
  throw Error(ExitCode::usage, "unknown task `" + std::string(name.substr(0, 100)) + "`", "",
              near.empty() ? did_you_mean(name, aliases) : "did you mean `" + near + "`?");
}

std::optional<Task> task_from_file_name(std::string_view path) {
  const Task* task = lookup(path);
  return task ? std::optional(*task) : std::nullopt;
}

std::string task_contradiction(std::string_view path, std::string_view task) {
  const std::optional<Task> told = task_from_file_name(path);
  if (!told || task.empty() || told->alias == task) return "";
  return "the file's name tells the task " + std::string(told->alias) + ", but the task is " +
         std::string(task) + ", whose limit, scales and score bounds apply";
}

std::optional<std::string> width_conflict(const Task& task, int observation_dim, int action_dim) {
  if (observation_dim == task.observation_dim && action_dim == task.action_dim) return std::nullopt;
  const auto widths = [](int observation, int action) {
    return "observation " + std::to_string(observation) + ", action " + std::to_string(action);
  };
  return "the widths are " + widths(observation_dim, action_dim) + "; those of task " +
         std::string(task.alias) + " are " + widths(task.observation_dim, task.action_dim);
}

double normalized_return(const Task& task, double episode_return) {
  return (episode_return - task.min_return) / (task.max_return - task.min_return);
}

double normalized_cost(double episode_cost, double cost_limit) {
  const double offset = cost_limit == 0 ? 1 : 0;
  return (episode_cost + offset) / (cost_limit + offset);
}

}  // namespace r2pac
