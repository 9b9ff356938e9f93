#include "acting/cpu_actor.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "acting/denoiser.h"
#include "engine/executor.h"
#include "kernels/isa.h"
#include "kernels/memory.h"
#include "kernels/surplus.h"

namespace r2pac {
namespace {

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

/// One task takes some candidates of one observation from noise to scores; another chooses.
template <class T>
class CpuActor final : public Actor<T> {
 public:
  CpuActor(const ActorSpec<T>& spec, ThreadPool& pool, Precision precision)
      : spec_(spec), pool_(pool), precision_(precision) {
    const ActionWeights<T>& w = spec_.weights;
    std::size_t scratch = std::max(flow_scratch(w.flow, spec_.candidates),
                                   2 * size(std::max(w.v_cost.width(), w.mean_width())));
    scratch = std::max(scratch, denoiser_scratch(w.denoiser, spec_.candidates));
    for (const auto* critics : {&w.q_reward, &w.q_cost})
      if (!critics->empty())
        scratch = std::max(scratch, score_scratch(critics->front(), spec_.candidates) +
                                        size(w.flow.observation_dim));  // of score_by_surplus
    for (int t = 0; t < pool_.threads(); ++t) {
      scratch_.emplace_back(scratch);
      scratch_pointers_.push_back(reinterpret_cast<std::byte*>(scratch_.back().data()));
    }
    surplus_tasks_.run = [this](int task, std::byte* memory) {
      find_surplus(size(task), reinterpret_cast<T*>(memory));
    };
    part_tasks_.run = [this](int task, std::byte* memory) { run_part(task, reinterpret_cast<T*>(memory)); };
    choice_tasks_.run = [this](int task, std::byte* memory) {
      run_choice(size(task), reinterpret_cast<T*>(memory));
    };
  }

  void act(const ActionBuffers<T>& buffers, const ActionRequest& request) override {
    buffers_ = buffers;
    request_ = request;
    // An observation's candidates are cut into parts when threads would be idle.
    const int threads = pool_.threads();
    parts_ = request.rows >= threads ? 1 : std::min(spec_.candidates, threads);
    per_part_ = (spec_.candidates + parts_ - 1) / parts_;
    part_tasks_.tasks = request.rows * parts_;
    surplus_tasks_.tasks = choice_tasks_.tasks = request.rows;
    proposed_ = request.pace != nullptr ? proposed_within(*request.pace) : spec_.candidates;
    if (proposed_ == 0) return;
    if (spec_.weights.by_surplus) pool_.run(surplus_tasks_, scratch_pointers_);
    pool_.run(part_tasks_, scratch_pointers_);
    if (request.pace != nullptr && request.pace->given_up) return;
    pool_.run(choice_tasks_, scratch_pointers_);
  }

  std::string description() const override {
    return std::string("CPU, ") + isa_name(current_isa()) + ", " + precision_name(precision_);
  }

 private:
  /// V_c of one observation, and what its bound leaves beyond it.
  void find_surplus(std::size_t row, T* scratch) const {
    const std::size_t width = size(spec_.weights.flow.observation_dim);
    T* const state = buffers_.observations + row * width;
    mlp_forward(spec_.weights.v_cost, state, 1, buffers_.v_cost + row, scratch);
    state[width - 1] = formula::surplus(buffers_.bounds[row], buffers_.v_cost[row]);
  }

  /// How many candidates there is time for; 0 where it gave up. The others lose by scores that are no
  /// numbers.
  int proposed_within(Pace& pace) {
    const int all = spec_.candidates;
    if (!spec_.weights.denoiser.exists()) {
      if (!spec_.weights.means.empty() && pace.begin(1) == 0) return 0;
      return all;  // a flow has fewer steps
    }
    const int some = pace.begin(all);
    pace.note(some);
    for (int c = some; some > 0 && c < request_.rows * all; ++c)
      if (c % all >= some) buffers_.q_cost[c] = buffers_.q_reward[c] = std::numeric_limits<T>::quiet_NaN();
    return some;
  }

