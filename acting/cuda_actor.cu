#include <cstdlib>

#include "acting/cuda_actor.cuh"
#include "acting/fused_action.cuh"
#include "acting/layered_action.cuh"
#include "base/error.h"
#include "base/nearest.h"

namespace r2pac::cuda {
namespace {

/// The fused kernel. It knows no reward critics: they are asked after it, by library products, so that its
/// chunks do not depend on whether Q_r is wanted.
class FusedActor final : public Actor<float> {
 public:
  FusedActor(const ActorSpec<float>& spec, Queue& queue)
      : queue_(queue),
        kernel_(spec.weights, spec.flow, spec.candidates, queue.precision()),
        q_reward_(spec, queue) {
    FusedActor::renew_weights();
  }
  void act(const ActionBuffers<float>& buffers, const ActionRequest& request) override {
    ActionRequest drawn = request;
    drawn.q_reward = false;
    queue_.make_current();
    kernel_.run(buffers, drawn, queue_.stream());
    if (request.q_reward) q_reward_.evaluate_q_reward(buffers, request.rows, request.score);
  }
  void renew_weights() override {
    queue_.make_current();
    kernel_.pack(queue_.stream());
  }
  std::string description() const override {
    return std::string("one fused kernel, ") + precision_name(queue_.precision());
  }
  int launches() const override { return 1; }

 private:
  Queue& queue_;
  FusedAction kernel_;
  LayeredAction q_reward_;
};

}  // namespace

std::unique_ptr<Actor<float>> make_actor(const ActorSpec<float>& spec, CudaDevice& device) {
  Queue& queue = device.queue();
  queue.make_current();
  const char* const given = std::getenv("R2PAC_CUDA_SAMPLER");
  const std::string wanted = given != nullptr ? given : "";
  if (!wanted.empty() && wanted != "fused" && wanted != "layered")
    throw Error(ExitCode::settings, "unknown sampler `" + wanted + "`", "R2PAC_CUDA_SAMPLER",
                did_you_mean(wanted, {"fused", "layered"}));
  if (wanted == "layered" || spec.chunks_are_given) return std::make_unique<LayeredAction>(spec, queue);
  const std::string misfit = spec.selection != Selection::least_cost
                                 ? "the kernel chooses by least cost only"
                                 : FusedAction::misfit(spec.weights, spec.flow, spec.candidates,
                                                       queue.precision(), device.shared_limit());
  if (wanted == "fused" && !misfit.empty())
    throw Error(ExitCode::settings, "the fused sampler cannot run this policy: " + misfit,
                "R2PAC_CUDA_SAMPLER", "use R2PAC_CUDA_SAMPLER=layered, or leave it unset");
  if (!misfit.empty()) return std::make_unique<LayeredAction>(spec, queue);
  return std::make_unique<FusedActor>(spec, queue);
}

}  // namespace r2pac::cuda
