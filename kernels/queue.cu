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
    call_ = row_work_ = sum_work_ = {};
    calls();
    flush_rows();
    flush_sums();
  });
}

void Queue::begin_call(const Work& call) {
  call_ = call;
  if (call.after_all) flush_rows();
  if (call.after_all || call_.conflicts_with(sum_work_)) {
    flush_rows();  // they may hold what the sums read
    flush_sums();
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
  sums_.push_back(sum);
  sum_work_.add(call_);
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
  if (sums_.empty()) return;
  flush_rows();
  const std::vector<ColumnSum> sums = std::exchange(sums_, {});
  streams_.submit(std::exchange(sum_work_, {}), 1,
                  [&](const Stream& stream) { column_sums(sums, stream.get()); });
}

}  // namespace r2pac::cuda