  /// Some candidates of one observation: from noise to chunks and their scores.
  void run_part(int task, T* scratch) const {
    const int first = task % parts_ * per_part_, count = std::min(per_part_, proposed_ - first);
    if (count <= 0) return;
    const FlowWeights<T>& flow = spec_.weights.flow;
    const std::size_t row = size(task / parts_), candidate = row * size(spec_.candidates) + size(first);
    const T* observation = buffers_.observations + row * size(flow.observation_dim);
    T* chunks = buffers_.candidates + candidate * size(flow.chunk_dim);
    const std::vector<MlpWeights<T>>& means = spec_.weights.means;
    if (!spec_.chunks_are_given && !means.empty()) {
      // A network with fewer inputs reads the first ones.
      const T* const seen = buffers_.mean_inputs + row * size(means.front().layers.front().in);
      for (int c = 0; c < count; ++c)
        mlp_forward(means[size(first + c)], seen, 1, chunks + size(c) * size(flow.chunk_dim), scratch);
      clip_actions(size(count) * size(flow.chunk_dim), chunks);
    } else if (!spec_.chunks_are_given && spec_.weights.denoiser.exists()) {
      const DiffusionSchedule& schedule = spec_.weights.diffusion;
      const std::size_t per_step = size(spec_.candidates) * size(flow.chunk_dim);
      const T* const noise = buffers_.step_noise + row * size(schedule.steps - 1) * per_step +
                             size(first) * size(flow.chunk_dim);
      denoise(spec_.weights.denoiser, schedule, observation, count, noise, per_step, chunks, scratch);
    } else if (!spec_.chunks_are_given) {
      if (!integrate_flow(flow, spec_.flow, observation, count, chunks, scratch, request_.pace)) return;
    }
    const auto score = [&](const std::vector<MlpWeights<T>>& critics, Extreme extreme, T* scores) {
      extreme_score(critics, extreme, observation, spec_.weights.state_of(critics), chunks, flow.chunk_dim,
                    count, scores + candidate, scratch);
    };
    if (request_.score) score(spec_.weights.q_cost, kBelievedCost, buffers_.q_cost);
    if (request_.q_reward && spec_.weights.by_surplus)
      score_by_surplus(row, candidate, count, scratch);
    else if (request_.q_reward)
      score(spec_.weights.q_reward, kBelievedReward, buffers_.q_reward);
  }

  /// Q_r of some candidates of one observation, each at its own surplus. There are few.
  void score_by_surplus(std::size_t row, std::size_t first, int count, T* scratch) const {
    const FlowWeights<T>& flow = spec_.weights.flow;
    const std::size_t width = size(flow.observation_dim);
    T* const state = scratch;
    std::copy_n(buffers_.observations + row * width, width, state);
    for (std::size_t at = first; at < first + size(count); ++at) {
      state[width - 1] = formula::surplus(buffers_.bounds[row], buffers_.q_cost[at]);
      extreme_score(spec_.weights.q_reward, kBelievedReward, state, flow.observation_dim,
                    buffers_.candidates + at * size(flow.chunk_dim), flow.chunk_dim, 1,
                    buffers_.q_reward + at, state + width);
    }
  }

  /// The observation's values, and the chosen one of its candidates.
  void run_choice(std::size_t row, T* scratch) const {
    const bool by_region = spec_.selection == Selection::region && request_.score;
    const T* observation = buffers_.observations + row * size(spec_.weights.flow.observation_dim);
    if (request_.values)
      mlp_forward(spec_.weights.v_reward, observation, 1, buffers_.v_reward + row, scratch);
    if ((request_.values || by_region) && !spec_.weights.by_surplus)
      mlp_forward(spec_.weights.v_cost, observation, 1, buffers_.v_cost + row, scratch);

    const std::size_t chunk = size(spec_.weights.flow.chunk_dim), first = row * size(spec_.candidates);
    const T *q_cost = buffers_.q_cost + first, *q_reward = buffers_.q_reward + first;
    int best = 0;
    if (by_region)
      best = best_by_region(q_cost, q_reward, spec_.candidates, buffers_.v_cost[row], buffers_.bounds[row]);
    else if (spec_.selection == Selection::within && request_.score)
      best = best_within(q_cost, q_reward, spec_.candidates, buffers_.bounds[row]);
    else if (spec_.selection == Selection::surplus)
      best = formula::choice_by_surplus(observation[spec_.weights.flow.observation_dim - 1]);
    else if (request_.score)
      best = least_cost(q_cost, spec_.candidates);
    std::copy_n(buffers_.candidates + (first + size(best)) * chunk, chunk, buffers_.chosen + row * chunk);
    if (request_.score) buffers_.chosen_q_cost[row] = q_cost[best];
    if (request_.q_reward) buffers_.chosen_q_reward[row] = q_reward[best];
  }

  ActorSpec<T> spec_;
  ThreadPool& pool_;
  Precision precision_;
  std::vector<Buffer<T>> scratch_;
  std::vector<std::byte*> scratch_pointers_;
  // What the tasks of one call work on; kept here so that a call allocates nothing.
  ActionBuffers<T> buffers_;
  ActionRequest request_;
  int parts_ = 1, per_part_ = 1, proposed_ = 1;
  TaskGroup surplus_tasks_, part_tasks_, choice_tasks_;
};

}  // namespace

template <class T>
std::unique_ptr<Actor<T>> cpu_actor(const ActorSpec<T>& spec, ThreadPool& pool, Precision precision) {
  return std::make_unique<CpuActor<T>>(spec, pool, precision);
}

template std::unique_ptr<Actor<float>> cpu_actor(const ActorSpec<float>&, ThreadPool&, Precision);
template std::unique_ptr<Actor<double>> cpu_actor(const ActorSpec<double>&, ThreadPool&, Precision);

}  // namespace r2pac
