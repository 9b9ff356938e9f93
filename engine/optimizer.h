// Optimisers that record themselves on a tape: groups of parameters with settings of their own, one step
// count.
#pragma once

#include <memory>
#include <vector>

#include "engine/parameters.h"
#include "engine/tape.h"
#include "kernels/optimizer.h"

namespace r2pac {

/// Entries of the parameters that move together.
template <class T>
struct OptimizerGroup {
  std::vector<int> entries;
  AdamSettings adam;
  double clip_norm = 0;               ///< the greatest norm of the group's gradient; 0: any
  Parameters<T>* follower = nullptr;  ///< its entries of the same names follow with the weight adam.polyak
  int times = 1;                      ///< updates in each gradient step, each a step of Adam's
};

/// The optimiser of one gradient step. Groups are updated in any order, each as often as it says; what is
/// recorded after a group's update sees its new values, so that a backward between two updates makes a step
/// of several parts.
template <class T>
class Optimizer {
 public:
  /// The optimiser's step count is state->completed - first_step + 1, times a group's updates in a step.
  /// squares: a kept tensor [1, pieces, 1] that receives the sum of squared gradients, before clipping, of
  /// each net of each entry of each group, in order, by its last update.
  Optimizer(Tape<T>& tape, Parameters<T>& parameters, const std::vector<OptimizerGroup<T>>& groups,
            StepState* state, unsigned long long first_step, Tensor<T> squares);

  /// Adam on the entries of a group by the gradients of the last backward, Polyak into their followers, and
  /// renewal of all their packs.
  void update(std::size_t group);
  /// After all groups: counts the step, and notes it as bad if one of the losses (kept scalars) or of the
  /// gradients is not finite. Throws InvalidArgument if a group was not updated.
  void finish(const std::vector<Tensor<T>>& losses);

 private:
  struct Piece {
    int entry, net;
    int followed_by;  // entry of the follower, or -1
  };
  struct Group {
    std::vector<Piece> pieces;
    std::shared_ptr<OptimizerStep<T>> step;
    Parameters<T>* follower;
    int first_piece = 0;
    unsigned int updates = 0;  ///< recorded so far
  };

  Tape<T>& tape_;
  Parameters<T>& parameters_;
  std::vector<Group> groups_;
  Tensor<T> squares_;
  Buffer<T> working_;  // of the groups: partial sums, gradient scales
};

/// All groups after one backward.
template <class T>
void optimizer_step(Tape<T>& tape, Parameters<T>& parameters, const std::vector<OptimizerGroup<T>>& groups,
                    StepState* state, unsigned long long first_step, const std::vector<Tensor<T>>& losses,
                    Tensor<T> squares) {
  Optimizer<T> optimizer(tape, parameters, groups, state, first_step, squares);
  for (std::size_t i = 0; i < groups.size(); ++i) optimizer.update(i);
  optimizer.finish(losses);
}

}  // namespace r2pac
