#include "envs/child_environment.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "base/processors.h"
#include "envs/child_process.h"
#include "envs/wire.h"

namespace r2pac {

namespace {

using Clock = std::chrono::steady_clock;
using Transfer = ChildProcess::Transfer;
using wire::Message;

constexpr int kEndlessEpisode = 100'000;  // steps
constexpr int kMostCopies = 65'536;
constexpr double kLongestTimeout = 1e6;    // seconds
constexpr std::size_t kLongestName = 200;  // bytes
constexpr std::chrono::seconds kExitPatience{2};

constexpr const char* kInstall =
    "install the simulators with `./setup.sh --simulators`, or name an interpreter that has them in "
    "R2PAC_SIMULATORS_PYTHON";
constexpr const char* kServe =
    "docs/environments.md says how to serve a program; its protocol alone may use file descriptor 3 "
    "(R2PAC_ENV_FD)";

constexpr const char* kHang = "see whether its last output tells what it waits for";
constexpr const char* kDied = "its last output, if there is any, tells why";

std::chrono::milliseconds as_milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(1000 * seconds)));
}

std::string shortest(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

// `relative` in the nearest folder above the running program that has it; else empty.
std::string find_above(const std::string& relative) {
  std::error_code ignored;
  std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  for (; !folder.empty(); folder = folder.parent_path()) {
    if (std::filesystem::exists(folder / relative, ignored)) return (folder / relative).string();
    if (folder == folder.root_path()) break;
  }
  return "";
}

std::vector<std::string> arguments_of(const ChildEnvironmentOptions& options) {
  if (!options.command.empty()) return {"/bin/sh", "-c", options.command};
  return {options.python, "-m", "r2pac.env_server", "--id", options.id};
}

std::string command_text(const ChildEnvironmentOptions& options) {
  if (!options.command.empty()) return plain_text(options.command);
  std::string text;
  for (const std::string& word : arguments_of(options)) text += (text.empty() ? "" : " ") + word;
  return plain_text(text);
}

std::vector<std::string> environment_of(const ChildEnvironmentOptions& options) {
  std::vector<std::string> out = {"R2PAC_ENV_FD=3", "PYTHONUNBUFFERED=1", "PYTHONFAULTHANDLER=1"};
  if (options.command.empty()) out.emplace_back("PYTHONSAFEPATH=1");  // no module from the working directory
  // Children work side by side already.
  for (const std::string threads : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"})
    if (std::getenv(threads.c_str()) == nullptr) out.push_back(threads + "=1");
  const std::string server = find_above("python/r2pac/env_server.py");
  if (!server.empty()) {
    const char* path = std::getenv("PYTHONPATH");
    const std::string ours = std::filesystem::path(server).parent_path().parent_path().string();
    out.push_back("PYTHONPATH=" + ours + (path && *path ? ":" + std::string(path) : ""));
  }
  return out;
}

// What is wrong with a child, before its command and its output are added.
struct Complaint {
  std::string what, todo, details;
};

// The lines of an error message: what, what to do, details.
Complaint reported(std::string_view payload) {
  std::string text = plain_text(payload);
  const auto take_line = [&] {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line = text.substr(0, end);
    text.erase(0, end + 1);
    return line;
  };
  Complaint out;
  out.what = take_line();
  out.todo = take_line();
  out.details = text;
  return out;
}

// The end of `text`, set off line by line.
std::string quoted(const std::string& text) {
  constexpr const char* kMark = "\n    | ";
  std::string out;
  for (std::size_t line = 0; line < text.size();) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    out += kMark + text.substr(line, end - line);
    line = end + 1;
  }
  return out;
}

Error as_error(const Complaint& complaint, const std::string& command, const std::string& output) {
  std::string what = complaint.what;
  const std::string details = last_lines(complaint.details);
  if (!details.empty()) what += ":" + quoted(details);
  if (!output.empty())
    what += (details.empty() ? "; its last output:" : "\n  its last output:") + quoted(output);
  return Error(ExitCode::environment, what, command, complaint.todo);
}

}  // namespace

std::string simulator_id(std::string_view task_env_id) {
  constexpr std::string_view kOffline = "Offline";
  if (!task_env_id.starts_with(kOffline) || task_env_id.starts_with("OfflineMetadrive"))
    return std::string(task_env_id);
  return "Safety" + std::string(task_env_id.substr(kOffline.size()));
}

std::string simulators_python() {
  if (const char* named = std::getenv("R2PAC_SIMULATORS_PYTHON"); named && *named) return named;
  const std::string own = find_above(".simulators/bin/python3");
  return own.empty() ? "python3" : own;
}

// One question to every child and its answer, by a common deadline.
struct ChildEnvironment::Call {
  const char* name;
  double timeout;  // seconds
  Clock::time_point deadline = Clock::now() + as_milliseconds(timeout);
};

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
  command_ = command_text(options_);
  const Call call{"hello", options_.start_timeout};
  start_children();
  greet(call);

  const auto n = static_cast<std::size_t>(options_.copies);
  observations_.resize(n * observation_dim_);
  rewards_.resize(n);
  costs_.resize(n);
  terminals_.resize(n);
  timeouts_.resize(n);
}

