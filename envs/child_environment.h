// An environment that runs elsewhere: simulators, or anyone's program, in child processes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "envs/environment.h"

namespace r2pac {

class ChildProcess;

namespace wire {
class Writer;
enum class Message : std::uint32_t;
}  // namespace wire

/// Which environment, and how it is run.
struct ChildEnvironmentOptions {
  std::string id{};  ///< registered id of a simulator (simulator_id): `PYTHON -m r2pac.env_server --id ID`
  std::string command{};       ///< instead of it anyone's own program, run by `/bin/sh -c`
  std::string python{};        ///< interpreter of the simulators; empty: simulators_python()
  int copies = 1;              ///< N, at least 1
  int processes = 0;           ///< children that share the copies; 0: thread_count(), at most N
  int episode_steps = -1;      ///< step limit where the environment states none; -1: none
  double start_timeout = 120;  ///< seconds for the start of all children, and for each copy's reset
  double step_timeout = 60;    ///< seconds for one step of all copies
};

/// The registered id of a task's simulator: `OfflineBallRun-v0` -> `SafetyBallRun-v0`; MetaDrive's ids and
/// names that do not start with `Offline` stay as they are. task_env_id  Task::env_id
std::string simulator_id(std::string_view task_env_id);

/// Interpreter with the simulators: the environment variable R2PAC_SIMULATORS_PYTHON, else
/// `.simulators/bin/python3` in the nearest folder above the running program that has one, else `python3`.
std::string simulators_python();

/// Copies of an environment that children serve by the protocol of docs/environments.md. A step goes to all
/// children before the first answer is awaited, so they work side by side.
///
/// Nothing that a child says is trusted. When one is missing, dies, hangs, reports a failure or sends
/// anything that does not fit, every method throws Error(ExitCode::environment) within the stated time: what
/// happened, the command, what to do, the child's last output. All children are then ended, and later calls
/// throw, too. Children are killed with the object, and with the thread that made it, even by SIGKILL.
class ChildEnvironment final : public VectorEnvironment {
 public:
  /// Starts the children and asks them what they serve; an episode starts with reset().
  /// Throws InvalidArgument when an option is out of its range or both id and command are empty.
  explicit ChildEnvironment(ChildEnvironmentOptions options);
  ~ChildEnvironment() override;
  ChildEnvironment(const ChildEnvironment&) = delete;
  ChildEnvironment& operator=(const ChildEnvironment&) = delete;

  const std::string& name() const { return name_; }  ///< what the environment calls itself
  int processes() const { return static_cast<int>(parts_.size()); }

  int count() const override { return options_.copies; }
  int observation_dim() const override { return static_cast<int>(observation_dim_); }
  int action_dim() const override { return static_cast<int>(action_dim_); }
  /// Of the environment, else of the options, else -1: then an episode ends by the environment's own flags,
  /// and one that goes on for 100000 steps is an error.
  int episode_steps() const override { return episode_steps_; }

  /// 100000 seed + episode, modulo 2^32: what the episode's reset(seed=) gets.
  std::uint64_t episode_seed(std::uint64_t seed, std::int64_t episode) const override;
  void reset(std::uint64_t seed, int first_episode) override;
  void step(std::span<const float> actions) override;

  std::span<const float> observations() const override { return observations_; }
  std::span<const double> rewards() const override { return rewards_; }
  std::span<const double> costs() const override { return costs_; }
  std::span<const std::uint8_t> terminals() const override { return terminals_; }
  std::span<const std::uint8_t> timeouts() const override { return timeouts_; }

 private:
  struct Call;

  // The copies first .. first + count - 1 and the child that serves them.
  struct Part {
    std::unique_ptr<ChildProcess> child;
    std::size_t first = 0, count = 0;
  };

  void start_children();
  void greet(const Call& call);
  // One child after the other; whatever `action` throws ends all of them, then becomes an Error.
  template <class Action>
  void each_child(const Action& action);
  void send(const Part& part, const Call& call, wire::Writer message);
  // The payload of the answer, of `least` to `most` bytes.
  std::string receive(const Part& part, const Call& call, wire::Message expected, std::size_t least,
                      std::size_t most);
  void receive_transition(const Part& part, const Call& call, std::span<const std::uint8_t> active);
  void check_observation(std::size_t copy) const;
  void require(bool holds, std::size_t copy, const std::string& what, double value,
               const char* expected) const;

  ChildEnvironmentOptions options_;
  std::string command_;      // as a person would type it
  std::vector<Part> parts_;  // empty once a child has failed
  std::string name_;
  std::size_t observation_dim_ = 0, action_dim_ = 0;
  int episode_steps_ = -1;
  int steps_taken_ = 0;   // of every unfinished copy
  bool running_ = false;  // there was a reset
  std::vector<float> observations_;
  std::vector<double> rewards_, costs_;
  std::vector<std::uint8_t> terminals_, timeouts_;
};

}  // namespace r2pac
