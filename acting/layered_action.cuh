// Acting on a CUDA device by a graph of library products with fused kernels between them: for every
// architecture, precision, width and kind of network.
#pragma once

#include <memory>
#include <vector>

#include "acting/actor.h"
#include "kernels/cuda_backend.cuh"

namespace r2pac::cuda {

/// One graph launch per call. Observation, label and bias go through the velocity's first layer once per
/// call, the flow time once per flow step; both branches of the guidance are one batch.
class LayeredAction final : public Actor<float> {
 public:
  /// The queue and the weights' memory outlive the actor.
  LayeredAction(const ActorSpec<float>& spec, Queue& queue);

  void act(const ActionBuffers<float>& buffers, const ActionRequest& request) override;
  /// Only Q_r, of chunks that another sampler drew and of the one that it chose by least cost: `q_reward` and
  /// `chosen_q_reward`. scored: `q_cost` holds what it chose by; else it took the first chunk.
  void evaluate_q_reward(const ActionBuffers<float>& buffers, int rows, bool scored);
  std::string description() const override;
  int launches() const override { return calls_.empty() ? 0 : calls_.back().graph.size().launches; }

 private:
  /// What a captured call does: all of a request, or only its Q_r.
  struct Call {
    ActionBuffers<float> buffers;
    ActionRequest request;
    bool only_q_reward;

    bool operator==(const Call&) const = default;
  };
  struct Captured {
    Call call;
    Graph graph;
  };
  /// Working memory of a denoiser.
  struct DenoiserSpace {
    DeviceArray<float> features, time, input, state, normalized, change, predicted, inner[2];
  };
  /// Working memory for some number of observations.
  struct Workspace {
    DeviceArray<float> constant, first, hidden[2], velocity, pairs, critics[2], q_reward, q_cost, values[2],
        observations;
    std::unique_ptr<DenoiserSpace> denoiser;  ///< where there is one
    int rows;
  };
  Workspace make_workspace(int rows) const;
  std::unique_ptr<DenoiserSpace> make_denoiser_space(int rows) const;
  void run(const Call& call);
  Graph record(const Call& call);
  void enqueue(const Call& call);
  void integrate(const ActionBuffers<float>& buffers, int rows);
  void denoise(const ActionBuffers<float>& buffers, int rows);
  void say_means(const ActionBuffers<float>& buffers, int rows);
  void score(const Call& call);
  View<float> first_columns(const View<float>& states, int columns);
  void make_pairs(const float* states, int rows, int candidates, int columns, const float* chunks,
                  int chunk_dim, float* pairs);
  void forward(const std::vector<const MlpWeights<float>*>& nets, const View<float>& x, float* const* buffers,
               float* out);
  void launch(const char* name, const std::function<void(cudaStream_t)>& work);

  ActorSpec<float> spec_;
  Queue& queue_;
  CudaBackend backend_;
  FlowBranches branches_;
  std::unique_ptr<Workspace> workspace_;
  std::vector<Captured> calls_;
};

}  // namespace r2pac::cuda
