#include <atomic>
#include <csignal>
#include <cstdio>
#include <optional>

#include "base/error.h"
#include "base/printable.h"
#include "serving/listening.h"
#include "serving/server.h"
#include "tools/acting.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/interruption.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

using namespace serving;

struct ServeOptions {
  std::string policy;
  std::string socket = "r2pac.sock";
  std::optional<std::uint16_t> tcp, metrics;  ///< ports of the loopback
  std::size_t clients = 64, batch = 64;
  double wait = 0;       ///< ms
  double patience = 10;  ///< s
  ActingFlags acting;
  DeviceFlags device;
};

std::atomic<bool> report_wanted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "signal handlers may only touch lock-free atomics");

void on_report(int) { report_wanted.store(true); }

/// SIGUSR1 asks for the counters. A reader of what is printed may go away: the server stays.
void install_signals() {
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  action.sa_handler = on_report;
  sigaction(SIGUSR1, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void complain(const std::exception& thrown) {
  const auto* error = dynamic_cast<const Error*>(&thrown);
  const std::string where = error != nullptr && !error->where().empty() ? " (" + error->where() + ")" : "";
  std::fprintf(stderr, "warning: the new policy is refused, the old one stays: %s\n",
               printable(thrown.what() + where).c_str());
}

void print(const std::string& text) { std::fputs(text.c_str(), stderr); }

int run_serve(const ServeOptions& options) {
  const Interruption interruption;
  install_signals();
  // Whether clients can connect is known before the work; until the policy is there, they wait.
  UnixListener socket(options.socket);
  std::vector<int> listeners = {socket.descriptor()};
  Descriptor tcp, metrics;
  if (options.tcp) listeners.push_back((tcp = listen_on_loopback(*options.tcp)).get());
  if (options.metrics) metrics = listen_on_loopback(*options.metrics);
  PolicyWatch watch(
      options.policy,
      [&options](const std::filesystem::path& path) {
        const std::shared_ptr<Device> device = open_device(options.device);
        Policy policy = Policy::load(path, device);
        const Settings settings = acting_settings(policy, options.acting);
        return std::make_unique<ServedPolicy>(std::move(policy), settings, device);
      },
      complain);
  Server server(
      watch, listeners,
      {options.clients, options.batch, Pace::Seconds(1e-3 * options.wait), Pace::Seconds(options.patience)});
  std::string where = options.socket;
  if (options.tcp) where += " and 127.0.0.1:" + std::to_string(port_of(tcp.get()));
  if (options.metrics)
    where += "; metrics at http://127.0.0.1:" + std::to_string(port_of(metrics.get())) + "/metrics";
  if (options.metrics) server.show_metrics(std::move(metrics));
  print("serving " + printable(options.policy) + " at " + printable(where) + "\n");
  server.run([&] { return interruption.requested(); },
             [&] {
               if (report_wanted.exchange(false)) print(server.counters().text());
             });
  socket.close();
  tcp.close();
  server.drain();
  print("stopped\n" + server.counters().text());
  return 0;
}

void add_port(CLI::App& verb, const std::string& option, std::optional<std::uint16_t>& port,
              const std::string& description) {
  verb.add_option(option, port, description + "; 0: any that is free")->check(CLI::Range(0, 65535));
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  const auto [verb, options] =
      add_verb(app, action, run_serve, "serve", "Answer many clients with actions, in time, through a socket",
               "r2pac serve runs/robot --socket robot.sock");
  verb->add_option("policy", options->policy,
                   "Run folder or policy file; one that takes its place is taken over")
      ->required();
  add_output(*verb, "--socket", options->socket, "UNIX socket at which clients connect")
      ->capture_default_str();
  add_port(*verb, "--tcp", options->tcp, "Port of 127.0.0.1 at which clients connect, too");
  add_port(*verb, "--metrics", options->metrics,
           "Port of 127.0.0.1 with counters for Prometheus, at /metrics");
  verb->add_option("--clients", options->clients, "Clients at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  verb->add_option("--batch", options->batch,
                   "Requests without deadlines that may wait, to be answered together as far as that helps")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  verb->add_option("--wait", options->wait,
                   "Milliseconds that a request without a deadline waits for others, to be answered together")
      ->capture_default_str()
      ->check(number_in(0, 1000));
  verb->add_option(
          "--patience", options->patience,
          "Seconds until a client is dropped that leaves a frame unfinished, its answers untaken, or says "
          "nothing at first")
      ->capture_default_str()
      ->check(number_in(0.01, 3600));
  add_acting_flags(*verb, options->acting);
  add_device_flags(*verb, options->device);
}

}  // namespace r2pac
