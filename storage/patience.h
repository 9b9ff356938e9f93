// Writes that wait for a disk to recover.
#pragma once

#include <functional>
#include <string>

namespace r2pac {

struct Patience {
  std::function<void(const std::string&)> warn;  ///< a sentence for the user before each pause
  std::function<bool()> stop;                    ///< asked often during a pause: true ends it

  /// Calls `write`. Where it throws a DiskError that may pass (a full disk, an I/O error), calls it again
  /// after 1, 2, 4, 8 and 15 s; if `stop` ends a pause, once more and no later. Throws what the last call
  /// threw. `write` must be able to begin again.
  void operator()(const std::function<void()>& write) const;
};

}  // namespace r2pac
