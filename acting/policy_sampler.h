// The policy: chunks by guided flow, one of them kept (PAPER.md, SAMPLE and SELECT).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "acting/actor.h"
#include "acting/budget.h"
#include "acting/normalization.h"
#include "engine/networks.h"

namespace r2pac {

/// The input by which a deterministic actor learns how much its chunk may cost, as a share of
/// SamplerOptions::bound_unit in [0, 1].
inline constexpr char kBoundInput[] = "bound";
/// The input by which networks learn what a budget leaves beyond V_c (formula::surplus). It follows the
/// observation.
inline constexpr char kSurplusInput[] = "surplus";

/// The parts of a denoiser, by name.
struct DenoiserNames {
  std::string frequencies = {}, time = {}, entrance = {};
  std::vector<std::string> blocks = {};
  std::string exit = {};
};

/// Which networks act, by name.
struct ActingNetworks {
  /// The flow that proposes chunks,
  std::string velocity = {}, label_table = {};
  /// or the network that says the chunk, through tanh: a deterministic actor. It acts where there are both,
  /// unless SamplerOptions::by_flow. Several of that name say a candidate each.
  std::string mean = {};
  /// The network whose output, after its activation, is what `mean` reads; empty: it reads observations.
  std::string trunk = {};
  /// A second actor, which sees no surplus and says the last candidate; empty: there is none.
  std::string safe_mean = {}, safe_trunk = {};
  /// Or a denoiser, whose followers propose chunks, and its schedule.
  DenoiserNames denoiser = {};
  DiffusionSchedule diffusion = {};
  /// What judges them; all empty where there is none.
  std::string q_reward = {}, v_reward = {}, q_cost = {}, v_cost = {};
  /// Whether the critics judge as they are trained, and not their followers.
  bool online_critics = false;
  /// Set: each decision switches between candidates so, and by BudgetRule::discounted.
  std::optional<Selection> switch_by = {};
  bool switches() const { return switch_by.has_value(); }
  bool by_surplus() const { return switch_by == Selection::surplus; }
  bool has_critics() const { return !q_cost.empty(); }
  bool denoises() const { return !denoiser.entrance.empty(); }
  /// Noise of a chunk's size that one candidate takes.
  int noise_parts() const { return denoises() ? diffusion.steps : 1; }
};

struct SamplerOptions {
  FlowOptions flow;
  int num_candidates = 16;  ///< 1: nothing to choose from, so the critics are asked only if wanted
  Selection selection = Selection::least_cost;
  double threshold = 0;       ///< the greatest V_c and Q_c that a choice calls safe; not NaN
  EpisodeBudget budget = {};  ///< may leave less
  bool by_flow = false;       ///< the flow acts, even where there is a deterministic actor, too
  double bound_unit = 0;      ///< the bound of share 1 for the input `bound`; not above 0: all shares are 0
  /// Greatest bound that networks have learned which see it as their budget, > 0 if there are any; or the
  /// greatest one of which there is a surplus, >= 0.
  double greatest_budget = 0;
};

/// What the policy says about one observation. Rows of the spans given to Sampler::sample.
template <class T>
struct SampleOutputs {
  std::span<T> chunk;             ///< [n, hA] the chosen chunk, time-major, in [-1, 1]
  std::span<T> q_cost;            ///< [n] greatest believed Q_c of the chosen chunk; may be empty
  std::span<T> v_reward, v_cost;  ///< [n]; both empty or neither
  std::span<T> q_reward = {};     ///< [n] least believed Q_r of the chosen chunk; may be empty
  /// All candidates: chunks [n, candidates, hA], greatest believed Q_c and least believed Q_r [n,
  /// candidates]. Each may be empty.
  std::span<T> candidates = {}, candidate_q_cost = {}, candidate_q_reward = {};
};

/// How many chunks the deterministic actor of some networks says: its candidates.
template <class T>
int said_chunks(const Networks<T>& networks, const ActingNetworks& acting) {
  return networks.declared(acting.mean).count + (acting.safe_mean.empty() ? 0 : 1);
}

template <class T>
class Sampler {
 public:
  /// The networks outlive the sampler; weights may change between calls (packs must be renewed). Without
  /// critics there is one candidate, and nothing but chunks may be asked for. Throws InvalidArgument for
  /// impossible options.
  Sampler(Networks<T>& networks, const ActingNetworks& acting, Normalization<T> normalization,
          const SamplerOptions& options, std::shared_ptr<Device> device);

