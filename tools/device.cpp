#include "tools/device.h"

#include <algorithm>
#include <cstdio>
#include <thread>

#include "base/error.h"
#include "tools/command_line.h"

namespace r2pac {

void add_device_flags(CLI::App& verb, DeviceFlags& flags) {
  verb.add_option("--device", flags.device, "auto, cpu, cuda, cuda:N, or cuda-host in a build with it")
      ->capture_default_str();
  verb.add_option("--threads", flags.threads,
                  "Threads of the CPU; 0: all processors. No result depends on it")
      ->capture_default_str();
  add_choice(
      verb, "--precision", flags.precision, precision_name,
      {Precision::fp32, Precision::tf32, Precision::bf16},
      "Operands of matrix products: fp32 (if not given); on CUDA tf32 or bf16; acting on the CPU bf16");
}

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
