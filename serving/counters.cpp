#include "serving/counters.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/counted.h"
#include "settings/text_value.h"

namespace r2pac::serving {
namespace {

constexpr double kLeast = 1e-6;  // seconds
constexpr const char* kSources[] = {"none", "full", "reduced", "chunk", "safe_action"};

double end_of_step(std::size_t step) {
  return kLeast * std::exp2(static_cast<double>(step) / Latencies::kPerOctave);
}

std::string milliseconds(double seconds) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f ms", 1e3 * seconds);
  return text;
}

/// The lines before the values of one metric.
std::string head(const std::string& name, const std::string& type, const std::string& help) {
  return "# HELP r2pac_" + name + " " + help + "\n# TYPE r2pac_" + name + " " + type + "\n";
}

std::string line(const std::string& name, const std::string& value) {
  return "r2pac_" + name + " " + value + "\n";
}

}  // namespace

void Latencies::note(double seconds) {
  const double step = std::ceil(kPerOctave * std::log2(std::max(seconds, kLeast) / kLeast));
  ++steps_[static_cast<std::size_t>(std::min(step, static_cast<double>(steps_.size() - 1)))];
  ++count_;
  sum_ += seconds;
  worst_ = std::max(worst_, seconds);
}

double Latencies::quantile(double share) const {
  const double wanted = share * static_cast<double>(count_);
  std::uint64_t so_far = 0;
  for (std::size_t step = 0; step + 1 < steps_.size(); ++step) {
    so_far += steps_[step];
    if (count_ > 0 && static_cast<double>(so_far) >= wanted) return std::min(end_of_step(step), worst_);
  }
  return worst_;
}

std::uint64_t Latencies::within_octave(int octave) const {
  std::uint64_t sum = 0;
  for (int step = 0; step <= octave * kPerOctave; ++step) sum += steps_[static_cast<std::size_t>(step)];
  return sum;
}

std::string Counters::text() const {
  std::string text = counted(requests, "request") + " in " + std::to_string(batches) +
                     (batches == 1 ? " batch" : " batches") + " of " + counted(all_clients, "client") + ", " +
                     std::to_string(clients) + " of them here\n";
  text += "answers: full " + std::to_string(answers[1]) + ", reduced " + std::to_string(answers[2]) +
          ", of a chunk " + std::to_string(answers[3]) + ", safe action " + std::to_string(answers[4]) +
          "; refused " + std::to_string(refused) + "\n";
  text += "deadlines missed: " + std::to_string(misses) + "; latency p50 " +
          milliseconds(latency.quantile(0.5)) + ", p99 " + milliseconds(latency.quantile(0.99)) + ", worst " +
          milliseconds(latency.worst()) + "\n";
  text += "connections ended: protocol " + std::to_string(protocol) + ", crowded " + std::to_string(crowded) +
          ", stalled " + std::to_string(stalled) + "; policies taken over: " + std::to_string(swaps) +
          ", refused: " + std::to_string(bad_swaps) + "\n";
  return text;
}

std::string Counters::page(const std::string& checksum) const {
  const auto counter = [](const std::string& name, const std::string& help, std::uint64_t value) {
    return head(name, "counter", help) + line(name, std::to_string(value));
  };
  std::string page = counter("requests_total", "Requests to act.", requests) +
                     counter("batches_total", "Batches of requests that were answered together.", batches);
  page += head("answers_total", "counter", "Answers, by where their action comes from.");
  for (std::size_t source = 1; source < answers.size(); ++source)
    page += line(std::string("answers_total{source=\"") + kSources[source] + "\"}",
                 std::to_string(answers[source]));
  page += counter("refused_total", "Requests that got no action.", refused) +
          counter("deadline_misses_total", "Answers that were ready after their deadline.", misses) +
          counter("clients_total", "Clients that connected.", all_clients) +
          head("clients", "gauge", "Clients that are connected.") + line("clients", std::to_string(clients));
  page += head("connections_ended_total", "counter", "Connections that the server ended, by reason.");
  for (const auto& [reason, value] :
       {std::pair{"protocol", protocol}, std::pair{"crowded", crowded}, std::pair{"stalled", stalled}})
    page += line(std::string("connections_ended_total{reason=\"") + reason + "\"}", std::to_string(value));
  page += counter("policies_taken_over_total", "Policy files that replaced the one before.", swaps) +
          counter("policies_refused_total", "Policy files that were refused.", bad_swaps);
  page += head("policy_info", "gauge", "The policy that acts.") +
          line("policy_info{checksum=\"" + checksum + "\"}", "1");
  page +=
      head("latency_seconds", "histogram", "From the arrival of a request, or its sending, to its answer.");
  for (int octave = 0; octave < Latencies::kOctaves; ++octave)
    page += line("latency_seconds_bucket{le=\"" + format_number(kLeast * std::exp2(octave)) + "\"}",
                 std::to_string(latency.within_octave(octave)));
  page += line("latency_seconds_bucket{le=\"+Inf\"}", std::to_string(latency.count())) +
          line("latency_seconds_sum", format_number(latency.sum())) +
          line("latency_seconds_count", std::to_string(latency.count()));
  return page;
}

}  // namespace r2pac::serving