ChildEnvironment::~ChildEnvironment() {
  const std::string goodbye = wire::Writer(Message::close).message();
  const auto deadline = Clock::now() + kExitPatience;
  for (const Part& part : parts_) {
    part.child->send(goodbye, Clock::now());
    part.child->hang_up();
  }
  for (const Part& part : parts_) part.child->end(deadline);
}

template <class Action>
void ChildEnvironment::each_child(const Action& action) {
  if (parts_.empty())
    throw Error(ExitCode::environment, "the environment's program failed before and has been ended",
                command_);
  try {
    for (const Part& part : parts_) try {
        action(part);
      } catch (const Complaint& complaint) {
        part.child->end(Clock::now());
        throw as_error(complaint, command_, part.child->last_output());
      }
  } catch (...) {
    parts_.clear();
    throw;
  }
}

void ChildEnvironment::start_children() try {
  const auto copies = static_cast<std::size_t>(options_.copies);
  const int wanted = options_.processes > 0 ? options_.processes : thread_count();
  const std::size_t processes = std::min(static_cast<std::size_t>(wanted), copies);
  const std::vector<std::string> arguments = arguments_of(options_), environment = environment_of(options_);
  for (std::size_t i = 0; i < processes; ++i) {
    const std::size_t first = copies * i / processes, end = copies * (i + 1) / processes;
    parts_.push_back({std::make_unique<ChildProcess>(arguments, environment), first, end - first});
  }
} catch (const Error& error) {
  throw Error(error.code(), error.what(), command_, options_.command.empty() ? kInstall : "");
}

void ChildEnvironment::send(const Part& part, const Call& call, wire::Writer message) {
  // A child that has hung up may have said why; receive() tells.
  if (part.child->send(std::move(message).message(), call.deadline) == Transfer::timed_out)
    throw Complaint{"`" + std::string(call.name) + "` is not read within " + shortest(call.timeout) + " s",
                    kHang, ""};
}

std::string ChildEnvironment::receive(const Part& part, const Call& call, wire::Message expected,
                                      std::size_t least, std::size_t most) {
  const std::string answer = "the answer to `" + std::string(call.name) + "`";
  const auto take = [&](std::span<char> bytes) {
    const Transfer transfer = part.child->receive(bytes, call.deadline);
    if (transfer == Transfer::timed_out)
      throw Complaint{"no answer to `" + std::string(call.name) + "` within " + shortest(call.timeout) + " s",
                      kHang, ""};
    if (transfer == Transfer::closed) {
      part.child->end(Clock::now() + kExitPatience);
      const bool greeting = expected == Message::description;
      throw Complaint{"the environment's program " + part.child->how_it_ended() + " instead of answering `" +
                          call.name + "`",
                      !greeting                  ? kDied
                      : options_.command.empty() ? kInstall
                                                 : kServe,
                      ""};
    }
  };
  wire::Header header{};
  take({reinterpret_cast<char*>(&header), sizeof header});
  if (header.magic != wire::kMagic)
    throw Complaint{answer + " is not a message: it does not begin with `R2CE`", kServe, ""};
  const bool failed = header.type == static_cast<std::uint32_t>(Message::error);
  if (!failed && header.type != static_cast<std::uint32_t>(expected))
    throw Complaint{answer + " is a message of type " + std::to_string(header.type) + ", expected " +
                        std::to_string(static_cast<std::uint32_t>(expected)),
                    kServe, ""};
  if (failed) {
    least = 0;
    most = wire::kLargestText;
  }
  if (header.length < least || header.length > most)
    throw Complaint{answer + " has " + std::to_string(header.length) + " bytes, expected " +
                        std::to_string(least) + (least == most ? "" : " to " + std::to_string(most)),
                    kServe, ""};
  std::string payload(header.length, '\0');
  take(payload);
  if (failed) throw reported(payload);
  return payload;
}

void ChildEnvironment::greet(const Call& call) {
  each_child([&](const Part& part) {
    wire::Writer hello(Message::hello);
    hello.put(wire::kVersion).put(static_cast<std::uint32_t>(part.count));
    send(part, call, std::move(hello));
  });
  std::string first_description;
  each_child([&](const Part& part) {
    constexpr std::size_t kNumbers = 4 * sizeof(std::uint32_t);
    const std::string payload = receive(part, call, Message::description, kNumbers, wire::kLargestText);
    wire::Reader description(payload);
    const std::uint32_t version = description.take_number();
    if (version != wire::kVersion)
      throw Complaint{"its protocol is of version " + std::to_string(version) + ", expected " +
                          std::to_string(wire::kVersion),
                      "use the server of this version of r2pac", ""};
    const auto number = [&](const char* what, std::uint32_t least, std::uint32_t most) {
      const std::uint32_t value = description.take_number();
      if (value < least || value > most)
        throw Complaint{"its " + std::string(what) + " is " + std::to_string(value) + ", expected " +
                            std::to_string(least) + " to " + std::to_string(most),
                        kServe, ""};
      return value;
    };
    observation_dim_ = number("observation width", 1, wire::kWidestObservation);
    action_dim_ = number("action width", 1, wire::kWidestAction);
    const std::uint32_t steps = number("step limit", 0, wire::kLongestEpisode);
    episode_steps_ = steps > 0 ? static_cast<int>(steps) : std::max(options_.episode_steps, -1);
    name_ = plain_text(description.rest().substr(0, kLongestName));
    std::ranges::replace(name_, '\n', '?');
    if (part.count * (4 * observation_dim_ + 4 * action_dim_ + 18) > wire::kLargestPayload)
      throw Complaint{std::to_string(part.count) + " copies of observation width " +
                          std::to_string(observation_dim_) + " do not fit a message",
                      "let fewer copies share a process", ""};
    if (part.first == 0) first_description = payload;
    if (payload != first_description)
      throw Complaint{"two processes of one command describe different environments", "", ""};
  });
}

