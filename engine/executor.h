// Runs a recorded program: a list of phases on a fixed set of threads.
//
// Within a phase the work is cut into tasks that do not depend on the number of threads; threads take the
// next task from a counter. Since no value depends on who computed it, results have the same bits for any
// number of threads. Threads meet only between phases, and nobody waits for one that comes late: it misses
// the phase.
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

/// One phase: `tasks` pieces of work that may run at once and in any order.
struct Phase {
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

  /// Runs all tasks of the phase; memory[t] is handed to thread t. Returns when all are done.
  /// The first exception thrown by a task is rethrown here.
  void run(const Phase& phase, const std::vector<std::byte*>& memory);

 private:
  void work(int thread);
  void take_tasks(int thread) noexcept;

  std::vector<std::thread> workers_;
  const Phase* phase_ = nullptr;
  const std::vector<std::byte*>* memory_ = nullptr;
  std::exception_ptr failure_;
  std::atomic_flag failed_;
  alignas(64) std::atomic<int> next_{0};
  /// Number of the phase, whether workers may still join it, and how many are in it (executor.cpp).
  alignas(64) Awaited state_;
  /// 1 when the last worker has left a phase that none may join any more.
  alignas(64) Awaited left_;
  std::atomic<bool> stop_{false};
};

}  // namespace r2pac
