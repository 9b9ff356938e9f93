#include "engine/tape.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "kernels/rows.h"

namespace r2pac {

std::string to_string(const Shape& shape) {
  std::string text = "[";
  text.append(std::to_string(shape.nets)).append(", ").append(std::to_string(shape.rows)).append(", ");
  return text.append(std::to_string(shape.cols)).append("]");
}

void Program::run() {
  for (const Phase& phase : phases_) pool_->run(phase, worker_pointers_);
}

template <class T>
Tape<T>::Tape() : variables_(std::make_shared<std::deque<Variable<T>>>()) {}

template <class T>
Tensor<T> Tape<T>::value(std::string name, Shape shape, bool requires_gradient) {
  if (shape.nets < 1 || shape.rows < 1 || shape.cols < 1)
    throw InvalidArgument("tape: `" + name + "` has the impossible shape " + to_string(shape));
  Variable<T>& variable = variables_->emplace_back();
  variable.name = std::move(name);
  variable.shape = shape;
  variable.requires_gradient = requires_gradient;
  variable.gradient_end = shape.cols;
  return &variable;
}

template <class T>
Tensor<T> Tape<T>::kept(std::string name, Shape shape) {
  const Tensor<T> x = value(std::move(name), shape);
  kept_.push_back(x);
  return x;
}

template <class T>
Tensor<T> Tape<T>::external(std::string name, Shape shape, T* data) {
  const Tensor<T> x = value(std::move(name), shape);
  x->stored = data;
  return x;
}

template <class T>
void Tape<T>::rows(std::string name, int rows, std::vector<Tensor<T>> touches, RowFunction run,
                   std::size_t scratch_bytes) {
  calls_.push_back(
      {std::move(name), true, false, rows, 0, std::move(touches), std::move(run), {}, scratch_bytes});
}

template <class T>
void Tape<T>::tasks(std::string name, int count, std::vector<Tensor<T>> touches, TaskFunction run,
                    std::size_t scratch_bytes, bool joins) {
  calls_.push_back(
      {std::move(name), false, joins, 0, count, std::move(touches), {}, std::move(run), scratch_bytes});
}

template <class T>
void Tape<T>::deferred_tasks(std::string name, int count, std::vector<Tensor<T>> touches, TaskFunction run,
                             std::size_t scratch_bytes) {
  deferred_.push_back(
      {std::move(name), false, true, 0, count, std::move(touches), {}, std::move(run), scratch_bytes});
}

template <class T>
Tensor<T> Tape<T>::stop_gradient(Tensor<T> x) {
  // A second handle on the same values would need shared storage; none of the operations differentiates an
  // argument that does not require a gradient, so a constant is all that is needed.
  const Tensor<T> constant = value(x->name + " (constant)", x->shape);
  rows("stop_gradient", x->shape.rows, {x, constant},
       [x, constant](const Slice& slice) { copy_columns(x->view(slice), constant->view(slice), 0); });
  return constant;
}

template <class T>
Tensor<T> Tape<T>::members(Tensor<T> x, int first, int count) {
  if (first < 0 || count < 1 || first + count > x->shape.nets)
    throw InvalidArgument("members: " + std::to_string(first) + " .. " + std::to_string(first + count) +
                          " are not members of " + to_string(x->shape));
  const Tensor<T> part = value(x->name, {count, x->shape.rows, x->shape.cols}, x->requires_gradient);
  part->parent = x;
  part->first_net = first;
  part->gradient_begin = x->gradient_begin;
  part->gradient_end = x->gradient_end;
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
      x->gradient = members(gradient(x->parent), x->first_net, x->shape.nets);
    else
      x->gradient = value(std::string("gradient of ").append(x->name),
                          {x->shape.nets, x->shape.rows, x->gradient_end - x->gradient_begin});
  }
  return x->gradient;
}

template <class T>
bool Tape<T>::first_contribution(Tensor<T> x) {
  for (Tensor<T> ensemble = x->parent; ensemble != nullptr; ensemble = ensemble->parent)
    ensemble->gradient_written = true;
  return !std::exchange(x->gradient_written, true);
}

template <class T>
void Tape<T>::backward() {
  for (auto entry = backward_.rbegin(); entry != backward_.rend(); ++entry)
    if (entry->first == nullptr || entry->first->gradient_written) entry->second();
  backward_.clear();
  // The longest pieces first: whoever finishes last then waits least.
  std::stable_sort(deferred_.begin(), deferred_.end(),
                   [](const Call& a, const Call& b) { return a.scratch_bytes > b.scratch_bytes; });
  if (!deferred_.empty()) deferred_.front().joins = false;
  std::move(deferred_.begin(), deferred_.end(), std::back_inserter(calls_));
  deferred_.clear();
}

