// The tape: a gradient step recorded once, then replayed without allocation.
//
// Recording appends calls in order; `backward` appends the gradient's calls; `finish` cuts the list into
// groups of tasks, decides which values must be kept and where, and returns a Program that replays it.
//
// Two kinds of calls exist. A *row call* computes rows of its results from the same rows of its arguments;
// neighbouring row calls form one group in which each thread takes a few rows through all of them. A *task
// call* is a list of independent pieces that may read all rows. A value that only one group of row calls
// touches lives in the group's tile of rows and is never written to memory as a whole.
//
// A device of whole batches stores every value, takes each call once with all rows or tasks, and orders calls
// by what they read and write.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/device.h"
#include "engine/tensor.h"
#include "kernels/memory.h"

namespace r2pac {

/// Rows that a thread takes through a run of row calls at a time.
constexpr int kTileRows = 64;

/// A finished recording.
class Program {
 public:
  /// Replays the recording so many times, in launches of device.replays_at_once() while enough are left.
  /// Allocates nothing.
  void run(int times = 1);

  struct Statistics {
    int calls = 0, groups = 0;
    /// Of one replay by a device of whole batches; the path that of several at once, shared out among them.
    int launches = 0;
    double critical_path = 0;
    std::size_t stored_bytes = 0, tile_bytes = 0, scratch_bytes = 0;
  };
  const Statistics& statistics() const { return statistics_; }

 private:
  template <class T>
  friend class Tape;

  std::shared_ptr<Device> device_;
  std::unique_ptr<Recording> recording_, many_;  // of a device of whole batches; others have groups
  std::vector<TaskGroup> groups_;
  std::vector<Buffer<std::byte>> worker_memory_;
  std::vector<std::byte*> worker_pointers_;
  std::vector<std::shared_ptr<void>> owned_;  // the variables and stored values that the groups point into
  Statistics statistics_;
};

template <class T>
class Tape {
 public:
  using RowFunction = std::function<void(const Slice&)>;
  /// Tasks first .. first + count.
  using TaskFunction = std::function<void(int first, int count, std::byte* scratch)>;

  explicit Tape(std::shared_ptr<Device> device);

  Device& device() const { return *device_; }
  const Backend<T>& backend() const { return device_->template backend<T>(); }

  /// A new value, its storage decided by `finish`.
  Tensor<T> value(std::string name, Shape shape, bool requires_gradient = false);
  /// A value that keeps its rows between groups and between replays, so that the caller can read or fill it.
  Tensor<T> kept(std::string name, Shape shape);
  /// Makes an existing value kept, or the value that it is a part of.
  void keep(Tensor<T> x);
  /// A value whose memory the caller owns: parameters, data.
  Tensor<T> external(std::string name, Shape shape, T* data);

  /// Memory of the caller, by its address, as one of the reads or writes of a call: the step's state, or an
  /// entry of the parameters.
  Tensor<T> place(const void* address);

  /// Appends a row call over `rows` rows. Every variable that it reads or writes is named.
  void rows(std::string name, int rows, std::vector<Tensor<T>> reads, std::vector<Tensor<T>> writes,
            RowFunction run);
  /// Appends one row operation, made for the rows of a slice by `make(slice)`.
  template <class Make>
  void row_operation(std::string name, int rows, std::vector<Tensor<T>> reads, std::vector<Tensor<T>> writes,
                     Make make) {
    this->rows(std::move(name), rows, std::move(reads), std::move(writes),
               [make, &backend = backend()](const Slice& slice) {
                 backend.rows(RowOperation<T>(make(slice)), slice.count);
               });
  }
  /// Appends a task call.
  void tasks(std::string name, int count, std::vector<Tensor<T>> reads, std::vector<Tensor<T>> writes,
             TaskFunction run, std::size_t scratch_bytes = 0);
  /// While backward runs: appends a task call that nothing but the optimiser and other such calls wait for.
  /// Where threads share out groups it comes after all row calls of the gradient; those that write the same
  /// tensor follow each other in the order of recording.
  void deferred_tasks(std::string name, int count, std::vector<Tensor<T>> reads,
                      std::vector<Tensor<T>> writes, TaskFunction run, std::size_t scratch_bytes = 0);

