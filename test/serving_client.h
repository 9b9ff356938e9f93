// A client of `r2pac serve` that can also misbehave: it sends what it is told to, byte by byte.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "serving/frames.h"
#include "storage/posix.h"

namespace r2pac {

/// A request to act; the lengths of its fields are made those of its numbers.
struct ActQuestion {
  serving::ActFields fields;
  std::vector<float> observation, safe_action;
};

inline serving::Bytes frame(serving::Type type, std::uint32_t number, std::span<const std::byte> payload) {
  serving::Header header;
  header.type = type;
  header.length = static_cast<std::uint32_t>(payload.size());
  header.number = number;
  const auto head = std::as_bytes(std::span(&header, 1));
  serving::Bytes bytes(head.begin(), head.end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

inline serving::Bytes info_frame(std::uint32_t number) { return frame(serving::Type::info, number, {}); }

inline serving::Bytes act_frame(std::uint32_t number, ActQuestion question) {
  question.fields.observation_length = static_cast<std::uint32_t>(question.observation.size());
  question.fields.safe_length = static_cast<std::uint32_t>(question.safe_action.size());
  serving::Bytes payload;
  for (const auto part :
       {std::as_bytes(std::span(&question.fields, 1)), std::as_bytes(std::span(question.observation)),
        std::as_bytes(std::span(question.safe_action))})
    payload.insert(payload.end(), part.begin(), part.end());
  return frame(serving::Type::act, number, payload);
}

/// A frame of the server.
struct Heard {
  serving::Header header;
  serving::Bytes payload;

  template <class Fields>
  Fields fields() const {
    if (payload.size() < sizeof(Fields)) throw std::runtime_error("the payload is too short");
    Fields fields;
    std::memcpy(static_cast<void*>(&fields), payload.data(), sizeof fields);
    return fields;
  }
  serving::AnswerFields answer() const {
    if (header.type != serving::Type::answer) throw std::runtime_error("no answer, but: " + text());
    return fields<serving::AnswerFields>();
  }
  std::vector<float> action() const {
    std::vector<float> action(answer().action_length);
    std::memcpy(action.data(), payload.data() + sizeof(serving::AnswerFields), action.size() * sizeof(float));
    return action;
  }
  std::string checksum() const {
    const auto digits = answer().checksum;
    return {digits.begin(), digits.end()};
  }
  serving::Code code() const { return fields<serving::ReasonFields>().code; }
  std::string text() const {
    if (payload.size() < sizeof(serving::ReasonFields)) return "";
    return {reinterpret_cast<const char*>(payload.data()) + sizeof(serving::ReasonFields),
            payload.size() - sizeof(serving::ReasonFields)};
  }
};

class ServingClient {
 public:
  explicit ServingClient(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    connect(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  explicit ServingClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }

  int descriptor() const { return socket_.get(); }
  /// Sends all; false where the server has hung up.
  bool send(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t went = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (went < 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(went));
    }
    return true;
  }
  bool send(const std::string& text) const { return send(std::as_bytes(std::span(text))); }
  /// The next frame; none where the server has hung up. Throws where nothing comes.
  std::optional<Heard> hear() const {
    Heard heard;
    if (!take(std::as_writable_bytes(std::span(&heard.header, 1)))) return std::nullopt;
    if (heard.header.magic != serving::kMagic) throw std::runtime_error("no frame");
    heard.payload.resize(heard.header.length);
    if (!take(heard.payload)) return std::nullopt;
    return heard;
  }
  Heard ask(std::uint32_t number, const ActQuestion& question) const {
    send(act_frame(number, question));
    std::optional<Heard> heard = hear();
    if (!heard) throw std::runtime_error("the server has hung up");
    return *heard;
  }
  serving::FactsFields facts() const {
    send(info_frame(1));
    return hear().value().fields<serving::FactsFields>();
  }
  /// Fills `to`; false where the server has hung up. Throws where nothing comes.
  bool take(std::span<std::byte> to) const {
    while (!to.empty()) {
      pollfd polled{socket_.get(), POLLIN, 0};
      if (::poll(&polled, 1, 60000) <= 0) throw std::runtime_error("nothing comes");
      const ssize_t got = ::recv(socket_.get(), to.data(), to.size(), 0);
      if (got <= 0) return false;
      to = to.subspan(static_cast<std::size_t>(got));
    }
    return true;
  }
  /// All that comes until the server hangs up.
  std::string rest() const {
    std::string all;
    for (char c; take(std::as_writable_bytes(std::span(&c, 1)));) all += c;
    return all;
  }
  void say_no_more() const { ::shutdown(socket_.get(), SHUT_WR); }

 private:
  void connect(const sockaddr* address, socklen_t length) const {
    if (::connect(socket_.get(), address, length) != 0) throw std::runtime_error("no server can be reached");
  }
  Descriptor socket_;
};

}  // namespace r2pac