template <class T>
auto Tape<T>::cut_into_phases() const -> std::vector<PhaseRange> {
  std::vector<PhaseRange> phases;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    const Call& call = calls_[i];
    bool extends = false;
    if (i > 0) {
      const Call& previous = calls_[i - 1];
      extends =
          call.by_rows ? previous.by_rows && previous.rows == call.rows : call.joins && !previous.by_rows;
    }
    if (extends)
      ++phases.back().end;
    else
      phases.push_back({i, i + 1});
  }
  return phases;
}

/// Gives every value its place. Returns the bytes of a tile.
template <class T>
std::size_t Tape<T>::place_values(const std::vector<PhaseRange>& phases, Program& program) {
  struct Life {
    std::size_t first_call, last_call, first_phase, last_phase;
    bool in_tasks = false;
  };
  std::unordered_map<Tensor<T>, Life> lives;
  for (std::size_t p = 0; p < phases.size(); ++p)
    for (std::size_t c = phases[p].begin; c < phases[p].end; ++c)
      for (Tensor<T> x : calls_[c].touches) {
        while (x->parent != nullptr) x = x->parent;
        Life& life = lives.try_emplace(x, Life{c, c, p, p}).first->second;
        life.last_call = c;
        life.last_phase = p;
        life.in_tasks |= !calls_[c].by_rows;
      }
  std::size_t stored = 0;
  std::vector<Tensor<T>> to_store = kept_, in_tile;
  for (Variable<T>& variable : *variables_) {
    const auto found = lives.find(&variable);
    if (variable.stored != nullptr || found == lives.end()) continue;
    const Life& life = found->second;
    if (std::find(kept_.begin(), kept_.end(), &variable) != kept_.end()) continue;
    if (life.in_tasks || life.first_phase != life.last_phase)
      to_store.push_back(&variable);
    else
      in_tile.push_back(&variable);
  }
  const auto padded = [](std::size_t bytes) { return (bytes + 63) / 64 * 64; };
  for (const Tensor<T> x : to_store) stored += padded(x->shape.size() * sizeof(T));
  auto arena = std::make_shared<Buffer<std::byte>>(stored);
  std::size_t offset = 0;
  for (const Tensor<T> x : to_store) {
    x->stored = reinterpret_cast<T*>(arena->data() + offset);
    offset += padded(x->shape.size() * sizeof(T));
  }
  program.owned_.push_back(arena);
  program.statistics_.stored_bytes = stored;

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

template <class T>
Program Tape<T>::finish(std::shared_ptr<ThreadPool> pool) {
  Program program;
  const std::vector<PhaseRange> ranges = cut_into_phases();
  const std::size_t tile_bytes = (place_values(ranges, program) + 63) / 64 * 64;
  auto calls = std::make_shared<std::vector<Call>>(std::move(calls_));
  std::size_t scratch_bytes = 0;
  for (const Call& call : *calls) scratch_bytes = std::max(scratch_bytes, call.scratch_bytes);

  for (const PhaseRange& range : ranges) {
    const Call* const first = calls->data() + range.begin;
    const Call* const last = calls->data() + range.end;
    Phase phase;
    if (first->by_rows) {
      const int rows = first->rows;
      phase.tasks = (rows + kTileRows - 1) / kTileRows;
      phase.run = [first, last, rows, tile_bytes](int task, std::byte* memory) {
        Slice slice{task * kTileRows, std::min(kTileRows, rows - task * kTileRows), memory,
                    memory + tile_bytes};
        for (const Call* call = first; call != last; ++call) call->run_rows(slice);
      };
    } else {
      for (const Call* call = first; call != last; ++call) phase.tasks += call->count;
      phase.run = [first, last, tile_bytes](int task, std::byte* memory) {
        const Call* call = first;
        while (task >= call->count) task -= (call++)->count;
        call->run_tasks(task, memory + tile_bytes);
      };
    }
    program.phases_.push_back(std::move(phase));
  }
  for (int t = 0; t < pool->threads(); ++t) {
    program.worker_memory_.emplace_back(tile_bytes + scratch_bytes);
    program.worker_pointers_.push_back(program.worker_memory_.back().data());
  }
  program.pool_ = std::move(pool);
  program.owned_.push_back(calls);
  program.owned_.push_back(variables_);
  program.statistics_.calls = static_cast<int>(calls->size());
  program.statistics_.phases = static_cast<int>(ranges.size());
  program.statistics_.tile_bytes = tile_bytes;
  program.statistics_.scratch_bytes = scratch_bytes;
  *this = Tape();
  return program;
}

template class Tape<float>;
template class Tape<double>;

}  // namespace r2pac
