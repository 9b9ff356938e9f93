// Acting: guided flow integration of candidate chunks, their scores, and plain forward passes.
//
// Everything is per observation, so that a policy's answer has the same bits alone or among others. No
// activation is stored: two row buffers carry the candidates through the layers.
#pragma once

#include <cstddef>
#include <vector>

#include "acting/pace.h"
#include "kernels/dense.h"
#include "kernels/diffusion.h"
#include "kernels/pointwise.h"

namespace r2pac {

/// One layer's weights as inference wants them.
template <class T>
struct LayerWeights {
  const Dense<T>* products = nullptr;  ///< which the layer takes, with `packed`; unused where out == 1
  const T* packed = nullptr;           ///< from products->pack
  const T* weight = nullptr;           ///< [in, out]
  const T* bias = nullptr;             ///< [out]
  const T* gain = nullptr;             ///< [out] of a layer normalisation beside the activation, or null
  const T* norm_bias = nullptr;
  T epsilon = T(kNormEpsilon);  ///< of that normalisation
  int in = 0, out = 0;
};

template <class T>
struct MlpWeights {
  std::vector<LayerWeights<T>> layers;
  Activation activation = Activation::gelu_erf;
  Activation output = Activation::identity;  ///< of the last layer
  bool norm_first = false;                   ///< layers are normalised before their activation, else after it
  /// Widest layer: the row length of the two buffers.
  int width() const;
};

/// out [rows, last.out] of x [rows, first.in]. buffers: 2 * rows * width() values.
template <class T>
void mlp_forward(const MlpWeights<T>& mlp, const T* x, int rows, T* out, T* buffers);

/// The velocity field with its first layer taken apart: what does not change over the flow steps is
/// computed once per observation.
template <class T>
struct FlowWeights {
  const T* observation = nullptr;  ///< packed rows of the first weight that the state meets, [S, D]
  const T* label = nullptr;        ///< packed rows for the label's embedding, [L, D]
  const T* chunk = nullptr;        ///< packed rows for the chunk, [hA, D]
  const T* time = nullptr;         ///< the row for the flow time, [D]
  const T* bias = nullptr;         ///< [D]
  const T* label_table = nullptr;  ///< [3, L]
  /// observation_dim: numbers of a row of ActionBuffers::observations, all of which the flow reads.
  int observation_dim = 0, label_dim = 0, chunk_dim = 0, first_width = 0;
  MlpWeights<T> rest;  ///< the layers after the first
};

/// A residual network that tells the noise in diffused chunks: from the chunk, the state and the time to an
/// inner state, which blocks change, and from that to the noise.
template <class T>
struct DenoiserWeights {
  /// A change of the inner state, seen through a layer normalisation.
  struct Block {
    const T *gain, *bias;
    T epsilon;
    MlpWeights<T> mlp;
  };
  const T* frequencies = nullptr;  ///< [frequency_count] of the features of the time; null: there is none
  int frequency_count = 0;
  MlpWeights<T> time;            ///< from these features
  MlpWeights<T> entrance, exit;  ///< one layer each
  std::vector<Block> blocks;

  bool exists() const { return frequencies != nullptr; }
  int inputs() const { return entrance.layers.front().in; }
  int width() const { return entrance.layers.front().out; }
};

struct FlowOptions {
  int flow_steps = 32;  ///< >= 1
  double guidance_scale = 2;
  int label = 2;  ///< row of the label table to follow; kLabelNull follows the unconditional field
};

/// Everything that acting reads. On a CUDA device the `packed` pointers are null and FlowWeights' parts point
/// at plain rows of the first weight.
template <class T>
struct ActionWeights {
  FlowWeights<T> flow;  ///< of another actor only the widths
  /// Set: a deterministic actor. Each of its networks says one candidate. They have one shape, unless the
  /// choice is by surplus.
  std::vector<MlpWeights<T>> means;
  /// Or set: candidates by denoising.
  DenoiserWeights<T> denoiser;
  DiffusionSchedule diffusion;
  std::vector<MlpWeights<T>> q_reward, q_cost;  ///< of pairs (state, chunk); one output each
  MlpWeights<T> v_reward, v_cost;               ///< of states; one output each
  /// Whether a state ends in the surplus of its row's bound over V_c, which the actor finds; reward critics
  /// see that over Q_c in its place (formula::surplus).
  bool by_surplus = false;

