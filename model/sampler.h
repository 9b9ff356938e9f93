// The policy: sixteen chunks by guided flow, the one of least cost kept (PAPER.md, "Acting").
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "engine/device.h"
#include "model/networks.h"

namespace r2pac {

struct SamplerOptions {
  FlowOptions flow;
  int num_candidates = 16;  ///< 1: nothing to choose from, so the critics are asked only if wanted
};

/// What the policy says about one observation. Rows of the spans given to Sampler::sample.
template <class T>
struct SampleOutputs {
  std::span<T> chunk;             ///< [n, hA] the chosen chunk, time-major, in [-1, 1]
  std::span<T> cost;              ///< [n] greatest target Q_c of the chosen chunk; may be empty
  std::span<T> v_reward, v_cost;  ///< [n]; both empty or neither
};

template <class T>
class Sampler {
 public:
  /// The networks outlive the sampler; weights may change between calls (packs must be renewed).
  Sampler(Networks<T>& networks, const SamplerOptions& options, std::shared_ptr<Device> device);

  /// Chunks for observations [n, S] (not yet normalised) from noise [n, candidates, hA]. A row's result
  /// depends on that row alone. Throws InvalidArgument when a length does not fit.
  void sample(std::span<const T> observations, std::span<const T> noise, const SampleOutputs<T>& outputs);

  /// Noise [candidates, hA] of one decision: (seed; candidate_noise, step, row, lane).
  void draw_noise(std::uint64_t seed, std::uint64_t step, std::uint32_t row, std::span<T> noise) const;

  int candidates() const { return options_.num_candidates; }
  /// Multiply-adds of one decision, constant parts counted once.
  double multiply_adds() const;

  /// How the device acts, and its launches for one call.
  const Actor<T>& actor() const { return *actor_; }

 private:
  void reserve(std::size_t rows);
  MlpWeights<T> weights(Parameters<T>& parameters, const Mlp& mlp, int net) const;

  Networks<T>& networks_;
  SamplerOptions options_;
  std::shared_ptr<Device> device_;
  ActionWeights<T> weights_;
  std::unique_ptr<Actor<T>> actor_;
  std::uint64_t version_ = 0;  // of the weights that the actor has seen
  std::vector<T> normalized_;  // [n, S] on the host
  Buffer<T> observations_, candidates_, costs_, chosen_, chosen_cost_, values_r_, values_c_;
};

}  // namespace r2pac
