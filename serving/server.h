// The loop of `r2pac serve`: one thread waits for clients, takes their requests, and answers them in batches.
#pragma once

#include <poll.h>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "serving/connection.h"
#include "serving/counters.h"
#include "serving/metrics_page.h"
#include "serving/queue.h"
#include "serving/served_policy.h"

namespace r2pac::serving {

struct ServerLimits {
  std::size_t clients = 64;    ///< at once
  std::size_t batch = 64;      ///< requests without deadlines that may wait, to be answered together
  Pace::Seconds wait{0};       ///< that a first request without a deadline waits for others
  Pace::Seconds patience{10};  ///< with a client that stalls, and with all at the end
};

class Server {
 public:
  /// listeners  sockets at which clients connect; they outlive the server
  Server(PolicyWatch& watch, std::vector<int> listeners, const ServerLimits& limits);

  /// Metrics are shown at this socket from now on.
  void show_metrics(Descriptor listener);
  /// Serves until `stop` says so, asked ten times a second and after each batch. between  is called as often
  void run(const std::function<bool()>& stop, const std::function<void()>& between);
  /// Answers what is there, takes leave of all clients, and closes them. The listeners should be closed
  /// before.
  void drain();

  const Counters& counters() const { return counters_; }

 private:
  void turn(Clock::duration longest);
  void wait_for_sockets(Clock::duration longest);
  void accept(Clock::time_point now);
  void collect(Clock::time_point now);
  bool take_one(Connection& client, Clock::time_point now);
  bool take(Connection& client, const Frame& frame, Clock::time_point now);
  void answer();
  void reply(const Request& request, const Outcome& outcome);
  void part(Clock::time_point now);

  PolicyWatch& watch_;
  std::unique_ptr<ServedPolicy> policy_;
  FactsFields facts_;  // of it
  std::vector<int> listeners_;
  ServerLimits limits_;
  std::unique_ptr<MetricsPage> metrics_;
  Counters counters_;
  RequestQueue queue_;
  Clock::time_point batch_end_;    // until when a batch waits for more
  bool answering_ = false;         // what waited is being answered, batch by batch
  bool more_is_there_ = false;     // than the queue could take
  std::list<Connection> clients_;  // each turn another one is the first
  std::vector<pollfd> polled_;
  bool knocked_ = false;            // somebody at a listener or a reader of metrics
  Clock::time_point accept_after_;  // where the system has no descriptor left
};

}  // namespace r2pac::serving
