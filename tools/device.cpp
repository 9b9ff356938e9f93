#include <algorithm>
#include <cstdio>
#include <thread>

#include "base/error.h"
#include "tools/verbs.h"

namespace r2pac {

int resolve_threads(int flag) {
  if (flag < 0 || flag > 1024)
    throw Error(ExitCode::usage, "--threads must be from 1 to 1024", "--threads",
                "leave it out to use all processors");
  return flag > 0 ? flag : static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 1024u));
}

std::shared_ptr<Device> open_device(const DeviceFlags& flags) {
  return make_device(flags.device, resolve_threads(flags.threads), flags.precision,
                     [](const std::string& remark) { std::fprintf(stderr, "note: %s\n", remark.c_str()); });
}

}  // namespace r2pac
