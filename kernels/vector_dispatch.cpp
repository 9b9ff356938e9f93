// Chooses the table of the current instruction set.
#include "kernels/vector_kernels.h"

namespace r2pac {

#if defined(__aarch64__)
#define R2_FOR_EACH_ISA(X) X(neon)
#else
#define R2_FOR_EACH_ISA(X) X(baseline) X(avx2) X(avx512)
#endif

#define R2_DECLARE_TABLES(name)                    \
  namespace name {                                 \
  extern const VectorKernels<float> float_table;   \
  extern const VectorKernels<double> double_table; \
  }
R2_FOR_EACH_ISA(R2_DECLARE_TABLES)

namespace {

template <class T>
struct Entry {
  Isa isa;
  const VectorKernels<T>* table;
};
#define R2_FLOAT_ENTRY(name) {Isa::name, &name::float_table},
#define R2_DOUBLE_ENTRY(name) {Isa::name, &name::double_table},
constexpr Entry<float> kFloatTables[] = {R2_FOR_EACH_ISA(R2_FLOAT_ENTRY)};
constexpr Entry<double> kDoubleTables[] = {R2_FOR_EACH_ISA(R2_DOUBLE_ENTRY)};

template <class T, std::size_t N>
const VectorKernels<T>& table_of(const Entry<T> (&tables)[N], Isa isa) {
  for (const Entry<T>& entry : tables)
    if (entry.isa == isa) return *entry.table;
  return *tables[0].table;
}

}  // namespace

template <>
const VectorKernels<float>& vector_kernels(Isa isa) {
  return table_of(kFloatTables, isa);
}

template <>
const VectorKernels<double>& vector_kernels(Isa isa) {
  return table_of(kDoubleTables, isa);
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
