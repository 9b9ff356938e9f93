#include <algorithm>
#include <span>
#include <utility>

#include "base/error.h"
#include "engine/device.h"
#include "kernels/isa.h"
#include "kernels/select.h"

namespace r2pac {
namespace {

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

/// One task takes some candidates of one observation from noise to costs; another chooses.
template <class T>
class CpuActor final : public Actor<T> {
 public:
  CpuActor(const ActorSpec<T>& spec, std::shared_ptr<ThreadPool> pool)
      : weights_(spec.weights),
        flow_options_(spec.flow),
        candidates_(spec.candidates),
        pool_(std::move(pool)) {
    const std::size_t scratch = std::max({flow_scratch(weights_.flow, candidates_),
                                          score_scratch(weights_.cost_critics.front(), candidates_),
                                          2 * size(weights_.v_cost.width())});
    for (int t = 0; t < pool_->threads(); ++t) {
      scratch_.emplace_back(scratch);
      scratch_pointers_.push_back(reinterpret_cast<std::byte*>(scratch_.back().data()));
    }
    parts_phase_.run = [this](int task, std::byte* memory) { run_part(task, reinterpret_cast<T*>(memory)); };
    choice_phase_.run = [this](int task, std::byte* memory) {
      run_choice(size(task), reinterpret_cast<T*>(memory));
    };
  }

  void act(const ActionBuffers<T>& buffers, const ActionRequest& request) override {
    buffers_ = buffers;
    request_ = request;
    // An observation's candidates are cut into parts when threads would be idle.
    const int threads = pool_->threads();
    parts_ = request.rows >= threads ? 1 : std::min(candidates_, threads);
    per_part_ = (candidates_ + parts_ - 1) / parts_;
    parts_phase_.tasks = request.rows * parts_;
    choice_phase_.tasks = request.rows;
    pool_->run(parts_phase_, scratch_pointers_);
    pool_->run(choice_phase_, scratch_pointers_);
  }

  std::string description() const override { return std::string("CPU, ") + isa_name(current_isa()); }

 private:
  /// Some candidates of one observation: from noise to chunks and their costs.
  void run_part(int task, T* scratch) const {
    const int first = task % parts_ * per_part_, count = std::min(per_part_, candidates_ - first);
    if (count <= 0) return;
    const FlowWeights<T>& flow = weights_.flow;
    const std::size_t row = size(task / parts_), candidate = row * size(candidates_) + size(first);
    const T* observation = buffers_.observations + row * size(flow.observation_dim);
    T* chunks = buffers_.candidates + candidate * size(flow.chunk_dim);
    integrate_flow(flow, flow_options_, observation, count, chunks, scratch);
    if (request_.score)
      greatest_cost(weights_.cost_critics, observation, flow.observation_dim, chunks, flow.chunk_dim, count,
                    buffers_.costs + candidate, scratch);
  }

  /// The chosen candidate of one observation, and the observation's values.
  void run_choice(std::size_t row, T* scratch) const {
    const std::size_t chunk = size(weights_.flow.chunk_dim), many = size(candidates_);
    const T* const chunks = buffers_.candidates + row * many * chunk;
    T* const chosen = buffers_.chosen + row * chunk;
    if (request_.score)
      choose_least_cost(buffers_.costs + row * many, chunks, candidates_, weights_.flow.chunk_dim, chosen,
                        buffers_.chosen_cost + row);
    else
      std::copy_n(chunks, chunk, chosen);
    if (!request_.values) return;
    const T* observation = buffers_.observations + row * size(weights_.flow.observation_dim);
    mlp_forward(weights_.v_reward, observation, 1, buffers_.v_reward + row, scratch);
    mlp_forward(weights_.v_cost, observation, 1, buffers_.v_cost + row, scratch);
  }

  ActionWeights<T> weights_;
  FlowOptions flow_options_;
  int candidates_;
  std::shared_ptr<ThreadPool> pool_;
  std::vector<Buffer<T>> scratch_;
  std::vector<std::byte*> scratch_pointers_;
  // What the tasks of one call work on; kept here so that a call allocates nothing.
  ActionBuffers<T> buffers_;
  ActionRequest request_;
  int parts_ = 1, per_part_ = 1;
  Phase parts_phase_, choice_phase_;
};

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(int threads) : pool_(std::make_shared<ThreadPool>(threads)) {}

  std::string name() const override { return "cpu"; }
  std::string description() const override {
    return std::string("CPU, ") + isa_name(current_isa()) + ", " + std::to_string(pool_->threads()) +
           (pool_->threads() == 1 ? " thread" : " threads");
  }
  Memory& memory() override { return host_memory(); }
  const Schedules<float>& schedules(float) const override { return cpu_schedules<float>(); }
  const Schedules<double>& schedules(double) const override { return cpu_schedules<double>(); }
  std::unique_ptr<Actor<float>> make_actor(const ActorSpec<float>& spec) override {
    return std::make_unique<CpuActor<float>>(spec, pool_);
  }
  std::unique_ptr<Actor<double>> make_actor(const ActorSpec<double>& spec) override {
    return std::make_unique<CpuActor<double>>(spec, pool_);
  }
  ThreadPool* pool() override { return pool_.get(); }
  std::unique_ptr<Recording> record(const std::vector<WholeCall>&) override {
    throw InvalidArgument("Device::record: the CPU replays phases of tiles");
  }
  std::uint64_t check_interval() const override { return 1; }

 private:
  std::shared_ptr<ThreadPool> pool_;
};

}  // namespace

std::shared_ptr<Device> cpu_device(int threads) { return std::make_shared<CpuDevice>(threads); }

}  // namespace r2pac
