#include "model/recorder.h"

#include <algorithm>

#include "base/error.h"
#include "engine/losses.h"

namespace r2pac {

template <class T>
Batch<T> Recorder<T>::batch() {
  return once<Batch<T>>("batch", [this] {
    return in_order() ? windows_in_order(tape_, inputs_.source, settings().batch, inputs_.first_window)
                      : draw_batch(tape_, inputs_.source, settings().batch, seed(), state());
  });
}

template <class T>
Batch<T> Recorder<T>::batch_rows(int first, int count) {
  return once<Batch<T>>("batch " + std::to_string(first) + " " + std::to_string(count),
                        [&] { return draw_batch(tape_, inputs_.source, count, seed(), state(), first); });
}

template <class T>
Tensor<T> Recorder<T>::pairs() {
  return once<Tensor<T>>("pairs", [this] {
    const Batch<T> b = batch();
    return concatenate<T>(tape_, {b.observations, b.actions});
  });
}

template <class T>
std::vector<Tensor<T>> Recorder<T>::apply(const std::vector<Application<T>>& applications) {
  if (inputs_.reference == nullptr || inputs_.reference == inputs_.networks)
    return r2pac::apply(tape_, networks(), applications);
  std::vector<Tensor<T>> results;
  for (const Application<T>& a : applications)
    results.push_back(
        r2pac::apply(tape_, a.weights == Weights::learning ? networks() : *inputs_.reference, {a}).front());
  return results;
}

template <class T>
Tensor<T> Recorder<T>::scalar(const std::string& name) {
  const auto found = inputs_.scalars.find(name);
  if (found == inputs_.scalars.end()) throw InvalidArgument("Recorder: there is no scalar `" + name + "`");
  return once<Tensor<T>>("scalar " + name, [&] { return tape_.external(name, {1, 1, 1}, found->second); });
}

template <class T>
Tensor<T> Recorder<T>::per_window(const std::string& name, const RecordColumn<T>& record, bool wanted) {
  if (inputs_.with_earlier_stages && record) return record(*this);
  const T* column = inputs_.column(name, wanted ? record : RecordColumn<T>());
  return drawn_column(tape_, name, column, inputs_.source.windows, settings().batch, seed(), state());
}

template <class T>
void Recorder<T>::mean(const std::string& name, Tensor<T> x, double minus) {
  means_.push_back({name, sum_of_means(tape_, "mean " + name, x), minus});
}

template <class T>
void Recorder<T>::trace_batch() {
  const Batch<T> b = batch();
  for (const auto& [name, value] : {std::pair{"observations", b.observations},
                                    {"actions", b.actions},
                                    {"next_observations", b.next_observations},
                                    {"rewards", b.rewards},
                                    {"costs", b.costs},
                                    {"mask", b.mask}})
    trace(name, value);
}

template <class T>
void Recorder<T>::trace(const std::string& name, Tensor<T> value) {
  if (std::ranges::none_of(traced_, [&](const auto& t) { return t.first == name; }))
    traced_.emplace_back(name, value);
}

template class Recorder<float>;
template class Recorder<double>;

}  // namespace r2pac
