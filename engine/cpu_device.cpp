#include "base/counted.h"
#include "base/error.h"
#include "engine/device.h"
#include "kernels/bf16.h"
#include "kernels/isa.h"

namespace r2pac {
namespace {

class CpuDevice final : public Device {
 public:
  CpuDevice(int threads, Precision precision) : pool_(threads), precision_(precision) {
    if (precision == Precision::tf32)
      throw Error(ExitCode::usage, "the CPU computes in fp32 or bf16", "--precision",
                  "leave it out, or use --device cuda");
    if (precision == Precision::bf16 && !has_bf16_products())
      throw Error(ExitCode::device, "this processor (or R2PAC_ISA) has no AVX-512 BF16", "--precision",
                  "leave it out, or use --device cuda");
  }

  std::string name() const override { return "cpu"; }
  std::string description() const override {
    return std::string("CPU, ") + isa_name(current_isa()) + ", " + counted(pool_.threads(), "thread") +
           (precision_ == Precision::fp32 ? "" : std::string(", ") + precision_name(precision_));
  }
  Memory& memory() override { return host_memory(); }
  const Backend<float>& backend(float) const override { return cpu_backend<float>(precision_); }
  const Backend<double>& backend(double) const override { return cpu_backend<double>(); }
  Precision precision() const override { return precision_; }
  ThreadPool* pool() override { return &pool_; }
  std::unique_ptr<Recording> record(const std::vector<WholeCall>&) override {
    throw InvalidArgument("Device::record: the CPU replays groups of tasks");
  }
  std::uint64_t check_interval() const override { return 1; }

 private:
  ThreadPool pool_;
  Precision precision_;
};

}  // namespace

std::shared_ptr<Device> cpu_device(int threads, Precision precision) {
  return std::make_shared<CpuDevice>(threads, precision);
}

}  // namespace r2pac
