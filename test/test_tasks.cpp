// The table of tasks and the names by which they are found.
#include <catch2/catch.hpp>
#include <cctype>
#include <set>
#include <string>

#include "base/error.h"
#include "settings/settings.h"
#include "settings/task_widths.h"

using namespace r2pac;

TEST_CASE("the benchmark's tasks are complete and sane") {
  int benchmark = 0, gymnasium = 0, bullet = 0, metadrive = 0, from_paper = 0;
  std::set<std::string_view> aliases, ids, stems;
  double return_sum = 0;
  int trajectories = 0;
  for (const Task& task : all_tasks()) {
    INFO(task.alias);
    CHECK(aliases.insert(task.alias).second);
    CHECK(ids.insert(task.env_id).second);
    CHECK(stems.insert(task.dataset_stem).second);
    CHECK(task.observation_dim > 0);
    CHECK(task.action_dim > 0);
    CHECK(task.max_return > task.min_return);
    CHECK(task.cost_limit > 0);
    CHECK((task.alpha > 0 && task.alpha < 1));
    CHECK((task.penalty > 0 && task.reward_scale > 0 && task.chunk_length >= 1));
    if (task.family == "built-in") continue;
    ++benchmark;
    gymnasium += task.family == "safety-gymnasium";
    bullet += task.family == "bullet-safety-gym";
    metadrive += task.family == "metadrive";
    from_paper += task.hyperparameter_source == "paper";
    return_sum += task.max_return - task.min_return;
    trajectories += task.trajectories;
    // The published name ends in the trajectory count.
    CHECK(task.dataset_stem.ends_with(std::string("-").append(std::to_string(task.trajectories))));
    CHECK(task.cost_limit == (task.family == "safety-gymnasium" ? 10 : 5));
  }
  CHECK(benchmark == 38);
  CHECK(gymnasium == 21);
  CHECK(bullet == 8);
  CHECK(metadrive == 9);
  CHECK(from_paper == 17);  // 6 Car, 3 Velocity and 8 Bullet tasks
  // Sums over the published table, so that a slip in any row shows.
  CHECK(trajectories == 76093);
  CHECK(return_sum == Approx(21100.87849641499).epsilon(1e-13));  // 76 additions of doubles
}

TEST_CASE("a task is found by each of its names") {
  for (const Task& task : all_tasks())
    for (const std::string_view name : {task.env_id, task.dataset_stem, task.alias}) {
      std::string other_case(name);
      for (char& c : other_case) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      CHECK(find_task(name).alias == task.alias);
      CHECK(find_task(other_case).alias == task.alias);
      CHECK(find_task("/some/folder/" + std::string(name) + ".hdf5").alias == task.alias);
    }
  for (const char* name : {"SafetyBallRun-v0", "OfflineBallRun-v0", "SafetyBallRun-v0-80-900", "ballrun",
                           "x/BallRun.hdf5", "SafetyBallRun-v0-1-2.HDF5"})
    CHECK(find_task(name).alias == "BallRun");
  // The same robot and course in two simulators.
  CHECK(find_task("CarCircle").family == "bullet-safety-gym");
  CHECK(find_task("CarCircle1").family == "safety-gymnasium");
}

TEST_CASE("rows of the table, number by number") {
  struct Row {
    const char* alias;
    int observation_dim, action_dim, episode_steps;
    double min_return, max_return, max_cost;
    int trajectories;
    double cost_limit, alpha, penalty, reward_scale;
    int chunk_length;
  };
  // Typed from the published table; one of each family, robot and course, and each odd value.
  for (const Row& row : {
           Row{"CarGoal1", 72, 2, 1000, 0.012232819540852091, 39.907809198384705, 120, 1671, 10, 0.9, 10, 200,
               5},
           Row{"CarButton1", 88, 2, 1000, 0.0028926206826067613, 44.420003345738984, 250, 2656, 10, 0.8, 10,
               200, 5},
           Row{"CarButton2", 88, 2, 1000, 0.001767391717990563, 41.99513815522894, 300, 3755, 10, 0.5, 10,
               200, 5},
           Row{"PointCircle2", 28, 2, 500, 20.478347778320312, 54.02184295654297, 299, 895, 10, 0.9, 1, 1, 5},
           Row{"SwimmerVelocity", 8, 2, 1000, 0.07114458084106445, 238.95831298828125, 200, 1686, 10, 0.7, 1,
               1, 5},
           Row{"HopperVelocity", 11, 3, 1000, 37.05154800415039, 1911.396728515625, 250, 2240, 10, 0.9, 1, 1,
               5},
           Row{"HalfCheetahVelocity", 17, 6, 1000, 5.7509765625, 2806.93310546875, 250, 2495, 10, 0.99, 1, 1,
               1},
           Row{"AntVelocity", 27, 8, 1000, 6.1519012451171875, 2976.276611328125, 250, 2249, 10, 0.95, 1, 1,
               5},
           Row{"BallRun", 7, 2, 100, 26.339754104614258, 1327.445556640625, 80, 940, 5, 0.5, 1, 1, 5},
           Row{"DroneCircle", 18, 4, 300, 207.794189453125, 996.38916015625, 100, 1923, 5, 0.7, 1, 1, 5},
           Row{"AntCircle", 34, 8, 500, 0.0177031010389328, 460.7091979980469, 200, 5728, 5, 0.7, 1, 1, 5},
           Row{"mediumdense", 261, 2, 1000, 15.102348327636719, 269.7813415527344, 46.458584, 1000, 5, 0.9, 1,
               1, 5},
           Row{"hardmean", 261, 2, 1000, 19.387981414794922, 486.9967956542969, 84.339951, 1000, 5, 0.9, 1, 1,
               5},
       }) {
    INFO(row.alias);
    const Task& task = find_task(row.alias);
    CHECK(task.observation_dim == row.observation_dim);
    CHECK(task.action_dim == row.action_dim);
    CHECK(task.episode_steps == row.episode_steps);
    CHECK(task.min_return == row.min_return);
    CHECK(task.max_return == row.max_return);
    CHECK(task.max_cost == row.max_cost);
    CHECK(task.trajectories == row.trajectories);
    const Settings settings = preset(task);
    CHECK(settings.task == row.alias);
    CHECK(settings.cost_limit == row.cost_limit);
    CHECK(settings.alpha == row.alpha);
    CHECK(settings.penalty == row.penalty);
    CHECK(settings.reward_scale == row.reward_scale);
    CHECK(settings.chunk_length == row.chunk_length);
    // A preset sets these six and nothing else.
    for (const SettingDifference& d : differences(Settings{}, settings))
      CHECK((d.key == "task" || d.key == "cost_limit" || d.key == "alpha" || d.key == "penalty" ||
             d.key == "reward_scale" || d.key == "chunk_length"));
  }
}

