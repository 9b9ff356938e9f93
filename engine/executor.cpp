#include "engine/executor.h"

#include <utility>

#include "base/error.h"
#include "base/processors.h"

namespace r2pac {
namespace {

// The state of a pool, from the low bits: workers in the group, whether it is open, its number. The number
// may wrap round: a worker that takes a group for one that it has done already misses it, which it may.
constexpr std::uint32_t kWorkers = 0x7ff, kOpen = 0x800, kNumber = ~(kWorkers | kOpen), kNext = 0x1000;
static_assert(kMostThreads <= kWorkers);

}  // namespace

ThreadPool::ThreadPool(int threads)
    : state_(threads <= usable_processors()), left_(threads <= usable_processors()) {
  if (threads < 1 || threads > kMostThreads)
    throw InvalidArgument("ThreadPool: threads must be in [1, 1024], not " + std::to_string(threads));
  workers_.reserve(static_cast<std::size_t>(threads) - 1);
  for (int t = 1; t < threads; ++t) workers_.emplace_back([this, t] { work(t); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  state_.number += kNext;
  state_.wake();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::work(int thread) {
  std::uint32_t done = 0;
  while (true) {
    std::uint32_t state = state_.number;
    if (stop_) return;
    const std::uint32_t number = state & kNumber;
    if (!(state & kOpen) || number == done) {
      state_.wait_for_change(state);
      continue;
    }
    if (!state_.number.compare_exchange_weak(state, state + 1)) continue;
    take_tasks(thread);
    done = number;
    state = state_.number.fetch_sub(1);
    if (!(state & kOpen) && (state & kWorkers) == 1) {
      left_.number = 1;
      left_.wake();
    }
  }
}

void ThreadPool::take_tasks(int thread) noexcept {
  try {
    for (int task = next_.fetch_add(1); task < group_->tasks; task = next_.fetch_add(1))
      group_->run(task, (*memory_)[static_cast<std::size_t>(thread)]);
  } catch (...) {
    next_.store(group_->tasks);
    if (!failed_.test_and_set()) failure_ = std::current_exception();
  }
}

void ThreadPool::run(const TaskGroup& group, const std::vector<std::byte*>& memory) {
  group_ = &group;
  memory_ = &memory;
  next_.store(0, std::memory_order_relaxed);
  if (workers_.empty() || group.tasks <= 1) {
    take_tasks(0);
  } else {
    left_.number = 0;
    state_.number = (state_.number & kNumber) + kNext + kOpen;
    state_.wake();
    take_tasks(0);
    if ((state_.number.fetch_and(~kOpen) & kWorkers) > 0) left_.wait_for_change(0);
  }
  if (failed_.test()) {
    failed_.clear();
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

}  // namespace r2pac
