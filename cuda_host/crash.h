// Reports of the segmentation faults of kernels.
#pragma once

namespace r2pac::cuda_host {

/// From now on a segmentation fault of a kernel ends the program with a report like other faults. In the
/// plain build this finds most accesses outside device memory, at the grain of the alignment of allocations.
/// Not for the ASan build, which has its own reports. Call it once, in the thread that launches.
void report_crashes();

}  // namespace r2pac::cuda_host