  /// Whether operations recorded now should provide for a gradient.
  bool gradient_enabled() const { return no_gradient_depth_ == 0; }
  /// Operations recorded while such an object lives are constants to the gradient.
  class NoGradient {
   public:
    explicit NoGradient(Tape& tape) : tape_(tape) { ++tape_.no_gradient_depth_; }
    ~NoGradient() { --tape_.no_gradient_depth_; }
    NoGradient(const NoGradient&) = delete;

   private:
    Tape& tape_;
  };
  /// The same values as a constant: no gradient flows back through the result.
  Tensor<T> stop_gradient(Tensor<T> x);

  /// Members first .. first + count of an ensemble, sharing its memory.
  Tensor<T> members(Tensor<T> x, int first, int count);
  /// Rows first .. first + count, sharing its memory. Only on a device of whole batches.
  Tensor<T> row_range(Tensor<T> x, int first, int count);

  /// Registers what to append when the gradient is taken; runs in reverse order of registration, and only if
  /// something has contributed to the gradient of `result` by then (null: always, for a loss).
  void on_backward(Tensor<T> result, std::function<void()> record);
  /// The gradient of x: same shape as the columns of x that want one.
  Tensor<T> gradient(Tensor<T> x);
  /// Announces a contribution to the gradient of x. True if it is the first, which overwrites; later ones
  /// add. A member contributes to its ensemble, too; where only some of x's members have a gradient already,
  /// the others begin with zero.
  bool first_contribution(Tensor<T> x);
  /// The gradient of parameters, which lies at `data`: the same tensor for each layer that contributes to it.
  /// Throws InvalidArgument if one asks for another shape.
  Tensor<T> parameter_gradient(const std::string& name, Shape shape, T* data);
  /// The gradients that lie at begin .. end.
  std::vector<Tensor<T>> parameter_gradients(const T* begin, const T* end) const;
  /// Appends the gradient of the sum of all losses recorded since the last call. What was recorded before is
  /// a constant to what is recorded later, and the gradients of parameters begin anew.
  void backward();

  /// Ends the recording. The tape is empty afterwards.
  /// replays  whether the program will often be run many times in a row, as gradient steps are
  Program finish(bool replays = false);

 private:
  struct Call {
    std::string name;
    bool by_rows = false;
    bool joins = false;  // tasks that do not depend on those of the task call before: may share its group
    int rows = 0, count = 0;
    std::vector<Tensor<T>> reads, writes;
    RowFunction run_rows;
    TaskFunction run_tasks;
    std::size_t scratch_bytes = 0;
    int turn = 0;  // of a deferred call: how many before it write what it writes
  };
  struct GroupRange {
    std::size_t begin, end;
  };
  std::vector<GroupRange> cut_into_groups() const;
  std::size_t place_values(const std::vector<GroupRange>& groups, Program& program);
  void store(const std::vector<Tensor<T>>& values, Program& program);
  void cut_into_tasks(const std::shared_ptr<std::vector<Call>>& calls, const std::vector<GroupRange>& groups,
                      std::size_t tile_bytes, Program& program) const;
  static std::vector<WholeCall> whole_calls(const std::vector<Call>& calls, std::byte* scratch);
  void begin_with_zero(Tensor<T> root, int first_net, int nets);
  Tensor<T> part(Tensor<T> x, int first_net, int nets, int first_row, int rows);

  std::shared_ptr<Device> device_;
  std::shared_ptr<std::deque<Variable<T>>> variables_;
  std::vector<Call> calls_, deferred_;
  std::vector<std::pair<Tensor<T>, std::function<void()>>> backward_;
  std::map<const T*, Tensor<T>> parameter_gradients_;
  std::map<const void*, Tensor<T>> places_;
  std::vector<Tensor<T>> kept_;
  int no_gradient_depth_ = 0;
};

}  // namespace r2pac
