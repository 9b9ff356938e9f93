#include <csignal>
#include <cstdio>
#include <thread>

#include "base/error.h"
#include "model/run.h"
#include "tools/console.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

std::atomic<bool> stop_requested{false}, checkpoint_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "signal handlers may only touch lock-free atomics");

/// The first SIGINT or SIGTERM saves and stops; a second one ends the program at once.
void on_stop(int signal) {
  if (stop_requested.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}
void on_checkpoint(int) { checkpoint_requested.store(true); }

void install_signals() {
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  action.sa_handler = on_stop;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = on_checkpoint;
  sigaction(SIGUSR1, &action, nullptr);
}

}  // namespace

int resolve_threads(int flag) {
  if (flag < 0) throw Error(ExitCode::usage, "--threads must be at least 1", "--threads", "leave it out to use all processors");
  return flag > 0 ? flag : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace r2pac
