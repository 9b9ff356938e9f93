// Acting on a device: from observations and noise to chosen chunks.
#pragma once

#include <memory>
#include <string>

#include "acting/candidates.h"
#include "acting/select.h"
#include "engine/device.h"

namespace r2pac {

template <class T>
struct ActorSpec {
  ActionWeights<T> weights;
  FlowOptions flow;
  int candidates = 16;  ///< per observation, >= 1
  Selection selection = Selection::least_cost;
};

template <class T>
class Actor {
 public:
  virtual ~Actor() = default;
  /// Computes chunks, their scores, the choice and values for request.rows observations (PAPER.md, SAMPLE,
  /// SELECT). A row's result depends on that row alone, up to rounding where library products compute it. May
  /// return before the results are there; a copy to the host waits for them.
  virtual void act(const ActionBuffers<T>& buffers, const ActionRequest& request) = 0;
  /// Must be called after a change of the weights, before the next act().
  virtual void renew_weights() {}
  /// What computes the actions, for people: "fused kernel, bf16", ...
  virtual std::string description() const = 0;
  /// Kernels and matrix products of one act() without values; 0 where nothing is launched.
  virtual int launches() const { return 0; }
};

/// The actor of the device. The device and the memory of the weights outlive it. Throws InvalidArgument on a
/// device that does not compute in T.
template <class T>
std::unique_ptr<Actor<T>> make_actor(Device& device, const ActorSpec<T>& spec);

}  // namespace r2pac
