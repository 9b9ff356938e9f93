#include "serving/metrics_page.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "serving/listening.h"

namespace r2pac::serving {
namespace {

constexpr std::size_t kMostReaders = 4, kLongestHead = 4096;  // bytes
constexpr std::chrono::seconds kPatience{2};

std::string http(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status +
         "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace

std::string http_answer(std::string_view head, const std::function<std::string()>& page) {
  const bool ended = head.find("\r\n\r\n") != head.npos || head.find("\n\n") != head.npos;
  if (!ended)
    return head.size() < kLongestHead ? std::string()
                                      : http("431 Request Header Fields Too Large", "too long\n");
  const std::string_view line = head.substr(0, head.find_first_of("\r\n"));
  const std::size_t first = line.find(' '), second = line.find(' ', first + 1);
  if (first == line.npos || second == line.npos || !line.substr(second + 1).starts_with("HTTP/1."))
    return http("400 Bad Request", "this is no request of HTTP/1\n");
  if (line.substr(0, first) != "GET") return http("405 Method Not Allowed", "only GET is known\n");
  if (line.substr(first + 1, second - first - 1) != "/metrics")
    return http("404 Not Found", "see /metrics\n");
  return http("200 OK", page());
}

void MetricsPage::add_to(std::vector<pollfd>& polled) const {
  if (readers_.size() < kMostReaders) polled.push_back({listener_.get(), POLLIN, 0});
  for (const Reader& reader : readers_)
    polled.push_back({reader.socket.get(), static_cast<short>(reader.answer.empty() ? POLLIN : POLLOUT), 0});
}

void MetricsPage::go_on(Pace::Clock::time_point now) {
  while (readers_.size() < kMostReaders) {
    Descriptor socket = accept_client(listener_.get());
    if (!socket.valid()) break;
    readers_.push_back({std::move(socket), now, {}, {}, 0, false});
  }
  for (Reader& reader : readers_) go_on(reader);
  readers_.remove_if([&](const Reader& reader) { return reader.ended || now - reader.since > kPatience; });
}

void MetricsPage::go_on(Reader& reader) {
  std::array<char, kLongestHead> bytes;
  while (reader.answer.empty()) {
    const ssize_t got =
        ::recv(reader.socket.get(), bytes.data(), kLongestHead - reader.head.size(), MSG_DONTWAIT);
    if (got <= 0) {
      reader.ended = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
      return;
    }
    reader.head.append(bytes.data(), static_cast<std::size_t>(got));
    reader.answer = http_answer(reader.head, page_);
  }
  while (reader.sent < reader.answer.size()) {
    const ssize_t went = ::send(reader.socket.get(), reader.answer.data() + reader.sent,
                                reader.answer.size() - reader.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (went < 0) {
      reader.ended = errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
      return;
    }
    reader.sent += static_cast<std::size_t>(went);
  }
  ::shutdown(reader.socket.get(), SHUT_WR);
  reader.ended = true;
}

}  // namespace r2pac::serving
