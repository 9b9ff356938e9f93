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
  bool chunks_are_given = false;  ///< the candidates are chunks, not noise, and are left as they are
};

template <class T>
class Actor {
 public:
  virtual ~Actor() = default;
  /// Guided flow integration, scores, choice and values for request.rows observations (PAPER.md, SAMPLE,
  /// SELECT). A row's result depends on that row alone; where library products compute it, up to rounding.
  /// May return before the results are there; copying them out waits.
  virtual void act(const ActionBuffers<T>& buffers, const ActionRequest& request) = 0;
  /// The weights were changed: call before the next act().
  virtual void renew_weights() {}
  /// How it is done, for people: "fused kernel, bf16", ...
  virtual std::string description() const = 0;
  /// Kernels and matrix products of one act() without values; 0 where nothing is launched.
  virtual int launches() const { return 0; }
};

/// How the device acts. It and the memory of the weights outlive the actor. Throws InvalidArgument on a
/// device that does not compute in T.
template <class T>
std::unique_ptr<Actor<T>> make_actor(Device& device, const ActorSpec<T>& spec);

}  // namespace r2pac
