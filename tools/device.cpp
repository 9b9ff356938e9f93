#include "tools/device.h"

#include <cstdio>

#include "base/processors.h"
#include "tools/command_line.h"

namespace r2pac {

void add_device_flags(CLI::App& verb, DeviceFlags& flags) {
  OptionGroup group(verb, "Machine");
  verb.add_option("--device", flags.device, "auto, cpu, cuda, cuda:N, or cuda-host in a build with it")
      ->capture_default_str();
  verb.add_option(
          "--threads", flags.threads,
          "Threads of the CPU; 0: R2PAC_THREADS, or all processors that it may use. No result depends "
          "on it")
      ->capture_default_str();
  add_choice(verb, "--precision", flags.precision, precision_name,
             {Precision::fp32, Precision::tf32, Precision::bf16},
             "Operands of matrix products: fp32 (if not given); on CUDA tf32 or bf16; on a CPU with AVX-512 "
             "BF16 bf16");
}

std::shared_ptr<Device> open_device(const DeviceFlags& flags) {
  return make_device(flags.device, thread_count(flags.threads, "--threads"), flags.precision,
                     [](const std::string& remark) { std::fprintf(stderr, "note: %s\n", remark.c_str()); });
}

}  // namespace r2pac
