// Acting on a device: from observations and noise to chosen chunks.
#pragma once

#include <string>

#include "kernels/sampler.h"
#include "kernels/select.h"

namespace r2pac {

template <class T>
struct ActorSpec {
  ActionWeights<T> weights;
  FlowOptions flow;
  int candidates = 16;  ///< per observation, >= 1
  Selection selection = Selection::least_cost;
  T threshold = 0;  ///< l, of Selection::region
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

}  // namespace r2pac
