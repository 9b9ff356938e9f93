// One client of the server: its socket, the bytes that it sent and those that it shall get, within bounds.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "policy/timed_policy.h"
#include "serving/frames.h"
#include "storage/posix.h"

namespace r2pac::serving {

using Clock = Pace::Clock;

class Connection {
 public:
  /// socket  does not block. largest  bytes of payload of a client's frame. answer  bytes of the largest
  /// answer
  Connection(Descriptor socket, std::uint32_t largest, std::size_t answer, Clock::time_point now);
  Connection(const Connection&) = delete;

  int descriptor() const { return socket_.get(); }

  /// Reads what is there and has room. Once hung up, the client sends nothing more.
  void receive(Clock::time_point now);
  bool wants_to_receive() const { return !hung_up_ && (closing_ || length_ < capacity_); }
  /// The next whole frame, which lies here until take() or receive(). Throws as first_frame.
  std::optional<Frame> next();
  void take(const Frame& frame);
  /// When bytes came last.
  Clock::time_point received_at() const { return received_at_; }

  // Requests that were taken and not yet answered keep room for their answers.
  bool has_room() const {
    return !closing_ && out_.size() + (waiting_ + 1) * answer_ <= kMostToSend + answer_;
  }
  std::size_t waiting() const { return waiting_; }
  void wait_for_answer() { ++waiting_; }
  void stop_waiting() { --waiting_; }

  /// Frames are appended here, at most one for each request.
  Bytes& out() { return out_; }
  bool wants_to_send() const { return !out_.empty() && !lost_; }
  /// Sends what the socket takes.
  void send(Clock::time_point now);

  /// Sends a reason after all answers, takes nothing more, and hangs up.
  void fail(Code code, std::string_view text, Clock::time_point now);
  bool closing() const { return closing_; }
  /// Whether it has been of no use for `patience`: a frame unfinished, answers untaken, nothing said at
  /// first.
  bool stalls(Clock::time_point now, Clock::duration patience) const;
  /// Nothing is left to do with it.
  bool done(Clock::time_point now) const;

  LastChunk last;      ///< that this client got
  Checksum last_by{};  ///< of the policy that planned it

 private:
  static constexpr std::size_t kMostToSend = 64u << 10;  // bytes that wait for the client
  static constexpr std::chrono::seconds kFarewell{1};    // for a client to read why it is left

  Descriptor socket_;
  std::uint32_t largest_;
  std::size_t answer_, capacity_;
  std::unique_ptr<std::byte[]> in_;  // [capacity_], of which `length_` from `begin_` on wait
  std::size_t begin_ = 0, length_ = 0;
  Bytes out_;
  std::size_t sent_ = 0;  // of out_
  std::size_t waiting_ = 0;
  bool spoke_ = false, hung_up_ = false, lost_ = false, closing_ = false, said_farewell_ = false;
  Clock::time_point received_at_, since_;  // the latter: the first frame here has been unfinished
  bool stuck_ = false;                     // the client has taken nothing since:
  Clock::time_point stuck_at_, closing_at_;
};

}  // namespace r2pac::serving
