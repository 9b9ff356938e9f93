// What a policy acts in: many independent episodes stepped in lock-step.
#pragma once

#include <cstdint>
#include <span>

#include "envs/action_box.h"

namespace r2pac {

/// Thrown by a call that was asked to stop while it waited for an environment.
struct Interrupted {};

/// A batch of copies of one environment, each running its own episode. Shapes: N copies, S observation
/// width, A action width, all arrays row-major. The spans stay valid until the next reset or step.
class VectorEnvironment {
 public:
  virtual ~VectorEnvironment() = default;

  virtual int count() const = 0;            ///< N, at least 1
  virtual int observation_dim() const = 0;  ///< S
  virtual int action_dim() const = 0;       ///< A
  /// Bounds of the environment's own actions; where they are not [-1, 1], step() maps or passes actions.
  virtual ActionBox action_box() const { return policy_box(static_cast<std::size_t>(action_dim())); }
  virtual int episode_steps() const = 0;  ///< steps after which an episode is cut by a timeout; -1: unknown

  /// Starts episode `first_episode + i` in copy i. The start is a function of (seed, episode) alone.
  virtual void reset(std::uint64_t seed, int first_episode) = 0;

  /// What the start of an episode is drawn from, for the record: in a simulator its own seed; where seed and
  /// episode both decide, the seed.
  virtual std::uint64_t episode_seed(std::uint64_t seed, std::int64_t episode) const {
    static_cast<void>(episode);
    return seed;
  }

  virtual std::span<const float> observations() const = 0;  ///< [N, S], now

  /// Advances every copy that is not finished by one step; a finished copy stays where it is and reports
  /// reward 0 and cost 0. actions [N, A] are clipped to [-1, 1].
  /// Throws InvalidArgument when the shape is wrong or an action of an unfinished copy is not finite.
  virtual void step(std::span<const float> actions) = 0;

  /// Ends the environment. Throws what step() throws where the end shows that an answer was not what it
  /// seemed.
  virtual void close() {}

  virtual std::span<const double> rewards() const = 0;          ///< [N], of the last step
  virtual std::span<const double> costs() const = 0;            ///< [N], of the last step
  virtual std::span<const std::uint8_t> terminals() const = 0;  ///< [N], 1 once the episode has truly ended
  virtual std::span<const std::uint8_t> timeouts() const = 0;   ///< [N], 1 once it was cut by its length
};

}  // namespace r2pac