  /// Chunks for observations [n, S] (not yet normalised) from noise [n, noise_size()]. A row's result
  /// depends on that row alone. spent [n]: undiscounted cost of each row's episode so far, for the budget;
  /// empty if nobody counts it. steps [n]: each row's step in its episode, for BudgetRule::discounted; empty:
  /// the first. pace: the time that there is, which the CPU keeps; having given up, it leaves the outputs as
  /// they were. Throws InvalidArgument when a length does not fit, and Error(diverged) when a chunk is not
  /// finite.
  void sample(std::span<const T> observations, std::span<const T> noise, const SampleOutputs<T>& outputs,
              std::span<const double> spent = {}, std::span<const std::int64_t> steps = {},
              Pace* pace = nullptr);

  /// What the critics say of given chunks [n, hA] in observations [n, S] (not yet normalised): least believed
  /// Q_r and greatest believed Q_c, and V_r and V_c of the observations, each [n] or empty. spent, steps: as
  /// for sample; they matter where networks see a budget or a surplus. Throws InvalidArgument when a length
  /// does not fit.
  void score(std::span<const T> observations, std::span<const T> chunks, std::span<T> q_reward,
             std::span<T> q_cost, std::span<T> v_reward, std::span<T> v_cost,
             std::span<const double> spent = {}, std::span<const std::int64_t> steps = {});

  /// Numbers of one decision's noise: [candidates, hA], and of a denoiser as much again for each step but the
  /// last.
  std::size_t noise_size() const;
  /// That noise: (seed; candidate_noise, step, row, lane).
  void draw_noise(std::uint64_t seed, std::uint64_t step, std::uint32_t row, std::span<T> noise) const;

  int candidates() const { return options_.num_candidates; }
  const SamplerOptions& options() const { return options_; }
  /// Units of one decision, as a Pace counts them.
  int units() const {
    return acting_.denoises() ? options_.num_candidates : acting_.mean.empty() ? options_.flow.flow_steps : 1;
  }
  bool has_critics() const { return acting_.has_critics(); }
  /// Whether what an episode has spent takes part in its decisions.
  bool reads_spent() const { return options_.budget.rule != BudgetRule::none && reads_bound(); }
  /// Multiply-adds of one decision, constant parts counted once.
  double multiply_adds() const;

  /// What acting reads, where it lies.
  const ActionWeights<T>& weights() const { return weights_; }
  /// How the device acts, and its launches for one call.
  const Actor<T>& actor() const { return *actor_; }

 private:
  void reserve(std::size_t rows);
  std::size_t observation_dim() const { return normalization_.mean.size(); }
  bool state_is_longer() const {
    return static_cast<std::size_t>(weights_.flow.observation_dim) > observation_dim();
  }
  bool sees_budget() const { return state_is_longer() && !acting_.by_surplus(); }
  bool mean_reads_bound() const { return mean_inputs_ > weights_.flow.observation_dim; }
  /// Whether a row's bound takes part in its decision.
  bool reads_bound() const {
    return needs_reward(options_.selection) || mean_reads_bound() || state_is_longer();
  }
  void load(std::span<const T> observations, std::span<const double> spent,
            std::span<const std::int64_t> steps);
  void load_bounds(std::size_t rows, std::span<const double> spent, std::span<const std::int64_t> steps);
  void load_mean_inputs(std::size_t rows);
  void act(Actor<T>& actor, const ActionRequest& request);
  void require_critics(bool wanted) const;
  FlowWeights<T> flow_weights();
  void take_denoiser();
  void load_noise(std::span<const T> noise);
  void take_mean();
  void take_mean(const std::string& trunk, const std::string& mean);
  MlpWeights<T> weights(Parameters<T>& parameters, const std::string& network, int member) const;
  std::vector<MlpWeights<T>> critics(const std::string& network) const;

  Networks<T>& networks_;
  ActingNetworks acting_;
  Normalization<T> normalization_;
  SamplerOptions options_;
  std::shared_ptr<Device> device_;
  ActionWeights<T> weights_;
  std::unique_ptr<Actor<T>> actor_, scorer_;    // the latter, of one given chunk, when it is first asked for
  std::uint64_t version_ = 0;                   // of the weights that the actor has seen
  int mean_inputs_ = 0;                         // columns that a deterministic actor reads
  std::vector<T> normalized_, bounds_on_host_;  // [n, S], [n]
  std::vector<T> mean_inputs_on_host_;          // [n, mean_inputs_] where it reads the bound
  std::vector<T> noise_on_host_;                // of a denoiser, part by part
  Buffer<T> observations_, mean_inputs_buffer_, bounds_, step_noise_, candidates_, q_cost_, q_reward_,
      chosen_, chosen_q_cost_, chosen_q_reward_, v_reward_, v_cost_;
};

}  // namespace r2pac
