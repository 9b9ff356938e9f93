#include "engine/tape.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "kernels/rows.h"

namespace r2pac {
namespace {

/// Values start at multiples of a cache line.
std::size_t padded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

std::string to_string(const Shape& shape) {
  std::string text = "[";
  text.append(std::to_string(shape.nets)).append(", ").append(std::to_string(shape.rows)).append(", ");
  return text.append(std::to_string(shape.cols)).append("]");
}

void Program::run(int times) {
  if (many_ != nullptr)
    for (const int at_once = device_->replays_at_once(); times >= at_once; times -= at_once) many_->run();
  for (; times > 0; --times) {
    if (recording_ != nullptr) recording_->run();
    for (const TaskGroup& group : groups_) device_->pool()->run(group, worker_pointers_);
  }
}

template <class T>
Tape<T>::Tape(std::shared_ptr<Device> device)
    : device_(std::move(device)), variables_(std::make_shared<std::deque<Variable<T>>>()) {}

template <class T>
Tensor<T> Tape<T>::value(std::string name, Shape shape, bool requires_gradient) {
  if (shape.nets < 1 || shape.rows < 1 || shape.cols < 1)
    throw InvalidArgument("tape: `" + name + "` has the impossible shape " + to_string(shape));
  Variable<T>& variable = variables_->emplace_back();
  variable.name = std::move(name);
  variable.shape = shape;
  variable.requires_gradient = requires_gradient;
  variable.gradient_end = shape.cols;
  variable.gradient_nets = shape.nets;
  variable.gradient_rows = shape.rows;
  return &variable;
}

template <class T>
Tensor<T> Tape<T>::kept(std::string name, Shape shape) {
  const Tensor<T> x = value(std::move(name), shape);
  kept_.push_back(x);
  return x;
}

template <class T>
void Tape<T>::keep(Tensor<T> x) {
  while (x->parent != nullptr) x = x->parent;
  if (std::find(kept_.begin(), kept_.end(), x) == kept_.end()) kept_.push_back(x);
}

template <class T>
Tensor<T> Tape<T>::external(std::string name, Shape shape, T* data) {
  const Tensor<T> x = value(std::move(name), shape);
  x->stored = data;
  return x;
}

template <class T>
Tensor<T> Tape<T>::place(const void* address) {
  const auto [found, is_new] = places_.try_emplace(address, nullptr);
  // Nobody looks at its values.
  if (is_new) found->second = external("a place", {1, 1, 1}, static_cast<T*>(const_cast<void*>(address)));
  return found->second;
}

template <class T>
void Tape<T>::rows(std::string name, int rows, std::vector<Tensor<T>> reads, std::vector<Tensor<T>> writes,
                   RowFunction run) {
  Call& call = calls_.emplace_back();
  call.name = std::move(name);
  call.by_rows = true;
  call.rows = rows;
  call.reads = std::move(reads);
  call.writes = std::move(writes);
  call.run_rows = std::move(run);
}

template <class T>
void Tape<T>::tasks(std::string name, int count, std::vector<Tensor<T>> reads, std::vector<Tensor<T>> writes,
                    TaskFunction run, std::size_t scratch_bytes) {
  Call& call = calls_.emplace_back();
  call.name = std::move(name);
  call.count = count;
  call.reads = std::move(reads);
  call.writes = std::move(writes);
  call.run_tasks = std::move(run);
  call.scratch_bytes = scratch_bytes;
}

template <class T>
void Tape<T>::deferred_tasks(std::string name, int count, std::vector<Tensor<T>> reads,
                             std::vector<Tensor<T>> writes, TaskFunction run, std::size_t scratch_bytes) {
  tasks(std::move(name), count, std::move(reads), std::move(writes), std::move(run), scratch_bytes);
  calls_.back().joins = true;
  if (device_->whole_batches()) return;  // there it may run beside the row calls that follow
  Call call = std::move(calls_.back());
  calls_.pop_back();
  for (const Call& earlier : deferred_)
    for (const Tensor<T> x : call.writes)
      if (std::find(earlier.writes.begin(), earlier.writes.end(), x) != earlier.writes.end())
        call.turn = std::max(call.turn, earlier.turn + 1);
  deferred_.push_back(std::move(call));
}

template <class T>
Tensor<T> Tape<T>::stop_gradient(Tensor<T> x) {
  // A second handle on the same values would need shared storage; none of the operations differentiates an
  // argument that does not require a gradient, so a constant is all that is needed.
  const Tensor<T> constant = value(x->name + " (constant)", x->shape);
  row_operation("stop_gradient", x->shape.rows, {x}, {constant}, [x, constant](const Slice& slice) {
    return CopyColumns<T>{x->view(slice), constant->view(slice), 0};
  });
  return constant;
}

template <class T>
Tensor<T> Tape<T>::members(Tensor<T> x, int first, int count) {
  if (first < 0 || count < 1 || first + count > x->shape.nets)
    throw InvalidArgument("members: " + std::to_string(first) + " .. " + std::to_string(first + count) +
                          " are not members of " + to_string(x->shape));
  return part(x, first, count, 0, x->shape.rows);
}

template <class T>
Tensor<T> Tape<T>::row_range(Tensor<T> x, int first, int count) {
  if (!device_->whole_batches()) throw InvalidArgument("row_range: only on a device of whole batches");
  if (first < 0 || count < 1 || first + count > x->shape.rows)
    throw InvalidArgument("row_range: " + std::to_string(first) + " .. " + std::to_string(first + count) +
                          " are not rows of " + to_string(x->shape));
  return part(x, 0, x->shape.nets, first, count);
}

template <class T>
Tensor<T> Tape<T>::part(Tensor<T> x, int first_net, int nets, int first_row, int rows) {
  const int wanted_nets = std::min(nets, x->gradient_nets - first_net),
            wanted_rows = std::min(rows, x->gradient_rows - first_row);
  const bool wanted = x->requires_gradient && wanted_nets > 0 && wanted_rows > 0;
  const Tensor<T> part = value(x->name, {nets, rows, x->shape.cols}, wanted);
  part->parent = x;
  part->first_net = first_net;
  part->first_row = first_row;
  part->gradient_begin = x->gradient_begin;
  part->gradient_end = x->gradient_end;
  if (wanted) {
    part->gradient_nets = wanted_nets;
    part->gradient_rows = wanted_rows;
  }
  return part;
}

template <class T>
void Tape<T>::on_backward(Tensor<T> result, std::function<void()> record) {
  if (gradient_enabled()) backward_.emplace_back(result, std::move(record));
}

template <class T>
Tensor<T> Tape<T>::gradient(Tensor<T> x) {
  if (x->gradient == nullptr) {
    if (x->parent != nullptr)
      x->gradient = part(gradient(x->parent), x->first_net, x->gradient_nets, x->first_row, x->gradient_rows);
    else
      x->gradient = value(std::string("gradient of ").append(x->name),
                          {x->gradient_nets, x->gradient_rows, x->gradient_end - x->gradient_begin});
  }
  return x->gradient;
}

template <class T>
bool Tape<T>::first_contribution(Tensor<T> x) {
  const int nets = x->gradient_nets, rows = x->gradient_rows;
  int first_net = 0, first_row = 0;
  for (; x->parent != nullptr; x = x->parent) first_net += x->first_net, first_row += x->first_row;
  if (first_row != 0 || rows != x->gradient_rows)
    throw InvalidArgument("tape: a gradient of some rows of `" + x->name + "`");
  std::vector<bool>& written = x->gradient_written;
  written.resize(static_cast<std::size_t>(x->gradient_nets));
  const auto begin = written.begin() + first_net, end = begin + nets;
  const bool first = std::find(begin, end, true) == end;
  if (!first) begin_with_zero(x, first_net, nets);
  std::fill(begin, end, true);
  return first;
}

/// Zero for those of some members' gradients that nothing has contributed to.
template <class T>
void Tape<T>::begin_with_zero(Tensor<T> root, int first_net, int nets) {
  for (int net = first_net; net < first_net + nets; ++net) {
    if (root->gradient_written[static_cast<std::size_t>(net)]) continue;
    const Tensor<T> d = part(gradient(root), net, 1, 0, root->gradient_rows);
    row_operation("no gradient", d->shape.rows, {}, {d},
                  [d](const Slice& slice) { return Zero<T>{d->view(slice)}; });
    root->gradient_written[static_cast<std::size_t>(net)] = true;
  }
}

template <class T>
Tensor<T> Tape<T>::parameter_gradient(const std::string& name, Shape shape, T* data) {
  const auto [found, is_new] = parameter_gradients_.try_emplace(data, nullptr);
  if (is_new) found->second = external("gradient of " + name, shape, data);
  if (found->second->shape != shape)
    throw InvalidArgument("tape: `" + name + "` is applied as " + to_string(found->second->shape) +
                          " and as " + to_string(shape));
  return found->second;
}

template <class T>
std::vector<Tensor<T>> Tape<T>::parameter_gradients(const T* begin, const T* end) const {
  std::vector<Tensor<T>> found;
  for (auto at = parameter_gradients_.lower_bound(begin); at != parameter_gradients_.end() && at->first < end;
       ++at)
    found.push_back(at->second);
  return found;
}

template <class T>
void Tape<T>::backward() {
  for (auto entry = backward_.rbegin(); entry != backward_.rend(); ++entry)
    if (const Tensor<T> result = entry->first; result == nullptr || !result->gradient_written.empty()) {
      if (result != nullptr) begin_with_zero(result, 0, result->gradient_nets);
      entry->second();
    }
  backward_.clear();
  // A group for each turn. The longest pieces first: whoever finishes last then waits least.
  std::stable_sort(deferred_.begin(), deferred_.end(), [](const Call& a, const Call& b) {
    return a.turn != b.turn ? a.turn < b.turn : a.scratch_bytes > b.scratch_bytes;
  });
  for (std::size_t i = 0; i < deferred_.size(); ++i)
    deferred_[i].joins = i > 0 && deferred_[i].turn == deferred_[i - 1].turn;
  std::move(deferred_.begin(), deferred_.end(), std::back_inserter(calls_));
  deferred_.clear();
  for (Variable<T>& variable : *variables_) {
    variable.requires_gradient = false;
    variable.gradient_written.clear();
  }
}

template <class T>
auto Tape<T>::cut_into_groups() const -> std::vector<GroupRange> {
  std::vector<GroupRange> groups;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    const Call& call = calls_[i];
    bool extends = false;
    if (i > 0) {
      const Call& previous = calls_[i - 1];
      extends =
          call.by_rows ? previous.by_rows && previous.rows == call.rows : call.joins && !previous.by_rows;
    }
    if (extends)
      ++groups.back().end;
    else
      groups.push_back({i, i + 1});
  }
  return groups;
}

template <class T>
void Tape<T>::store(const std::vector<Tensor<T>>& values, Program& program) {
  std::size_t stored = 0, offset = 0;
  for (const Tensor<T> x : values) stored += padded(x->shape.size() * sizeof(T));
  auto arena = std::make_shared<Buffer<std::byte>>(stored, device_->memory());
  for (const Tensor<T> x : values) {
    x->stored = reinterpret_cast<T*>(arena->data() + offset);
    offset += padded(x->shape.size() * sizeof(T));
  }
  program.owned_.push_back(arena);
  program.statistics_.stored_bytes = stored;
}

/// Gives every value its place. Returns the bytes of a tile.
template <class T>
std::size_t Tape<T>::place_values(const std::vector<GroupRange>& groups, Program& program) {
  struct Life {
    std::size_t first_call, last_call, first_group, last_group;
    bool in_tasks = false;
  };
  std::unordered_map<Tensor<T>, Life> lives;
  for (std::size_t p = 0; p < groups.size(); ++p)
    for (std::size_t c = groups[p].begin; c < groups[p].end; ++c)
      for (const auto* touched : {&calls_[c].reads, &calls_[c].writes})
        for (Tensor<T> x : *touched) {
          while (x->parent != nullptr) x = x->parent;
          Life& life = lives.try_emplace(x, Life{c, c, p, p}).first->second;
          life.last_call = c;
          life.last_group = p;
          life.in_tasks |= !calls_[c].by_rows;
        }
  std::vector<Tensor<T>> to_store = kept_, in_tile;
  for (Variable<T>& variable : *variables_) {
    const auto found = lives.find(&variable);
    if (variable.stored != nullptr || found == lives.end()) continue;
    const Life& life = found->second;
    if (std::find(kept_.begin(), kept_.end(), &variable) != kept_.end()) continue;
    if (device_->whole_batches() || life.in_tasks || life.first_group != life.last_group)
      to_store.push_back(&variable);
    else
      in_tile.push_back(&variable);
  }
  store(to_store, program);

  // Tile values: each takes the lowest place that nothing alive at the same time holds.
  struct Placed {
    std::size_t begin, end, first_call, last_call;
  };
  std::vector<Placed> placed;
  std::size_t tile_bytes = 0;
  for (const Tensor<T> x : in_tile) {
    const Life& life = lives.at(x);
    const int tile_rows = std::min(kTileRows, x->shape.rows);
    const std::size_t bytes = padded(sizeof(T) * Shape{x->shape.nets, tile_rows, x->shape.cols}.size());
    std::sort(placed.begin(), placed.end(),
              [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
    std::size_t begin = 0;
    for (const Placed& other : placed) {
      if (other.last_call < life.first_call || life.last_call < other.first_call) continue;
      if (begin + bytes <= other.begin) break;
      begin = std::max(begin, other.end);
    }
    placed.push_back({begin, begin + bytes, life.first_call, life.last_call});
    x->tile_offset = begin;
    x->tile_rows = tile_rows;
    tile_bytes = std::max(tile_bytes, begin + bytes);
  }
  return tile_bytes;
}

/// The task groups of a device that shares out rows and tasks among threads.
template <class T>
void Tape<T>::cut_into_tasks(const std::shared_ptr<std::vector<Call>>& calls,
                             const std::vector<GroupRange>& ranges, std::size_t tile_bytes,
                             Program& program) const {
  for (const GroupRange& range : ranges) {
    const Call* const first = calls->data() + range.begin;
    const Call* const last = calls->data() + range.end;
    TaskGroup group;
    if (first->by_rows) {
      const int rows = first->rows;
      group.tasks = (rows + kTileRows - 1) / kTileRows;
      group.run = [first, last, rows, tile_bytes](int task, std::byte* memory) {
        Slice slice{task * kTileRows, std::min(kTileRows, rows - task * kTileRows), memory,
                    memory + tile_bytes};
        for (const Call* call = first; call != last; ++call) call->run_rows(slice);
      };
    } else {
      for (const Call* call = first; call != last; ++call) group.tasks += call->count;
      group.run = [first, tile_bytes](int task, std::byte* memory) {
        const Call* call = first;
        while (task >= call->count) task -= (call++)->count;
        call->run_tasks(task, 1, memory + tile_bytes);
      };
    }
    program.groups_.push_back(std::move(group));
  }
  for (int t = 0; t < device_->pool()->threads(); ++t) {
    program.worker_memory_.emplace_back(tile_bytes + program.statistics_.scratch_bytes);
    program.worker_pointers_.push_back(program.worker_memory_.back().data());
  }
}

/// The same calls for a device of whole batches.
template <class T>
std::vector<WholeCall> Tape<T>::whole_calls(const std::vector<Call>& calls, std::byte* scratch) {
  std::vector<WholeCall> whole;
  for (const Call& call : calls) {
    WholeCall& w = whole.emplace_back();
    w.name = call.name;
    for (const Tensor<T> x : call.reads) w.reads.push_back(&x->root());
    for (const Tensor<T> x : call.writes) w.writes.push_back(&x->root());
    if (call.by_rows)
      w.run = [&call, scratch] { call.run_rows({0, call.rows, nullptr, scratch}); };
    else
      w.run = [&call, scratch] { call.run_tasks(0, call.count, scratch); };
  }
  return whole;
}

template <class T>
Program Tape<T>::finish(bool replays) {
  Program program;
  const std::vector<GroupRange> ranges = cut_into_groups();
  const std::size_t tile_bytes = padded(place_values(ranges, program));
  auto calls = std::make_shared<std::vector<Call>>(std::move(calls_));
  for (const Call& call : *calls)
    program.statistics_.scratch_bytes = std::max(program.statistics_.scratch_bytes, call.scratch_bytes);
  program.statistics_.calls = static_cast<int>(calls->size());
  program.statistics_.groups = static_cast<int>(ranges.size());
  program.statistics_.tile_bytes = tile_bytes;
  program.owned_.push_back(calls);
  program.owned_.push_back(variables_);
  program.device_ = device_;
  if (device_->whole_batches()) {
    auto scratch = std::make_shared<Buffer<std::byte>>(program.statistics_.scratch_bytes, device_->memory());
    program.owned_.push_back(scratch);
    const std::vector<WholeCall> once = whole_calls(*calls, scratch->data());
    program.recording_ = device_->record(once);
    program.statistics_.launches = program.recording_->launches();
    program.statistics_.critical_path = program.recording_->critical_path();
    if (const int times = device_->replays_at_once(); replays && times > 1) {
      std::vector<WholeCall> many;
      for (int i = 0; i < times; ++i) many.insert(many.end(), once.begin(), once.end());
      program.many_ = device_->record(many);
      program.statistics_.critical_path = static_cast<double>(program.many_->critical_path()) / times;
    }
  } else {
    cut_into_tasks(calls, ranges, tile_bytes, program);
  }
  *this = Tape(device_);
  return program;
}

template class Tape<float>;
template class Tape<double>;

}  // namespace r2pac
