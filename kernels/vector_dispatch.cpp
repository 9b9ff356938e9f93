// Chooses the table of the current instruction set.
#include "kernels/vector_kernels.h"

namespace r2pac {

#define R2_DECLARE_TABLES(name)                    \
  namespace name {                                 \
  extern const VectorKernels<float> float_table;   \
  extern const VectorKernels<double> double_table; \
  }
R2_DECLARE_TABLES(baseline)
R2_DECLARE_TABLES(avx2)
R2_DECLARE_TABLES(avx512)
#undef R2_DECLARE_TABLES

template <>
const VectorKernels<float>& vector_kernels(Isa isa) {
  return isa == Isa::avx512 ? avx512::float_table
         : isa == Isa::avx2 ? avx2::float_table
                            : baseline::float_table;
}

template <>
const VectorKernels<double>& vector_kernels(Isa isa) {
  return isa == Isa::avx512 ? avx512::double_table
         : isa == Isa::avx2 ? avx2::double_table
                            : baseline::double_table;
}

template <>
const VectorKernels<float>& vector_kernels() {
  static const VectorKernels<float>& table = vector_kernels<float>(current_isa());
  return table;
}

template <>
const VectorKernels<double>& vector_kernels() {
  static const VectorKernels<double>& table = vector_kernels<double>(current_isa());
  return table;
}

}  // namespace r2pac
