// Acting in one launch on a CUDA device: each block carries all candidates of one observation from noise to
// clipped chunks, scores them, and chooses.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <string>

#include "acting/candidates.h"
#include "kernels/precision.h"

namespace r2pac::cuda {

/// What candidates.h's integrate_flow, extreme_score of the cost critics, mlp_forward and select.h's
/// least_cost do, by tensor cores: the hidden layers after the first multiply operands rounded to tf32 or
/// bf16; first layers, heads and the flow's state are fp32. An observation's answer has the same bits alone
/// and among others. It does not compute reward critics.
class FusedAction {
 public:
  static constexpr int kThreads = 512;   ///< of a block
  static constexpr int kMaxWidth = 512;  ///< of a hidden layer

  /// Says why the kernel cannot run these networks; empty if it can.
  /// shared_limit: bytes of shared memory that a block may have on the device.
  static std::string misfit(const ActionWeights<float>& weights, const FlowOptions& options, int candidates,
                            Precision precision, std::size_t shared_limit);

  /// Takes memory for packed weights on the current device and keeps the pointers of `weights`, whose memory
  /// must live as long. Throws InvalidArgument with misfit's words for what cannot run on any device.
  FusedAction(const ActionWeights<float>& weights, const FlowOptions& options, int candidates,
              Precision precision);
  ~FusedAction();
  FusedAction(FusedAction&&) noexcept;
  FusedAction& operator=(FusedAction&&) noexcept;

  /// Rounds and orders the weights of all hidden layers and heads as they are now, in one launch. Needed
  /// before the first run and after every change of the weights; first layers are read where they lie.
  void pack(cudaStream_t stream);

  /// One launch of request.rows blocks. Throws InvalidArgument if the request asks for nets that are missing.
  void run(const ActionBuffers<float>& buffers, const ActionRequest& request, cudaStream_t stream);

  /// Bytes of shared memory of a block.
  std::size_t shared_bytes() const;

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace r2pac::cuda
