// The policy that a server acts with, and the next one, which is proven while it acts.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "policy/timed_policy.h"
#include "serving/frames.h"

namespace r2pac::serving {

/// An opened policy, ready to act.
struct ServedPolicy {
  ServedPolicy(Policy opened, const Settings& settings, std::shared_ptr<Device> device)
      : policy(std::move(opened)), acting(policy, settings, std::move(device)) {}

  Checksum checksum() const {
    Checksum digits{};
    std::copy_n(policy.checksum().begin(), std::min(policy.checksum().size(), digits.size()), digits.begin());
    return digits;
  }
  /// What clients are told.
  FactsFields facts() const;

  Policy policy;
  TimedPolicy acting;
};

/// Opens a policy of a path, as the command's flags say. Throws as Policy::load and TimedPolicy.
using OpenPolicyAt = std::function<std::unique_ptr<ServedPolicy>(const std::filesystem::path&)>;

/// Looks whether the policy's file is another one, five times a second, opens that in a thread of its own,
/// and keeps it until it is fetched.
class PolicyWatch {
 public:
  /// path  a policy file, or a run folder. complain  told of each file that is refused, by the watching
  /// thread
  PolicyWatch(const std::filesystem::path& path, OpenPolicyAt open,
              std::function<void(const std::exception&)> complain);
  ~PolicyWatch();
  PolicyWatch(const PolicyWatch&) = delete;

  /// The policy that was opened at first. Once.
  std::unique_ptr<ServedPolicy> first() { return std::move(next_); }
  /// Begins to watch.
  void start();
  /// The new policy in place of `current`, if there is one; the old one is then taken apart elsewhere.
  bool swap(std::unique_ptr<ServedPolicy>& current);
  /// Files that were refused.
  std::uint64_t refused() const { return refused_; }

 private:
  /// What tells a file from one that took its place.
  struct Identity {
    dev_t device = 0;
    ino_t number = 0;
    off_t size = 0;
    timespec changed{};
    bool operator==(const Identity& other) const {
      return device == other.device && number == other.number && size == other.size &&
             changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec;
    }
  };
  /// Of nothing where there is no file.
  Identity identity() const;
  void watch();
  void look();

  std::filesystem::path file_;
  OpenPolicyAt open_;
  std::function<void(const std::exception&)> complain_;
  Identity seen_;
  std::size_t observation_length_ = 0, action_length_ = 0;
  std::mutex mutex_;  // of what follows
  std::condition_variable ended_;
  bool end_ = false;
  std::unique_ptr<ServedPolicy> next_, old_;
  std::atomic<bool> ready_{false};
  std::atomic<std::uint64_t> refused_{0};
  std::thread thread_;
};

}  // namespace r2pac::serving
