#include <algorithm>
#include <cstdlib>
#include <map>

#include "acting/cuda_actor.cuh"
#include "acting/fused_action.cuh"
#include "acting/layered_action.cuh"
#include "base/error.h"
#include "base/nearest.h"
#include "cuda/cuda.cuh"
#include "cuda/stopwatch.cuh"

namespace r2pac::cuda {
namespace {

class FusedActor final : public Actor<float> {
 public:
  FusedActor(const ActorSpec<float>& spec, Queue& queue)
      : queue_(queue), kernel_(spec.weights, spec.flow, spec.candidates, queue.precision()) {
    renew_weights();
  }
  void act(const ActionBuffers<float>& buffers, const ActionRequest& request) override {
    kernel_.run(buffers, request, queue_.stream());
  }
  void renew_weights() override { kernel_.pack(queue_.stream()); }
  std::string description() const override { return "one fused kernel"; }
  int launches() const override { return 1; }

 private:
  Queue& queue_;
  FusedAction kernel_;
};

/// Both ways, and for each number of observations the faster one, or the kernel wherever it can do it.
class EitherActor final : public Actor<float> {
 public:
  EitherActor(const ActorSpec<float>& spec, Queue& queue, bool measured)
      : spec_(spec), queue_(queue), fused_(spec, queue), layered_(spec, queue), measured_(measured) {}

  void act(const ActionBuffers<float>& buffers, const ActionRequest& request) override {
    last_ = &choose(buffers, request);
    last_->act(buffers, request);
  }
  void renew_weights() override { fused_.renew_weights(); }
  std::string description() const override {
    if (last_ != nullptr) return last_->description() + reason_;
    return measured_ ? "measured at the first call" : fused_.description();
  }
  int launches() const override { return last_ == nullptr ? 0 : last_->launches(); }

 private:
  Actor<float>& choose(const ActionBuffers<float>& buffers, const ActionRequest& request) {
    reason_ = "";
    if (request.rewards) return layered_;
    if (!measured_) return fused_;
    reason_ = " (measured the faster)";
    auto found = faster_.find(request.rows);
    if (found == faster_.end()) found = faster_.emplace(request.rows, &measure(buffers, request)).first;
    return *found->second;
  }
  /// The least of some runs of each on a copy of the candidates.
  Actor<float>& measure(const ActionBuffers<float>& given, const ActionRequest& request) {
    DeviceArray<float> candidates(static_cast<std::size_t>(request.rows) *
                                  static_cast<std::size_t>(spec_.candidates) *
                                  static_cast<std::size_t>(spec_.weights.flow.chunk_dim));
    ActionBuffers<float> buffers = given;
    buffers.candidates = candidates.data();
    R2_CUDA(cudaMemsetAsync(candidates.data(), 0, candidates.size() * sizeof(float), queue_.stream()));
    const auto seconds = [&](Actor<float>& actor) {
      const auto once = [&] { return seconds_on(queue_.stream(), [&] { actor.act(buffers, request); }); };
      once();  // warms up
      return std::min({once(), once(), once()});
    };
    return seconds(fused_) <= seconds(layered_) ? static_cast<Actor<float>&>(fused_) : layered_;
  }

  ActorSpec<float> spec_;
  Queue& queue_;
  FusedActor fused_;
  LayeredAction layered_;
  bool measured_;
  std::map<int, Actor<float>*> faster_;
  Actor<float>* last_ = nullptr;
  const char* reason_ = "";  // for which it was taken
};

}  // namespace

std::unique_ptr<Actor<float>> make_actor(const ActorSpec<float>& spec, CudaDevice& device) {
  Queue& queue = device.queue();
  const char* const given = std::getenv("R2PAC_CUDA_SAMPLER");
  const std::string wanted = given != nullptr ? given : "";
  if (!wanted.empty() && wanted != "fused" && wanted != "layered")
    throw Error(ExitCode::settings, "unknown sampler `" + wanted + "`", "R2PAC_CUDA_SAMPLER",
                did_you_mean(wanted, {"fused", "layered"}));
  if (wanted == "layered" || spec.flow.flow_steps == 0) return std::make_unique<LayeredAction>(spec, queue);
  const std::string misfit = spec.selection != Selection::least_cost
                                 ? "the kernel chooses by least cost only"
                                 : FusedAction::misfit(spec.weights, spec.flow, spec.candidates,
                                                       queue.precision(), device.shared_limit());
  if (wanted == "fused" && !misfit.empty())
    throw Error(ExitCode::settings, "the fused sampler cannot run this policy: " + misfit,
                "R2PAC_CUDA_SAMPLER", "use R2PAC_CUDA_SAMPLER=layered, or leave it unset");
  if (!misfit.empty()) return std::make_unique<LayeredAction>(spec, queue);
  return std::make_unique<EitherActor>(spec, queue, wanted.empty());
}

}  // namespace r2pac::cuda
