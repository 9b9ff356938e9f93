#include "envs/child_environment.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/processors.h"
#include "envs/conversation.h"

namespace r2pac {

namespace {

using Clock = std::chrono::steady_clock;
using wire::Message;

constexpr int kEndlessEpisode = 100'000;  // steps
constexpr int kMostCopies = 65'536;
constexpr int kStepsOfPicture = 2;
constexpr std::size_t kLongestName = 200;  // bytes

constexpr const char* kInstall =
    "install the simulators with `./setup.sh --simulators`, or name an interpreter that has them in "
    "R2PAC_SIMULATORS_PYTHON";

}  // namespace

ChildEnvironment::ChildEnvironment(ChildEnvironmentOptions options) : options_(std::move(options)) {
  const auto require = [](bool holds, const std::string& complaint) {
    if (!holds) throw InvalidArgument("ChildEnvironment: " + complaint);
  };
  require(!options_.id.empty() || !options_.command.empty(), "there is neither an id nor a command");
  require(options_.copies >= 1 && options_.copies <= kMostCopies,
          "copies is " + std::to_string(options_.copies) + ", expected 1 to " + std::to_string(kMostCopies));
  require(options_.processes >= 0,
          "processes is " + std::to_string(options_.processes) + ", expected at least 0");
  for (const double timeout : {options_.start_timeout, options_.step_timeout})
    require(timeout > 0 && timeout <= kLongestTimeout, "a timeout is " + shortest(timeout) +
                                                           " s, expected more than 0 and at most " +
                                                           shortest(kLongestTimeout));
  if (options_.python.empty()) options_.python = simulators_python();
  command_ = child_command_text(options_);
  const Call call{.name = "hello",
                  .timeout = options_.start_timeout,
                  .if_ended = options_.command.empty() ? kInstall : kServe};
  start_children();
  try {
    actions_.emplace(greet(call), options_.rescale_actions, command_);
    if (options_.film && version_ < wire::kPictureVersion)
      throw Error(ExitCode::usage,
                  "the environment's program draws no pictures: it speaks version " +
                      std::to_string(version_) + " of the protocol, and pictures came with version " +
                      std::to_string(wire::kPictureVersion),
                  command_, "leave --gif and --mp4 away, or let it answer `render` (docs/environments.md)");
  } catch (...) {
    end_children(Clock::now());
    throw;
  }

  const auto n = static_cast<std::size_t>(options_.copies);
  observations_.resize(n * observation_dim_);
  rewards_.resize(n);
  costs_.resize(n);
  terminals_.resize(n);
  timeouts_.resize(n);
}

ChildEnvironment::~ChildEnvironment() {
  try {
    close();
  } catch (...) {  // who wants to know calls close()
  }
}

void ChildEnvironment::close() {
  if (parts_.empty()) return;
  const bool hurry = options_.stop && options_.stop();
  const Call call{"close", hurry ? 0.0 : kClosePatience};
  each_child([&](const Part& part) { part.child->send(call, wire::Writer(Message::close)); });
  each_child([&](const Part& part) { part.child->await_end(call); });
  end_children(call.deadline);
}

// All at once, so that it takes no longer than for one.
void ChildEnvironment::end_children(Clock::time_point deadline) {
  for (const Part& part : parts_) part.child->process().hang_up();
  for (const Part& part : parts_) part.child->process().ended_by(deadline);
  for (const Part& part : parts_) part.child->process().begin_end();
  parts_.clear();
}

template <class Action>
void ChildEnvironment::each_child(const Action& action) {
  if (parts_.empty())
    throw Error(ExitCode::environment, "the environment's program failed before and has been ended",
                command_);
  for (const Part& part : parts_) ask(part, action);
}

template <class Action>
void ChildEnvironment::ask(const Part& part, const Action& action) try {
  action(part);
} catch (const Complaint& complaint) {
  const std::string output = part.child->process().last_output();  // before it complains about its end
  end_children(Clock::now());
  if (options_.stop && options_.stop()) throw Interrupted();  // the same signal has ended it
  throw as_error(complaint, command_, output);
} catch (...) {
  end_children(Clock::now());
  throw;
}

void ChildEnvironment::start_children() try {
  const auto copies = static_cast<std::size_t>(options_.copies);
  const int wanted = options_.processes > 0 ? options_.processes : thread_count();
  const std::size_t processes = std::min(static_cast<std::size_t>(wanted), copies);
  const std::vector<std::string> arguments = child_arguments(options_), variables = child_variables(options_);
  for (std::size_t i = 0; i < processes; ++i) {
    const std::size_t first = copies * i / processes, end = copies * (i + 1) / processes;
    parts_.push_back(
        {std::make_unique<Conversation>(arguments, variables, options_.stop), first, end - first});
  }
} catch (const Error& error) {
  throw Error(error.code(), error.what(), command_, options_.command.empty() ? kInstall : "");
}

ActionBox ChildEnvironment::greet(const Call& call) {
  each_child([&](const Part& part) {
    wire::Writer hello(Message::hello);
    hello.put(wire::kOldestVersion).put(static_cast<std::uint32_t>(part.count));
    part.child->send(call, std::move(hello));
  });
  std::string first_description;
  ActionBox box;
  each_child([&](const Part& part) {
    constexpr std::size_t kNumbers = 4 * sizeof(std::uint32_t);
    const std::string payload =
        part.child->receive(call, Message::description, kNumbers, wire::kLargestDescription);
    if (part.first == 0) first_description = payload;
    if (payload != first_description)
      throw Complaint{"two processes of one command describe different environments"};
    box = read_description(payload);
    if (version_ >= 2) part.child->use_numbers();
    if (part.count * (4 * observation_dim_ + 4 * action_dim_ + 18) + 4 > wire::kLargestPayload)
      throw Complaint{std::to_string(part.count) + " copies of observation width " +
                          std::to_string(observation_dim_) + " do not fit a message",
                      "let fewer copies share a process"};
  });
  return box;
}

ActionBox ChildEnvironment::read_description(const std::string& payload) {
  wire::Reader description(payload);
  const auto number = [&](const char* what, std::uint32_t least, std::uint32_t most,
                          const char* todo = kServe) {
    const std::uint32_t value = description.take_number();
    if (value < least || value > most)
      throw Complaint{"its " + std::string(what) + " is " + std::to_string(value) + ", expected " +
                          std::to_string(least) + " to " + std::to_string(most),
                      todo};
    return value;
  };
  version_ = number("version of the protocol", wire::kOldestVersion, wire::kVersion,
                    "use the server of this version of r2pac");
  observation_dim_ = number("observation width", 1, wire::kWidestObservation);
  action_dim_ = number("action width", 1, wire::kWidestAction);
  const std::uint32_t steps = number("step limit", 0, wire::kLongestEpisode);
  episode_steps_ = steps > 0 ? static_cast<int>(steps) : std::max(options_.episode_steps, -1);
  ActionBox box = unknown_box(action_dim_);
  if (version_ >= 2) {
    if (description.rest().size() < 2 * action_dim_ * sizeof(double))
      throw Complaint{"its description of " + std::to_string(payload.size()) +
                          " bytes is too short for the bounds of " + std::to_string(action_dim_) + " actions",
                      kServe};
    description.take(std::span(box.low));
    description.take(std::span(box.high));
  }
  for (std::size_t i = 0; i < action_dim_; ++i)
    if (!box.is_valid(i))
      throw Complaint{"the bounds of its action " + std::to_string(i) + " are " + shortest(box.low[i]) +
                          " and " + shortest(box.high[i]),
                      "let the environment state the least and the greatest action"};
  name_ = plain_text(description.rest().substr(0, kLongestName));
  std::ranges::replace(name_, '\n', '?');
  return box;
}

std::uint64_t ChildEnvironment::episode_seed(std::uint64_t seed, std::int64_t episode) const {
  return (100'000 * seed + static_cast<std::uint64_t>(episode)) & 0xffffffffu;
}

wire::Writer ChildEnvironment::request(wire::Message type) const {
  wire::Writer message(type);
  if (version_ >= 2) message.put(requests_);
  return message;
}

void ChildEnvironment::reset(std::uint64_t seed, int first_episode) {
  if (first_episode < 0) throw InvalidArgument("ChildEnvironment::reset: first_episode is negative");
  running_ = true;
  steps_taken_ = 0;
  std::ranges::fill(rewards_, 0.0);
  std::ranges::fill(costs_, 0.0);
  std::ranges::fill(terminals_, std::uint8_t{0});
  std::ranges::fill(timeouts_, std::uint8_t{0});
  const Call call{"reset", options_.start_timeout, ++requests_};
  each_child([&](const Part& part) {
    wire::Writer message = request(Message::reset);
    for (std::size_t i = part.first; i < part.first + part.count; ++i)
      message.put(
          static_cast<std::uint32_t>(episode_seed(seed, first_episode + static_cast<std::int64_t>(i))));
    part.child->send(call, std::move(message));
  });
  each_child([&](const Part& part) {
    const std::size_t bytes = observation_dim_ * sizeof(float);
    for (std::size_t i = part.first; i < part.first + part.count; ++i) {
      const Call one{"reset", options_.start_timeout, requests_};
      const std::string payload = part.child->receive(one, Message::observation, bytes, bytes);
      wire::Reader(payload).take(std::span(observations_).subspan(i * observation_dim_, observation_dim_));
      check_observation(i);
    }
  });
  filming_ = options_.film && first_episode == 0;
  film();
}

void ChildEnvironment::film() {
  if (!filming_) return;
  const bool over = terminals_[0] != 0 || timeouts_[0] != 0;
  if (!over && steps_taken_ % kStepsOfPicture != 0) return;
  filming_ = options_.film(render_first()) && !over;
}

CameraPicture ChildEnvironment::render_first() {
  CameraPicture picture;
  const Call call{.name = "render",
                  .timeout = options_.step_timeout,
                  .number = ++requests_,
                  .if_reported = filmed_ ? ExitCode::environment : ExitCode::usage};
  ask(parts_.front(), [&](const Part& part) {
    wire::Writer message = request(Message::render);
    message.put(std::uint32_t{0});
    part.child->send(call, std::move(message));
    constexpr std::size_t kSizes = 2 * sizeof(std::uint32_t),
                          kMost = std::size_t{3} * kWidestPicture * kWidestPicture;
    const std::string payload = part.child->receive(call, Message::picture, kSizes, kSizes + kMost);
    wire::Reader reader(payload);
    picture.width = reader.take_number();
    picture.height = reader.take_number();
    const auto fits = [](std::uint32_t side) { return side >= 1 && side <= kWidestPicture; };
    if (!fits(picture.width) || !fits(picture.height) ||
        reader.rest().size() != std::size_t{3} * picture.width * picture.height)
      throw Complaint{"a picture of " + std::to_string(picture.width) + " x " +
                          std::to_string(picture.height) + " pixels has " +
                          std::to_string(reader.rest().size()) +
                          " bytes, expected three for each of 1 x 1 to " + std::to_string(kWidestPicture) +
                          " x " + std::to_string(kWidestPicture),
                      kServe};
    picture.pixels.assign(reader.rest().begin(), reader.rest().end());
  });
  filmed_ = true;
  return picture;
}

void ChildEnvironment::step(std::span<const float> actions) {
  if (!running_) throw InvalidArgument("ChildEnvironment::step: there was no reset");
  const auto n = static_cast<std::size_t>(options_.copies);
  if (actions.size() != n * action_dim_)
    throw InvalidArgument("ChildEnvironment::step: actions has " + std::to_string(actions.size()) +
                          " values, expected " + std::to_string(n * action_dim_));
  std::vector<std::uint8_t> active(n);
  std::vector<float> mapped(actions.size(), 0.0f);
  for (std::size_t i = 0; i < n; ++i) {
    active[i] = terminals_[i] == 0 && timeouts_[i] == 0;
    for (std::size_t j = i * action_dim_; active[i] && j < (i + 1) * action_dim_; ++j) {
      if (!std::isfinite(actions[j]))
        throw InvalidArgument("ChildEnvironment::step: action " + std::to_string(j % action_dim_) +
                              " of copy " + std::to_string(i) + " is not finite");
      mapped[j] = (*actions_)(j % action_dim_, actions[j]);
    }
  }
  std::ranges::fill(rewards_, 0.0);
  std::ranges::fill(costs_, 0.0);
  const auto idle = [&](const Part& part) {
    return std::ranges::none_of(std::span(active).subspan(part.first, part.count),
                                [](auto a) { return a != 0; });
  };

  const Call call{"step", options_.step_timeout, ++requests_};
  each_child([&](const Part& part) {
    if (idle(part)) return;
    wire::Writer message = request(Message::step);
    message.put(std::span<const std::uint8_t>(active).subspan(part.first, part.count));
    message.put(std::span<const float>(mapped).subspan(part.first * action_dim_, part.count * action_dim_));
    part.child->send(call, std::move(message));
  });
  ++steps_taken_;
  each_child([&](const Part& part) {
    if (!idle(part)) receive_transition(part, call, std::span(active).subspan(part.first, part.count));
  });
  if (episode_steps_ > 0 && steps_taken_ >= episode_steps_)
    for (std::size_t i = 0; i < n; ++i)
      if (terminals_[i] == 0) timeouts_[i] = 1;
  film();
}

void ChildEnvironment::receive_transition(const Part& part, const Call& call,
                                          std::span<const std::uint8_t> active) {
  const std::size_t n = part.count, width = observation_dim_;
  const std::size_t bytes = n * (width * sizeof(float) + 2 * sizeof(double) + 2);
  const std::string payload = part.child->receive(call, Message::transition, bytes, bytes, n);
  std::vector<float> observations(n * width);
  std::vector<double> rewards(n), costs(n);
  std::vector<std::uint8_t> terminated(n), truncated(n);
  wire::Reader reader(payload);
  reader.take(std::span(observations));
  reader.take(std::span(rewards));
  reader.take(std::span(costs));
  reader.take(std::span(terminated));
  reader.take(std::span(truncated));
  for (std::size_t i = 0; i < n; ++i) {
    if (active[i] == 0) continue;
    const std::size_t copy = part.first + i;
    const auto seen = std::span(observations).subspan(i * width, width);
    std::ranges::copy(seen, observations_.begin() + static_cast<std::ptrdiff_t>(copy * width));
    check_observation(copy);
    require(std::isfinite(rewards[i]), copy, "reward", rewards[i], "a finite number");
    require(std::isfinite(costs[i]) && costs[i] >= 0, copy, "cost", costs[i],
            "a finite number of at least 0");
    require(terminated[i] <= 1, copy, "terminated", terminated[i], "0 or 1");
    require(truncated[i] <= 1, copy, "truncated", truncated[i], "0 or 1");
    require(episode_steps_ > 0 || steps_taken_ < kEndlessEpisode, copy, "episode's length", steps_taken_,
            "an end; let the environment state a step limit");
    rewards_[copy] = rewards[i];
    costs_[copy] = costs[i];
    terminals_[copy] = terminated[i];
    timeouts_[copy] = truncated[i];
  }
}

void ChildEnvironment::check_observation(std::size_t copy) const {
  const auto row = std::span(observations_).subspan(copy * observation_dim_, observation_dim_);
  for (std::size_t j = 0; j < row.size(); ++j)
    require(std::isfinite(row[j]), copy, "observation " + std::to_string(j), static_cast<double>(row[j]),
            "a finite 32-bit number");
}

void ChildEnvironment::require(bool holds, std::size_t copy, const std::string& what, double value,
                               const char* expected) const {
  if (!holds)
    throw Complaint{what + " of copy " + std::to_string(copy) + " is " + shortest(value) + " after step " +
                        std::to_string(steps_taken_) + ", expected " + expected,
                    "the environment has to be mended"};
}

}  // namespace r2pac
