#include "kernels/isa.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/nearest.h"

namespace r2pac {
namespace {

#if defined(__aarch64__)
bool supported(Isa isa) { return isa == Isa::neon; }
bool supports_bf16_products() { return false; }
#else
bool supported(Isa isa) {
  switch (isa) {
    case Isa::baseline:
      return true;
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case Isa::neon:
      return false;
  }
  return false;
}
bool supports_bf16_products() { return __builtin_cpu_supports("avx512bf16"); }
#endif

Isa choose_isa() {
  if (const char* forced = std::getenv("R2PAC_ISA")) {
    std::vector<std::string> names;
    for (const Isa isa : kIsas) {
      names.push_back(isa_name(isa));
      if (forced != names.back()) continue;
      if (supported(isa)) return isa;
      throw Error(ExitCode::settings, "this processor has no " + names.back(), "R2PAC_ISA",
                  "unset R2PAC_ISA or name a smaller instruction set");
    }
    throw Error(ExitCode::settings, "unknown instruction set `" + std::string(forced) + "`", "R2PAC_ISA",
                did_you_mean(forced, names));
  }
  Isa best = kIsas[0];
  for (const Isa isa : kIsas)
    if (supported(isa)) best = isa;
  return best;
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
    case Isa::neon:
      return "neon";
  }
  return "?";
}

Isa current_isa() {
  static const Isa chosen = choose_isa();
  return chosen;
}

bool has_bf16_products() { return current_isa() == Isa::avx512 && supports_bf16_products(); }

}  // namespace r2pac
