#include "engine/executor.h"

#include <utility>

#include "base/error.h"
#include "base/processors.h"

namespace r2pac {
namespace {

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Waits until `value` differs from `old`: a short spin, since phases follow each other within
/// microseconds, then a sleep, since a core may have been taken away for longer.
template <class T>
void wait_for_change(const std::atomic<T>& value, T old) {
  for (int spin = 0; spin < 20000; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  if (threads < 1 || threads > kMostThreads)
    throw InvalidArgument("ThreadPool: threads must be in [1, 1024], not " + std::to_string(threads));
  workers_.reserve(static_cast<std::size_t>(threads) - 1);
  for (int t = 1; t < threads; ++t) workers_.emplace_back([this, t] { work(t); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::work(int thread) {
  std::uint32_t seen = 0;
  while (true) {
    wait_for_change(epoch_, seen);
    seen = epoch_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    take_tasks(thread);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
  }
}

void ThreadPool::take_tasks(int thread) noexcept {
  try {
    for (int task = next_.fetch_add(1); task < phase_->tasks; task = next_.fetch_add(1))
      phase_->run(task, (*memory_)[static_cast<std::size_t>(thread)]);
  } catch (...) {
    next_.store(phase_->tasks);
    if (!failed_.test_and_set()) failure_ = std::current_exception();
  }
}

void ThreadPool::run(const Phase& phase, const std::vector<std::byte*>& memory) {
  phase_ = &phase;
  memory_ = &memory;
  next_.store(0, std::memory_order_relaxed);
  if (workers_.empty() || phase.tasks == 1) {
    take_tasks(0);
  } else {
    running_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    epoch_.fetch_add(1, std::memory_order_release);
    epoch_.notify_all();
    take_tasks(0);
    for (int left = running_.load(std::memory_order_acquire); left != 0;
         left = running_.load(std::memory_order_acquire))
      wait_for_change(running_, left);
  }
  if (failed_.test()) {
    failed_.clear();
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

}  // namespace r2pac
