// The thread pool: every task once, groups in order, exceptions handed on, no processor kept from others.
#include <sched.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <ctime>
#include <stdexcept>
#include <vector>

#include "base/error.h"
#include "engine/executor.h"

using namespace r2pac;

TEST_CASE("every task of every group runs once, on any number of threads") {
  for (const int threads : {1, 2, 4, 7}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    const std::vector<std::byte*> memory(static_cast<std::size_t>(threads), nullptr);
    constexpr int tasks = 23;
    std::vector<std::atomic<int>> runs(tasks);
    int before = 0;  // written by one group, read by the next: groups do not overlap
    std::atomic<bool> ordered{true};
    const int groups = threads <= 2 ? 1000 : 50;
    for (int group = 0; group < groups; ++group) {
      pool.run({tasks,
                [&](int task, std::byte*) {
                  if (before != group) ordered = false;
                  ++runs[static_cast<std::size_t>(task)];
                }},
               memory);
      pool.run({1, [&](int, std::byte*) { ++before; }}, memory);
    }
    CHECK(ordered);
    CHECK(before == groups);
    for (const auto& count : runs) CHECK(count == groups);
    pool.run({0, [&](int, std::byte*) { ordered = false; }}, memory);
    CHECK(ordered);
  }
}

TEST_CASE("an exception of a task is rethrown and the pool goes on") {
  for (const int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    const std::vector<std::byte*> memory(static_cast<std::size_t>(threads), nullptr);
    for (int round = 0; round < 50; ++round) {
      const TaskGroup failing{9, [&](int task, std::byte*) {
                                if (task >= round % 9) throw std::runtime_error("task failed");
                              }};
      CHECK_THROWS_WITH(pool.run(failing, memory), "task failed");
      std::atomic<int> sum{0};
      pool.run({9, [&](int task, std::byte*) { sum += task; }}, memory);
      CHECK(sum == 36);
    }
  }
  CHECK_THROWS_AS(ThreadPool(0), InvalidArgument);
  CHECK_THROWS_AS(ThreadPool(-1), InvalidArgument);
  CHECK_THROWS_AS(ThreadPool(1025), InvalidArgument);
}

namespace {

double processor_seconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

TEST_CASE("threads that share one processor do not wait on it") {
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  ThreadPool pool(4);
  const std::vector<std::byte*> memory(4, nullptr);
  std::atomic<int> sum{0};
  const double start = processor_seconds();
  constexpr int groups = 500;
  for (int group = 0; group < groups; ++group) pool.run({4, [&](int, std::byte*) { ++sum; }}, memory);
  const double microseconds = 1e6 * (processor_seconds() - start) / groups;
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(sum == 4 * groups);
  // To wake three threads takes some tens of microseconds; one look of a thread at nothing took 600.
  CHECK(microseconds < 300);
}
