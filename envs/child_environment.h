// An environment that runs elsewhere: simulators, or anyone's program, in child processes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "envs/environment.h"
#include "envs/simulator_command.h"

namespace r2pac {

class Conversation;
struct Call;

namespace wire {
class Writer;
enum class Message : std::uint32_t;
}  // namespace wire

/// Copies of an environment that children serve by the protocol of docs/environments.md. A step goes to all
/// children before the first answer is awaited, so they work side by side.
///
/// Nothing that a child says is trusted. When one is missing, dies, hangs, reports a failure or sends
/// anything that does not fit, every method throws Error(ExitCode::environment) within the stated time: what
/// happened, the command, what to do, the child's last output. All children are then ended, and later calls
/// throw, too; so it is after Interrupted. Children are killed with the object, and with the thread that made
/// it, even by SIGKILL.
class ChildEnvironment final : public VectorEnvironment {
 public:
  /// Starts the children and asks them what they serve; an episode starts with reset().
  /// Throws InvalidArgument when an option is out of its range or both id and command are empty, and
  /// Error(usage) where the environment takes other actions (ActionMap), or pictures are wanted of a server
  /// that knows none.
  explicit ChildEnvironment(ChildEnvironmentOptions options);
  ~ChildEnvironment() override;
  ChildEnvironment(const ChildEnvironment&) = delete;
  ChildEnvironment& operator=(const ChildEnvironment&) = delete;

  const std::string& name() const { return name_; }  ///< what the environment calls itself
  int processes() const { return static_cast<int>(parts_.size()); }
  /// Sentences for the user: what is not known of the environment.
  const std::vector<std::string>& warnings() const { return actions_->warnings(); }

  int count() const override { return options_.copies; }
  int observation_dim() const override { return static_cast<int>(observation_dim_); }
  int action_dim() const override { return static_cast<int>(action_dim_); }
  ActionBox action_box() const override { return actions_->box(); }
  /// Of the environment, else of the options, else -1: then an episode ends by the environment's own flags,
  /// and one that goes on for 100000 steps is an error.
  int episode_steps() const override { return episode_steps_; }

  /// 100000 seed + episode, modulo 2^32: what the episode's reset(seed=) gets.
  std::uint64_t episode_seed(std::uint64_t seed, std::int64_t episode) const override;
  /// Throws Error(usage) where the environment reports that it cannot draw the first picture.
  void reset(std::uint64_t seed, int first_episode) override;
  void step(std::span<const float> actions) override;
  /// A child may take two seconds for its end.
  void close() override;

  std::span<const float> observations() const override { return observations_; }
  std::span<const double> rewards() const override { return rewards_; }
  std::span<const double> costs() const override { return costs_; }
  std::span<const std::uint8_t> terminals() const override { return terminals_; }
  std::span<const std::uint8_t> timeouts() const override { return timeouts_; }

 private:
  // The copies first .. first + count - 1 and the child that serves them.
  struct Part {
    std::unique_ptr<Conversation> child;
    std::size_t first = 0, count = 0;
  };

  void start_children();
  // The bounds of actions.
  ActionBox greet(const Call& call);
  ActionBox read_description(const std::string& payload);
  void end_children(std::chrono::steady_clock::time_point deadline);
  // One child after the other, or one; whatever `action` throws ends all of them, then becomes an Error.
  template <class Action>
  void each_child(const Action& action);
  template <class Action>
  void ask(const Part& part, const Action& action);
  // A message that is to be answered with the number of the newest request.
  wire::Writer request(wire::Message type) const;
  void receive_transition(const Part& part, const Call& call, std::span<const std::uint8_t> active);
  void check_observation(std::size_t copy) const;
  void require(bool holds, std::size_t copy, const std::string& what, double value,
               const char* expected) const;

  void film();
  CameraPicture render_first();

  ChildEnvironmentOptions options_;
  std::string command_;      // as a person would type it
  std::vector<Part> parts_;  // empty once a child has failed
  std::string name_;
  std::uint32_t version_ = 0;   // of the protocol that the children speak
  std::uint32_t requests_ = 0;  // so far, modulo 2^32
  std::optional<ActionMap> actions_;
  std::size_t observation_dim_ = 0, action_dim_ = 0;
  int episode_steps_ = -1;
  int steps_taken_ = 0;   // of every unfinished copy
  bool running_ = false;  // there was a reset
  bool filming_ = false;  // copy 0 runs an episode of which pictures are wanted
  bool filmed_ = false;   // there was a picture
  std::vector<float> observations_;
  std::vector<double> rewards_, costs_;
  std::vector<std::uint8_t> terminals_, timeouts_;
};

}  // namespace r2pac
