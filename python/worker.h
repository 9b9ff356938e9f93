// Long work beside a Python thread that goes on answering: callbacks, warnings, Ctrl-C.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>

namespace r2pac::python {

/// Runs work in a thread of its own, so that Python code which the work calls for runs in the thread that
/// began it, and that thread sees signals meanwhile. One piece of work per object.
class Worker {
 public:
  /// Runs `work` to its end without the GIL, which the caller holds. When a request or a signal handler
  /// raises, as Ctrl-C does, `stop_requested` becomes true, further requests are dropped, and the exception
  /// is raised once the work has ended; an exception of the work itself goes first.
  void run(const std::function<void()>& work);

  /// From the work: has the waiting thread call `request`, which may use Python, and waits until it has.
  void ask(std::function<void()> request);

  /// What the work looks at between its steps. Requests may set it, too.
  std::atomic<bool> stop_requested{false};

 private:
  /// Waits for a request or the end, at most as long as a signal may wait. False at the end.
  bool wait(std::function<void()>& request);
  void answer(const std::function<void()>& request);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> request_;
  bool done_ = false;
  std::exception_ptr raised_;  // by Python code
};

}  // namespace r2pac::python
