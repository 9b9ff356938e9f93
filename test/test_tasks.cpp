// The table of tasks and the names by which they are found.
#include <catch2/catch.hpp>
#include <cctype>
#include <set>
#include <string>

#include "base/error.h"
#include "model/tasks.h"

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

TEST_CASE("a row of the table, number by number") {
  const Task& task = find_task("CarButton2");
  CHECK(task.observation_dim == 88);
  CHECK(task.action_dim == 2);
  CHECK(task.episode_steps == 1000);
  CHECK(task.min_return == 0.001767391717990563);
  CHECK(task.max_return == 41.99513815522894);
  CHECK(task.max_cost == 300);
  CHECK(task.alpha == 0.5);
  CHECK(task.penalty == 10);
  CHECK(task.reward_scale == 200);
  CHECK(find_task("HalfCheetahVelocity").chunk_length == 1);
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
