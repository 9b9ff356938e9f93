// Kernels with one fault each, which the host execution layer must find.
#pragma once

#include <string>
#include <vector>

namespace r2pac::cuda::test {

/// The names of all faults.
std::vector<std::string> fault_names();

/// Runs the kernel (or host code) with the fault of that name.
void run_fault(const std::string& name);

/// A graph whose branches meet in every way that is right. Returns a sum of eight products 2 * 1 that came by
/// way of another branch, 1 and 128 atomic additions of 1 by both branches, a 2 that both read, and the sum
/// itself.
std::vector<float> sound_branches();

}  // namespace r2pac::cuda::test
