// What `r2pac bench` writes: a Markdown table as the rows come, JSON, and CSV; and the comparison of two of
// its files.
#pragma once

#include <string>
#include <vector>

#include "bench/measure.h"

namespace r2pac {

/// What is true of all rows: program, machine, device.
struct BenchFacts {
  std::string suite, processor, utc;
  std::string precision;                      ///< of the products; empty for the suite `peak`, which has each
  std::string instruction_set, dense_layers;  ///< of the CPU
  std::string device;                         ///< of CUDA
  bool on_cuda = false, timed = true;
  double product_gflops = 0, copy_gigabytes_per_second = 0;  ///< peaks of a CUDA device
};
BenchFacts bench_facts(const std::string& suite, const BenchTarget& target);

/// A Markdown table, whose columns depend on suite and device: what stands above its rows, and one of them.
std::string bench_head(const BenchFacts& facts);
std::string bench_line(const BenchFacts& facts, const BenchRow& row);

std::string bench_json(const BenchFacts& facts, const std::vector<BenchRow>& rows);
/// A line of titles, and one of each row, with the facts repeated in it.
std::string bench_csv(const BenchFacts& facts, const std::vector<BenchRow>& rows);

/// Prints the rows of two files of `bench --json` beside each other. A row is slower where its median grew by
/// more than `percent` and its quartiles lie apart from the old ones. Returns whether one is slower. Throws
/// Error(data): a file that is not of `bench`, or two without a common row.
bool compare_benches(const std::string& before, const std::string& after, double percent);

}  // namespace r2pac
