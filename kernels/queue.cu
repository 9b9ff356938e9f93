#include <algorithm>
#include <cstdlib>
#include <utility>

#include "kernels/dense.cuh"
#include "kernels/queue.cuh"

namespace r2pac::cuda {

Queue::Queue(Precision precision) : precision_(precision) {
  for (const Stream& stream : streams_.all()) warm_up(stream, precision);
}

Graph Queue::capture(const std::function<void()>& calls) {
  return streams_.capture([this, calls] {
    row_operations_.clear();
    sums_.clear();
    call_ = row_work_ = {};
    calls();
    flush_rows();
    flush_sums();
  });
}

void Queue::begin_call(const Work& call) {
  call_ = call;
  if (call.after_all) flush_rows();
  const auto needed = [&](const HeldSum& held) { return call.after_all || call.conflicts_with(held.work); };
  if (std::any_of(sums_.begin(), sums_.end(), needed)) {
    flush_rows();  // they may hold what the sums read
    flush_sums(needed);
  }
}

void Queue::add(const RowOperation<float>& operation, int rows) {
  if (!row_operations_.empty() &&
      (rows != rows_ || row_operations_.size() == kRowOperations || !suits_rows(call_)))
    flush_rows();
  rows_ = rows;
  row_operations_.push_back(operation);
  row_work_.add(call_);
  if (streams_.eager()) flush_rows();
}

void Queue::add(const ColumnSum& sum) {
  if (sums_.size() == kColumnSums) flush_sums();
  sums_.push_back({sum, call_});
  if (streams_.eager()) flush_sums();
}

void Queue::launch(int launches, const std::function<void(const Stream&)>& work) {
  flush_rows();
  streams_.submit(call_, launches, work);
}

/// Whether the call's row operation may join those held back: a shared launch begins when the last of them
/// can.
bool Queue::suits_rows(const Work& work) const {
  constexpr int kMostLaunchesApart = 2;  // that one may wait for the other; unmeasured
  if (work.conflicts_with(row_work_)) return true;
  const int own = streams_.ready(work);
  return own == 0 || std::abs(own - streams_.ready(row_work_)) <= kMostLaunchesApart;
}

void Queue::flush_rows() {
  if (row_operations_.empty()) return;
  const std::vector<RowOperation<float>> operations = std::exchange(row_operations_, {});
  streams_.submit(std::exchange(row_work_, {}), 1,
                  [&](const Stream& stream) { run_rows(operations, rows_, stream.get()); });
}

void Queue::flush_sums() {
  flush_sums([](const HeldSum&) { return true; });
}

/// Those that are needed, and with them those that could begin as early: the others would delay them.
void Queue::flush_sums(const std::function<bool(const HeldSum&)>& needed) {
  if (sums_.empty()) return;
  flush_rows();
  Work work;
  for (const HeldSum& held : sums_)
    if (needed(held)) work.add(held.work);
  const int begin = streams_.ready(work);
  std::vector<ColumnSum> sums;
  std::vector<HeldSum> later;
  for (const HeldSum& held : std::exchange(sums_, {})) {
    const bool goes = needed(held) || streams_.ready(held.work) <= begin;
    if (!goes) {
      later.push_back(held);
      continue;
    }
    sums.push_back(held.sum);
    work.add(held.work);
  }
  sums_ = std::move(later);
  streams_.submit(work, 1, [&](const Stream& stream) { column_sums(sums, stream.get()); });
}

}  // namespace r2pac::cuda
