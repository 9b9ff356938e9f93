#include "tools/interruption.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/printable.h"

namespace r2pac {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

std::atomic<int> noted{0};
static_assert(std::atomic<int>::is_always_lock_free, "signal handlers may only touch lock-free atomics");

void on_signal(int signal) {
  if (noted.exchange(signal) == 0) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void install(void (*handler)(int)) {
  for (const int signal : kSignals) {
    struct sigaction now {};
    if (sigaction(signal, nullptr, &now) != 0 || now.sa_handler == SIG_IGN) continue;
    struct sigaction wanted {};
    sigemptyset(&wanted.sa_mask);
    wanted.sa_flags = SA_RESTART;
    wanted.sa_handler = handler;
    sigaction(signal, &wanted, nullptr);
  }
}

}  // namespace

Interruption::Interruption() { install(on_signal); }
Interruption::~Interruption() { install(SIG_DFL); }

bool Interruption::requested() const { return noted.load() != 0; }

void Interruption::end(const std::string& sentence) const {
  std::fprintf(stderr, "%s\n", printable(sentence).c_str());
  std::fflush(stdout);
  const int signal = noted.load() == 0 ? SIGTERM : noted.load();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  std::_Exit(128 + signal);
}

}  // namespace r2pac