std::uint64_t ChildEnvironment::episode_seed(std::uint64_t seed, std::int64_t episode) const {
  return (100'000 * seed + static_cast<std::uint64_t>(episode)) & 0xffffffffu;
}

void ChildEnvironment::reset(std::uint64_t seed, int first_episode) {
  if (first_episode < 0) throw InvalidArgument("ChildEnvironment::reset: first_episode is negative");
  running_ = true;
  steps_taken_ = 0;
  std::ranges::fill(rewards_, 0.0);
  std::ranges::fill(costs_, 0.0);
  std::ranges::fill(terminals_, std::uint8_t{0});
  std::ranges::fill(timeouts_, std::uint8_t{0});
  const Call call{"reset", options_.start_timeout};
  each_child([&](const Part& part) {
    wire::Writer message(Message::reset);
    for (std::size_t i = part.first; i < part.first + part.count; ++i)
      message.put(
          static_cast<std::uint32_t>(episode_seed(seed, first_episode + static_cast<std::int64_t>(i))));
    send(part, call, std::move(message));
  });
  each_child([&](const Part& part) {
    const std::size_t bytes = observation_dim_ * sizeof(float);
    for (std::size_t i = part.first; i < part.first + part.count; ++i) {
      const std::string payload =
          receive(part, Call{"reset", options_.start_timeout}, Message::observation, bytes, bytes);
      wire::Reader(payload).take(std::span(observations_).subspan(i * observation_dim_, observation_dim_));
      check_observation(i);
    }
  });
}

void ChildEnvironment::step(std::span<const float> actions) {
  if (!running_) throw InvalidArgument("ChildEnvironment::step: there was no reset");
  const auto n = static_cast<std::size_t>(options_.copies);
  if (actions.size() != n * action_dim_)
    throw InvalidArgument("ChildEnvironment::step: actions has " + std::to_string(actions.size()) +
                          " values, expected " + std::to_string(n * action_dim_));
  std::vector<std::uint8_t> active(n);
  std::vector<float> clipped(actions.size(), 0.0f);
  for (std::size_t i = 0; i < n; ++i) {
    active[i] = terminals_[i] == 0 && timeouts_[i] == 0;
    for (std::size_t j = i * action_dim_; active[i] && j < (i + 1) * action_dim_; ++j) {
      if (!std::isfinite(actions[j]))
        throw InvalidArgument("ChildEnvironment::step: action " + std::to_string(j % action_dim_) +
                              " of copy " + std::to_string(i) + " is not finite");
      clipped[j] = std::clamp(actions[j], -1.0f, 1.0f);
    }
  }
  std::ranges::fill(rewards_, 0.0);
  std::ranges::fill(costs_, 0.0);
  const auto idle = [&](const Part& part) {
    return std::ranges::none_of(std::span(active).subspan(part.first, part.count),
                                [](auto a) { return a != 0; });
  };

  const Call call{"step", options_.step_timeout};
  each_child([&](const Part& part) {
    if (idle(part)) return;
    wire::Writer message(Message::step);
    message.put(std::span<const std::uint8_t>(active).subspan(part.first, part.count));
    message.put(std::span<const float>(clipped).subspan(part.first * action_dim_, part.count * action_dim_));
    send(part, call, std::move(message));
  });
  ++steps_taken_;
  each_child([&](const Part& part) {
    if (!idle(part)) receive_transition(part, call, std::span(active).subspan(part.first, part.count));
  });
  if (episode_steps_ > 0 && steps_taken_ >= episode_steps_)
    for (std::size_t i = 0; i < n; ++i)
      if (terminals_[i] == 0) timeouts_[i] = 1;
}

void ChildEnvironment::receive_transition(const Part& part, const Call& call,
                                          std::span<const std::uint8_t> active) {
  const std::size_t n = part.count, width = observation_dim_;
  const std::size_t bytes = n * (width * sizeof(float) + 2 * sizeof(double) + 2);
  const std::string payload = receive(part, call, Message::transition, bytes, bytes);
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
                    "the environment has to be mended", ""};
}

}  // namespace r2pac
