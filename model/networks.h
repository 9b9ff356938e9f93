// The networks of R2PAC and their targets (PAPER.md, "Networks").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/operations.h"
#include "engine/parameters.h"
#include "model/settings.h"

namespace r2pac {

/// Widths of the data and the chunk.
struct Dimensions {
  int observation = 0, action = 0;
  int chunk_length = 0;
  int chunk() const { return action * chunk_length; }
  bool operator==(const Dimensions&) const = default;
};

/// A plain multi-layer perceptron of an ensemble; with layer normalisation after each hidden activation if
/// `norms` is not empty.
struct Mlp {
  std::vector<DenseLayer> layers;
  std::vector<NormLayer> norms;
  Activation activation = Activation::gelu_erf;
};

/// All networks. The critics are one ensemble: first the reward critics, then the cost critics; the values
/// are one ensemble {V_r, V_c}. `online` holds critics, values, velocity field and label table, in this
/// order; `target` holds the critics' Polyak averages under the same entry numbers and follows `online` in
/// memory.
template <class T>
class Networks {
 public:
  /// Declares and allocates everything, sets initial weights from the seed, and copies critics to targets.
  Networks(const Settings& settings, Dimensions dimensions, Device& device);
  Networks(const Networks&) = delete;

  const Dimensions& dimensions() const { return dimensions_; }
  int critics_per_side() const { return critics_per_side_; }
  /// Entries [0, values_end) belong to the critic phase, [values_end, flow_end) to the flow phase.
  int values_end() const { return values_end_; }
  int flow_end() const { return static_cast<int>(online.entries().size()); }

  Parameters<T> online, target;
  Mlp critic, value, velocity;
  /// The critics and behind them their targets as one ensemble of `online`, for a device that wants all
  /// networks of one input in one call. Without layer normalisation.
  Mlp critic_and_target() const;
  int label_table = 0;
  std::vector<T> observation_mean, observation_scale;  ///< [S]; the nets see (observation - mean) * scale

 private:
  Dimensions dimensions_;
  int critics_per_side_ = 2;
  int values_end_ = 0;
};

/// [K, B, out] from x [1, B, in].
template <class T>
Tensor<T> apply(Tape<T>& tape, Parameters<T>& parameters, const Mlp& mlp, Tensor<T> x);

/// A network as files name it: entry `index`, nets first_net .. first_net + nets.
struct NamedTensor {
  std::string name;  ///< "q_r.0.weight" and so on
  int entry, first_net, nets;
};
/// All tensors of `online` under their public names: q_r, q_c [nets, in, out], v_r, v_c, velocity [in, out].
template <class T>
std::vector<NamedTensor> named_tensors(const Networks<T>& networks);

/// Its shape in files: leading ones are dropped.
template <class T>
std::vector<std::size_t> tensor_shape(const Networks<T>& networks, const NamedTensor& tensor);

}  // namespace r2pac
