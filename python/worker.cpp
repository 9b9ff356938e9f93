#include "python/worker.h"

#include <chrono>
#include <thread>

namespace r2pac::python {

namespace py = pybind11;

void Worker::run(const std::function<void()>& work) {
  std::exception_ptr failure;
  std::thread thread([&] {
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
  });
  for (std::function<void()> request; wait(request);) answer(request);
  {
    const py::gil_scoped_release released;
    thread.join();
  }
  if (failure) std::rethrow_exception(failure);
  if (raised_) std::rethrow_exception(raised_);
}

void Worker::ask(std::function<void()> request) {
  std::unique_lock lock(mutex_);
  request_ = std::move(request);
  changed_.notify_all();
  changed_.wait(lock, [&] { return !request_; });
}

bool Worker::wait(std::function<void()>& request) {
  constexpr std::chrono::milliseconds kSignalDelay{50};
  const py::gil_scoped_release released;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kSignalDelay, [&] { return done_ || request_; });
  request = request_;
  return !done_;
}

void Worker::answer(const std::function<void()>& request) {
  try {
    if (request && !raised_) request();
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  } catch (...) {
    if (!raised_) raised_ = std::current_exception();
    stop_requested = true;
  }
  if (!request) return;
  const std::lock_guard lock(mutex_);
  request_ = nullptr;
  changed_.notify_all();
}

}  // namespace r2pac::python
