// One page over HTTP, for Prometheus: GET /metrics, and nothing else.
#pragma once

#include <poll.h>

#include <chrono>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "policy/timed_policy.h"
#include "storage/posix.h"

namespace r2pac::serving {

/// The answer to a request whose head has been read as far as `head`; empty: its end has not come yet.
/// page  makes what GET /metrics shows
std::string http_answer(std::string_view head, const std::function<std::string()>& page);

/// Its readers, few and each for a short time, in the loop of the server.
class MetricsPage {
 public:
  MetricsPage(Descriptor listener, std::function<std::string()> page)
      : listener_(std::move(listener)), page_(std::move(page)) {}

  bool has_readers() const { return !readers_.empty(); }
  /// Adds what to wait for.
  void add_to(std::vector<pollfd>& polled) const;
  /// Goes on with all readers that can.
  void go_on(Pace::Clock::time_point now);

 private:
  struct Reader {
    Descriptor socket;
    Pace::Clock::time_point since;
    std::string head, answer;
    std::size_t sent = 0;
    bool ended = false;
  };
  void go_on(Reader& reader);

  Descriptor listener_;
  std::function<std::string()> page_;
  std::list<Reader> readers_;
};

}  // namespace r2pac::serving
