#include "serving/served_policy.h"

#include <chrono>
#include <cstdio>

#include "base/error.h"
#include "base/version.h"

namespace r2pac::serving {
namespace {

constexpr std::chrono::milliseconds kLook{200};

template <std::size_t N>
void copy_text(const std::string& text, char (&to)[N]) {
  std::snprintf(to, N, "%s", text.c_str());
}

/// A run folder's policy has a name.
std::filesystem::path policy_file(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? path / "policy.safetensors" : path;
}

}  // namespace

FactsFields ServedPolicy::facts() const {
  const Dimensions& dim = policy.dimensions();
  const SamplerOptions& options = acting.sampler().options();
  FactsFields facts;
  facts.observation_length = static_cast<std::uint32_t>(dim.observation);
  facts.action_length = static_cast<std::uint32_t>(dim.action);
  facts.chunk_length = static_cast<std::uint32_t>(dim.chunk_length);
  facts.candidates = static_cast<std::uint32_t>(options.num_candidates);
  facts.flow_steps = static_cast<std::uint32_t>(acting.flow_steps());
  facts.has_critics = policy.has_critics();
  facts.reads_spent = acting.sampler().reads_spent();
  facts.largest_payload = largest_payload(acting.observation_length(), acting.action_length());
  facts.cost_limit = options.budget.limit;
  facts.region_end = policy.region_end().value_or(Decision::kUnknown);
  facts.trained_steps = policy.step();
  copy_text(policy.settings().method, facts.method);
  copy_text(policy.settings().task, facts.task);
  copy_text(acting.sampler().actor().description(), facts.computes);
  facts.checksum = checksum();
  copy_text(r2pac::kVersion, facts.version);
  return facts;
}

PolicyWatch::PolicyWatch(const std::filesystem::path& path, OpenPolicyAt open,
                         std::function<void(const std::exception&)> complain)
    : file_(policy_file(path)), open_(std::move(open)), complain_(std::move(complain)), seen_(identity()) {
  next_ = open_(path);  // a file that takes this one's place from now on has another identity
  observation_length_ = next_->acting.observation_length();
  action_length_ = next_->acting.action_length();
}

PolicyWatch::~PolicyWatch() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PolicyWatch::start() {
  thread_ = std::thread([this] { watch(); });
}

bool PolicyWatch::swap(std::unique_ptr<ServedPolicy>& current) {
  if (!ready_) return false;
  const std::lock_guard lock(mutex_);
  old_ = std::exchange(current, std::move(next_));
  ready_ = false;
  return true;
}

PolicyWatch::Identity PolicyWatch::identity() const {
  struct stat status {};
  if (::stat(file_.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size, status.st_mtim};
}

void PolicyWatch::watch() {
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, kLook, [this] { return end_; })) {
    std::unique_ptr<ServedPolicy> old = std::move(old_);
    lock.unlock();
    old.reset();
    look();
    lock.lock();
  }
}

/// A file that is refused is not looked at again until it changes.
void PolicyWatch::look() {
  const Identity now = identity();
  if (now == seen_ || now == Identity{} || ready_) return;
  seen_ = now;
  try {
    std::unique_ptr<ServedPolicy> opened = open_(file_);
    const std::size_t observation = opened->acting.observation_length(),
                      action = opened->acting.action_length();
    if (observation != observation_length_ || action != action_length_)
      throw Error(ExitCode::checkpoint,
                  "the new policy sees " + std::to_string(observation) + " numbers and says " +
                      std::to_string(action) + ", the one that acts sees " +
                      std::to_string(observation_length_) + " and says " + std::to_string(action_length_),
                  file_.string(), "serve it at a socket of its own");
    const std::lock_guard lock(mutex_);
    next_ = std::move(opened);
    ready_ = true;
  } catch (const std::exception& error) {
    ++refused_;
    complain_(error);
  }
}

}  // namespace r2pac::serving
