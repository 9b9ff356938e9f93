// Uncaptured work that has been given to streams and has not run yet. With a seed, work runs when somebody
// waits for it, in a shuffled order that CUDA allows, and other work may run before it or stay behind: what
// is used without being waited for, on the host or in another stream, has not been computed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

namespace r2pac::cuda_host {

class Backlog {
 public:
  /// Of a piece of work: counts from 1. 0 names none, which is as good as done.
  using Number = std::uint64_t;

  /// Adds work that may begin when the pieces `after` are done.
  Number add(std::function<void()> run, std::vector<Number> after);
  /// Runs work, until this piece is done. Work that runs must not add any.
  void finish(Number number);
  void finish_all();
  bool waits(Number number) const { return waiting_.contains(number); }

 private:
  struct Piece {
    std::function<void()> run;
    std::vector<Number> after;
  };
  void run_any();

  Number last_ = 0;
  std::map<Number, Piece> waiting_;
};

}  // namespace r2pac::cuda_host
