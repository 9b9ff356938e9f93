// Runs a recorded program: a list of task groups on a fixed set of threads.
//
// Within a group the work is cut into tasks that do not depend on the number of threads; threads take the
// next task from a counter. Since no value depends on who computed it, results have the same bits for any
// number of threads. Threads meet only between groups, and nobody waits for one that comes late: it misses
// the group.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "engine/tensor.h"
#include "engine/waiting.h"
#include "kernels/memory.h"

namespace r2pac {

/// `tasks` pieces of work that may run side by side and in any order.
struct TaskGroup {
  int tasks = 0;
  std::function<void(int task, std::byte* memory)> run;
};

/// Worker threads that outlive many programs. The calling thread is one of them.
class ThreadPool {
 public:
  /// threads >= 1. Throws InvalidArgument otherwise.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Runs all tasks of the group; memory[t] is handed to thread t. Returns when all are done.
  /// The first exception thrown by a task is rethrown here.
  void run(const TaskGroup& group, const std::vector<std::byte*>& memory);

 private:
  void work(int thread);
  void take_tasks(int thread) noexcept;

  std::vector<std::thread> workers_;
  const TaskGroup* group_ = nullptr;
  const std::vector<std::byte*>* memory_ = nullptr;
  std::exception_ptr failure_;
  std::atomic_flag failed_;
  alignas(64) std::atomic<int> next_{0};
  /// Number of the group, whether workers may still join it, and how many are in it (executor.cpp).
  alignas(64) Awaited state_;
  /// 1 when the last worker has left a group that none may join any more.
  alignas(64) Awaited left_;
  std::atomic<bool> stop_{false};
};

}  // namespace r2pac
