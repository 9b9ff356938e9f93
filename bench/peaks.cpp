#include "bench/suites.h"
#include "engine/executor.h"
#include "kernels/isa.h"

namespace r2pac {

void bench_peaks(const BenchTarget& target, const RowSink& sink) {
  ThreadPool& pool = *target.device->pool();
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    if (precision == Precision::bf16 && !has_bf16_products()) continue;
    BenchTarget of_precision = target;
    of_precision.precision = precision;
    BenchRow row;
    row.name = std::string("multiply-adds, ") + precision_name(precision);
    row.shape = "registers";
    if (target.wants(row)) row.gflop = multiply_add_registers(pool, precision);
    sink(measure(row, of_precision, [&] { multiply_add_registers(pool, precision); }));
  }
  BenchRow row;
  row.name = "scaled addition";
  row.shape = "256 MiB, 1 thread";
  row.gigabytes = LargeArrays::kGigabytes;
  if (!target.wants(row)) return sink(row);
  LargeArrays arrays;
  sink(measure(row, target, [&] { arrays.scale_and_add(); }));
}

}  // namespace r2pac
