// In place of dense_onednn.cpp, where nothing may be linked.
#include "base/error.h"
#include "kernels/dense.h"

namespace r2pac {

const Dense<float>& onednn_dense() {
  throw Error(ExitCode::settings, "the library has no oneDNN", "R2PAC_GEMM", "unset R2PAC_GEMM");
}

}  // namespace r2pac
