#include "kernels/isa.h"

#include <cstdlib>

#include "base/error.h"
#include "base/nearest.h"

namespace r2pac {
namespace {

bool supported(Isa isa) {
  switch (isa) {
    case Isa::baseline:
      return true;
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
  return false;
}

Isa choose_isa() {
  if (const char* forced = std::getenv("R2PAC_ISA")) {
    for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
      if (std::string(forced) != isa_name(isa)) continue;
      if (supported(isa)) return isa;
      throw Error(ExitCode::settings, "this processor has no " + std::string(forced), "R2PAC_ISA",
                  "unset R2PAC_ISA or name a smaller instruction set");
    }
    throw Error(ExitCode::settings, "unknown instruction set `" + std::string(forced) + "`", "R2PAC_ISA",
                did_you_mean(forced, {"baseline", "avx2", "avx512"}));
  }
  if (supported(Isa::avx512)) return Isa::avx512;
  return supported(Isa::avx2) ? Isa::avx2 : Isa::baseline;
}

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::baseline:
      return "baseline";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
  }
  return "?";
}

Isa current_isa() {
  static const Isa chosen = choose_isa();
  return chosen;
}

bool has_bf16_products() { return current_isa() == Isa::avx512 && __builtin_cpu_supports("avx512bf16"); }

}  // namespace r2pac