TEST_CASE("an unknown task is refused with the nearest name") {
  const auto message = [](const char* name) -> std::pair<std::string, std::string> {
    try {
      find_task(name);
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::usage);
      return {error.what(), error.todo()};
    }
    return {"found", ""};
  };
  CHECK(message("BalRun") ==
        std::pair<std::string, std::string>("unknown task `BalRun`", "did you mean `BallRun`?"));
  CHECK(message("OfflineDroneCircel-v0").second == "did you mean `OfflineDroneCircle-v0`?");
  // Only the numbers of a published name may differ, and both must be there.
  CHECK(message("BallRun-80").first == "unknown task `BallRun-80`");
  CHECK(message("SafetyBallRun-v0-80-").first == "unknown task `SafetyBallRun-v0-80-`");
  CHECK(message("").second.find("ReachAvoid") != std::string::npos);
  CHECK(message("zzzzzzzzzz").second.find("BallRun") != std::string::npos);
  // A name of a mebibyte is refused without being repeated or compared letter by letter.
  CHECK(message(std::string(1 << 20, 'a').c_str()).first == "unknown task `" + std::string(100, 'a') + "`");
}

TEST_CASE("a file's name tells its task, or nothing") {
  CHECK(task_from_file_name("/data/SafetyDroneRun-v0-140-500.hdf5")->alias == "DroneRun");
  CHECK(task_from_file_name("reach-avoid.hdf5")->family == "built-in");
  CHECK_FALSE(task_from_file_name("/BallRun/mine.hdf5"));
  CHECK_FALSE(task_from_file_name(""));
  CHECK_FALSE(task_from_file_name("/"));
}

TEST_CASE("normalised scores") {
  const Task& task = find_task("BallRun");
  CHECK(normalized_return(task, task.min_return) == 0);
  CHECK(normalized_return(task, task.max_return) == 1);
  CHECK(normalized_return(task, 2 * task.max_return - task.min_return) == Approx(2));  // not clipped
  CHECK(normalized_return(task, 0) < 0);
  CHECK(normalized_cost(5, 5) == 1);
  CHECK(normalized_cost(0, 5) == 0);
  CHECK(normalized_cost(12, 5) == Approx(2.4));
  // With no cost allowed, one unit is added to both sides.
  CHECK(normalized_cost(0, 0) == 1);
  CHECK(normalized_cost(3, 0) == 4);
}

TEST_CASE("a browser's number of a copy does not hide the task, and widths that contradict it are told") {
  REQUIRE(task_from_file_name("downloads/SafetyCarRun-v0-40-651 (1).hdf5"));
  CHECK(task_from_file_name("SafetyCarRun-v0-40-651 (12).hdf5")->alias == "CarRun");
  CHECK_FALSE(task_from_file_name("SafetyCarRun-v0-40-651 ().hdf5"));
  CHECK_FALSE(task_from_file_name("SafetyCarRun-v0-40-651 (old).hdf5"));
  for (const Task& task : all_tasks())
    CHECK_FALSE(width_conflict(task, task.observation_dim, task.action_dim));
  const auto conflict = width_conflict(find_task("CarRun"), 4, 2);
  REQUIRE(conflict);
  CHECK(*conflict ==
        "the widths are observation 4, action 2; those of task CarRun are observation 7, action 2");
}
