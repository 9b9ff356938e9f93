// How matrix products are computed on a device that offers a choice.
#pragma once

namespace r2pac {

/// Operands only: sums are always fp32, and so are weights, moments, targets, heads and the flow's state.
enum class Precision {
  fp32,  ///< as stored
  tf32,  ///< rounded to 10 bits of mantissa
  bf16,  ///< rounded to 7 bits of mantissa
};

/// "fp32", "tf32" or "bf16", as --precision spells it.
constexpr const char* precision_name(Precision precision) {
  return precision == Precision::fp32 ? "fp32" : precision == Precision::tf32 ? "tf32" : "bf16";
}

}  // namespace r2pac
