#include "engine/optimizer.h"

#include <utility>

#include "base/error.h"
#include "engine/operations.h"

namespace r2pac {

template <class T>
Optimizer<T>::Optimizer(Tape<T>& tape, Parameters<T>& parameters,
                        const std::vector<OptimizerGroup<T>>& groups, StepState* state,
                        unsigned long long first_step, Tensor<T> squares)
    : tape_(tape), parameters_(parameters), squares_(squares) {
  int pieces = 0;
  std::size_t partial = 0;
  for (const OptimizerGroup<T>& from : groups) {
    Group& group = groups_.emplace_back();
    group.step = std::make_shared<OptimizerStep<T>>();
    group.follower = from.follower;
    OptimizerStep<T>& step = *group.step;
    step.settings = from.adam;
    step.clip_norm = from.clip_norm;
    step.state = state;
    step.count = {first_step, static_cast<unsigned int>(from.times)};
    for (const int entry : from.entries) {
      const auto& e = parameters.entry(entry);
      const int follower = from.follower != nullptr ? from.follower->find(e.name) : -1;
      // One piece per net of each entry, so that a weight is repacked while it is warm.
      for (int net = 0; net < e.shape.nets; ++net) {
        const bool followed = follower >= 0 && net < from.follower->entry(follower).shape.nets;
        group.pieces.push_back({entry, net, followed ? follower : -1});
        step.pieces.push_back({parameters.value(entry, net), parameters.first_moment(entry, net),
                               parameters.second_moment(entry, net), parameters.gradient(entry, net),
                               followed ? from.follower->value(follower, net) : nullptr, e.net_size()});
      }
    }
    group.first_piece = pieces;
    pieces += static_cast<int>(step.pieces.size());
    partial += tape.backend().partial_squares(step);
  }
  require_shape("optimizer_step", "squares", {1, pieces, 1}, squares->shape);
  working_ = Buffer<T>(partial + groups.size(), tape.device().memory());
  T *next_partial = working_.data(), *next_scale = next_partial + partial;
  for (Group& group : groups_) {
    group.step->partial = next_partial;
    next_partial += tape.backend().partial_squares(*group.step);
    if (group.step->clip_norm > 0) group.step->gradient_scale = next_scale++;
  }
}

template <class T>
void Optimizer<T>::update(std::size_t index) {
  Group& group = groups_.at(index);
  const unsigned int times = group.step->count.per_step;
  if (group.updates == times)
    throw InvalidArgument("Optimizer: group " + std::to_string(index) +
                          (times == 1 ? " is updated twice" : " is updated too often"));
  const auto step = std::make_shared<OptimizerStep<T>>(*group.step);
  step->count.index = group.updates++;
  const int count = static_cast<int>(group.pieces.size());
  const auto squares_of = [squares = squares_, first = group.first_piece] {
    return squares->whole().data + first;
  };
  const Backend<T>& backend = tape_.backend();
  std::vector<Tensor<T>> reads = {tape_.place(&step->state->completed)}, writes = {squares_};
  for (const Piece& piece : group.pieces) {
    const T* gradient = parameters_.gradient(piece.entry, piece.net);
    const auto& entry = parameters_.entry(piece.entry);
    for (const Tensor<T> d : tape_.parameter_gradients(gradient, gradient + entry.net_size()))
      reads.push_back(d);
    if (piece.net == 0) writes.push_back(tape_.place(entry.place));
  }
  const auto record = [&](const char* name, int tasks, typename Tape<T>::TaskFunction run) {
    tape_.tasks(name, tasks, reads, writes, std::move(run));
  };
  if (step->gradient_scale != nullptr) {
    record("squared gradients", count, [squares_of, &backend, step](int begin, int n, std::byte*) {
      backend.square_gradients(*step, begin, n, squares_of());
    });
    record("clip", 1, [squares_of, &backend, step](int, int, std::byte*) {
      backend.clip_gradient(*step, squares_of());
    });
  }
  record("optimizer", count,
         [squares_of, &backend, &parameters = parameters_, working = working_, step, pieces = group.pieces,
          follower = group.follower](int begin, int n, std::byte*) {
           backend.update(*step, begin, n, squares_of());
           for (int i = begin; i < begin + n; ++i) {
             const Piece piece = pieces[static_cast<std::size_t>(i)];
             parameters.repack(piece.entry, piece.net);
             if (piece.followed_by >= 0) follower->repack(piece.followed_by, piece.net);
           }
         });
}

template <class T>
void Optimizer<T>::finish(const std::vector<Tensor<T>>& losses) {
  std::vector<std::shared_ptr<OptimizerStep<T>>> steps;
  for (const Group& group : groups_) {
    if (group.updates != group.step->count.per_step)
      throw InvalidArgument("Optimizer: a group was not updated");
    steps.push_back(group.step);
  }
  StepState* const state = groups_.front().step->state;
  const Backend<T>& backend = tape_.backend();
  if (tape_.device().whole_batches())
    tape_.tasks("begin next step", 1, {}, {tape_.place(state)},
                [=, &backend](int, int, std::byte*) { backend.begin_next_step(state); });
  tape_.tasks(
      "finish step", 1, losses, {squares_, tape_.place(&state->completed)},
      [=, squares = squares_, working = working_, &backend, scalars = std::vector<const T*>(losses.size()),
       groups = std::vector<const OptimizerStep<T>*>(steps.size())](int, int, std::byte*) mutable {
        for (std::size_t i = 0; i < losses.size(); ++i) scalars[i] = losses[i]->whole().data;
        for (std::size_t i = 0; i < steps.size(); ++i) groups[i] = steps[i].get();
        backend.finish_step(groups, squares->whole().data, scalars);
      });
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace r2pac
