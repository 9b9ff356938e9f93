// Kernels with one fault each, which the host execution layer must find.
#pragma once

#include <string>
#include <vector>

namespace r2pac::cuda::test {

/// The names of all faults.
std::vector<std::string> fault_names();

/// Runs the kernel (or host code) with the fault of that name.
void run_fault(const std::string& name);

}  // namespace r2pac::cuda::test
