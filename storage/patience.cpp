#include "storage/patience.h"

#include <chrono>
#include <thread>

#include "storage/posix.h"

namespace r2pac {
namespace {

using Seconds = std::chrono::seconds;
constexpr Seconds kPauses[] = {Seconds(1), Seconds(2), Seconds(4), Seconds(8), Seconds(15)};

/// False if `stop` ended the pause.
bool wait_for(Seconds pause, const std::function<bool()>& stop) {
  const auto end = std::chrono::steady_clock::now() + pause;
  while (std::chrono::steady_clock::now() < end) {
    if (stop()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

}  // namespace

void Patience::operator()(const std::function<void()>& write) const {
  for (const Seconds pause : kPauses) {
    try {
      return write();
    } catch (const DiskError& error) {
      if (!error.may_pass() || stop()) throw;
      warn(error.where() + ": " + error.what() + "; trying again in " + std::to_string(pause.count()) + " s");
    }
    if (!wait_for(pause, stop)) break;
  }
  write();
}

}  // namespace r2pac
