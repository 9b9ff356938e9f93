#include "serving/connection.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace r2pac::serving {

Connection::Connection(Descriptor socket, std::uint32_t largest, std::size_t answer, Clock::time_point now)
    : socket_(std::move(socket)),
      largest_(largest),
      answer_(answer),
      capacity_(sizeof(Header) + largest),
      in_(std::make_unique_for_overwrite<std::byte[]>(capacity_)),
      received_at_(now),
      since_(now),
      closing_at_(now) {
  out_.reserve(kMostToSend + 2 * answer_);
}

void Connection::receive(Clock::time_point now) {
  if (closing_) begin_ = length_ = 0;  // what it still says is not heard
  if (begin_ > 0) std::memmove(in_.get(), in_.get() + begin_, length_);
  begin_ = 0;
  if (length_ == 0) since_ = now;
  while (!hung_up_ && length_ < capacity_) {
    const ssize_t got = ::recv(socket_.get(), in_.get() + length_, capacity_ - length_, MSG_DONTWAIT);
    if (got > 0) {
      length_ += static_cast<std::size_t>(got);
      received_at_ = now;
    } else if (got == 0) {
      hung_up_ = true;
    } else if (errno != EINTR) {
      if (errno != EAGAIN && errno != EWOULDBLOCK) hung_up_ = lost_ = true;
      break;
    }
  }
}

std::optional<Frame> Connection::next() {
  const std::optional<Frame> frame = first_frame(std::span(in_.get() + begin_, length_), largest_);
  if (!frame && hung_up_) length_ = 0;  // its end will not come
  return frame;
}

void Connection::take(const Frame& frame) {
  spoke_ = true;
  since_ = received_at_;
  begin_ += frame.size();
  length_ -= frame.size();
}

void Connection::send(Clock::time_point now) {
  while (wants_to_send()) {
    const ssize_t went =
        ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (went < 0 && errno == EINTR) continue;
    if (went < 0) {
      if (errno != EAGAIN && errno != EWOULDBLOCK) lost_ = true;
      if (!stuck_) stuck_at_ = now;
      stuck_ = true;
      break;
    }
    stuck_ = false;
    sent_ += static_cast<std::size_t>(went);
    if (sent_ < out_.size()) continue;
    out_.clear();
    sent_ = 0;
  }
  if (closing_ && !said_farewell_ && !wants_to_send()) {
    // The client can read to the end: a socket that is closed with bytes unread would be reset.
    ::shutdown(socket_.get(), SHUT_WR);
    said_farewell_ = true;
  }
}

void Connection::fail(Code code, std::string_view text, Clock::time_point now) {
  if (closing_) return;
  append_reason(out_, Type::failure, 0, code, text);
  closing_ = true;
  closing_at_ = now;
  send(now);
}

bool Connection::stalls(Clock::time_point now, Clock::duration patience) const {
  const bool untaken = stuck_ && now - stuck_at_ > patience;
  const bool unsaid = waiting_ == 0 && out_.empty() && (!spoke_ || length_ > 0) && now - since_ > patience;
  return untaken || unsaid;
}

bool Connection::done(Clock::time_point now) const {
  if (waiting_ > 0) return false;
  if (lost_) return true;
  if (closing_) return (said_farewell_ && hung_up_) || now - closing_at_ > kFarewell;
  return hung_up_ && length_ == 0 && out_.empty();
}

}  // namespace r2pac::serving