  /// Widest layer of the deterministic actor; 0 where there is none.
  int mean_width() const { return means.empty() ? 0 : means.front().width(); }
  /// How many numbers of a state, from the first one on, critics of one kind read.
  int state_of(const std::vector<MlpWeights<T>>& critics) const {
    return critics.front().layers.front().in - flow.chunk_dim;
  }
};

/// What one call works on: n observations, `candidates` chunks each. All in kernel memory.
template <class T>
struct ActionBuffers {
  /// [n, flow.observation_dim]: states, which are normalised observations and, where the flow sees a budget,
  /// that after them. A network that sees none reads the first numbers of a row alone.
  /// Surpluses are written there.
  T* observations = nullptr;
  const T* mean_inputs = nullptr;  ///< [n, D] what ActionWeights::means read: states, perhaps a bound behind
  const T* bounds = nullptr;       ///< [n] greatest V_c and Q_c that a choice calls safe
  /// [n, diffusion.steps - 1, candidates, hA]: what the steps of denoising add, the first step's first.
  const T* step_noise = nullptr;
  T* candidates = nullptr;       ///< [n, candidates, hA]: noise before, chunks after; or given chunks
  T* q_cost = nullptr;           ///< [n, candidates] greatest cost critic's value, if scored
  T* q_reward = nullptr;         ///< [n, candidates] least reward critic's value, if Q_r is wanted
  T* chosen = nullptr;           ///< [n, hA] the chosen candidate, or the first if not scored
  T* chosen_q_cost = nullptr;    ///< [n], if scored
  T* chosen_q_reward = nullptr;  ///< [n], if Q_r is wanted
  T* v_reward = nullptr;         ///< [n], if values are wanted
  T* v_cost = nullptr;           ///< [n], if values are wanted or the choice goes by region

  bool operator==(const ActionBuffers&) const = default;
};

/// How much of it is wanted.
struct ActionRequest {
  int rows = 0;           ///< n >= 1
  bool score = true;      ///< false: no choice goes by Q_c, and nobody asks for it
  bool values = false;    ///< V_r and V_c of the observations
  bool q_reward = false;  ///< Q_r of the candidates; a choice by region needs them and the score, and
                          ///< surpluses the score
  Pace* pace =
      nullptr;  ///< set: a deadline, which the CPU keeps; having given up, it leaves the results as they were

  bool operator==(const ActionRequest&) const = default;
};

/// The label rows whose velocities are needed: guidance mixes two, its extremes need one.
struct FlowBranches {
  int count;     ///< 1 or 2
  int label[2];  ///< unconditional and conditional if two
};
FlowBranches flow_branches(const FlowOptions& options);

/// Values of working memory for integrate_flow with `candidates` chunks.
template <class T>
std::size_t flow_scratch(const FlowWeights<T>& flow, int candidates);

/// Carries x [candidates, hA] from noise to clipped chunks for one observation [S] (PAPER.md, SAMPLE). Where
/// `pace` has no time for all steps, fewer and longer ones go the rest of the way; false: it gave up.
template <class T>
bool integrate_flow(const FlowWeights<T>& flow, const FlowOptions& options, const T* observation,
                    int candidates, T* x, T* scratch, Pace* pace = nullptr);

/// Which of several critics is believed: of reward the least, of cost the greatest.
enum class Extreme { least, greatest };
inline constexpr Extreme kBelievedReward = Extreme::least, kBelievedCost = Extreme::greatest;

/// score [candidates] = that extreme of the critics' values of (observation [S], chunk [candidates, hA]).
/// scratch: score_scratch values.
template <class T>
void extreme_score(const std::vector<MlpWeights<T>>& critics, Extreme extreme, const T* observation,
                   int observation_dim, const T* chunks, int chunk_dim, int candidates, T* score, T* scratch);
template <class T>
std::size_t score_scratch(const MlpWeights<T>& critic, int candidates);

/// Multiply-adds of integrate_flow, with the constant parts counted once.
template <class T>
double flow_multiply_adds(const FlowWeights<T>& flow, const FlowOptions& options, int candidates);

}  // namespace r2pac
