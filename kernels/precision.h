// How matrix products are computed on a device that offers a choice, and which of them.
#pragma once

namespace r2pac {

/// Operands only: sums are always fp32, and so are weights, moments, targets, heads and the flow's state.
enum class Precision {
  fp32,  ///< as stored
  tf32,  ///< rounded to 10 bits of mantissa
  bf16,  ///< rounded to 7 bits of mantissa
};

/// Where a layer stands in its network, which decides what of its products is rounded.
enum class LayerPlace {
  input,   ///< it reads data: fp32 on a CPU
  hidden,  ///< it leads from one hidden layer to the next
  head,    ///< it is the last: fp32 whatever the device's precision
};

/// "fp32", "tf32" or "bf16", as --precision spells it.
constexpr const char* precision_name(Precision precision) {
  return precision == Precision::fp32 ? "fp32" : precision == Precision::tf32 ? "tf32" : "bf16";
}

}  // namespace r2pac
