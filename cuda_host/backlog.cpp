#include "cuda_host/backlog.h"

#include <algorithm>
#include <utility>

#include "cuda_host/block.h"

namespace r2pac::cuda_host {

Backlog::Number Backlog::add(std::function<void()> run, std::vector<Number> after) {
  waiting_[++last_] = {std::move(run), std::move(after)};
  return last_;
}

void Backlog::finish(Number number) {
  while (waits(number)) run_any();
}

void Backlog::finish_all() {
  while (!waiting_.empty()) run_any();
}

/// Runs one piece of those that may begin.
void Backlog::run_any() {
  std::vector<Number> ready;
  for (const auto& [number, piece] : waiting_) {
    if (std::none_of(piece.after.begin(), piece.after.end(),
                     [this](Number earlier) { return waits(earlier); }))
      ready.push_back(number);
  }
  const auto chosen = waiting_.find(ready[shuffled_below(static_cast<std::uint32_t>(ready.size()))]);
  const std::function<void()> run = std::move(chosen->second.run);
  waiting_.erase(chosen);
  run();
}

}  // namespace r2pac::cuda_host
