#include "model/window_values.h"

#include <algorithm>

#include "model/losses.h"

namespace r2pac {

template <class T>
WindowValues<T> evaluate_windows(const Settings& settings, Networks<T>& networks,
                                 const WindowSource<T>& source, std::shared_ptr<Device> device,
                                 const std::function<bool()>& stop) {
  Memory& memory = device->memory();
  Buffer<std::uint32_t> first_window(1, memory);
  Tape<T> tape(std::move(device));
  const typename Tape<T>::NoGradient constant(tape);
  const int side = networks.critics_per_side();
  const Batch<T> batch = windows_in_order(tape, source, settings.batch, first_window.data());
  const Tensor<T> v = apply(tape, networks.online, networks.value, batch.observations);
  const Tensor<T> q = apply(tape, networks.target, networks.critic,
                            concatenate<T>(tape, {batch.observations, batch.actions}));
  const Tensor<T> q_reward = ensemble_min(tape, tape.members(q, 0, side));
  const Tensor<T> q_cost = ensemble_max(tape, tape.members(q, side, side));
  for (const Tensor<T> x : {v, q_reward, q_cost}) tape.keep(x);
  Program program = tape.finish();

  WindowValues<T> values;
  for (auto* column : {&values.v_reward, &values.v_cost, &values.q_reward, &values.q_cost})
    column->reserve(source.windows);
  std::vector<T> rows(static_cast<std::size_t>(settings.batch));
  for (std::uint32_t first = 0; first < source.windows; first += static_cast<std::uint32_t>(settings.batch)) {
    if (stop && stop()) break;
    first_window.copy_in(&first, 1);
    program.run();
    const std::size_t count = std::min<std::size_t>(rows.size(), source.windows - first);
    const auto append = [&](const View<T>& from, int net, std::vector<T>& to) {
      memory.copy_out(rows.data(), from.net(net), count * sizeof(T));
      to.insert(to.end(), rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count));
    };
    append(v->whole(), 0, values.v_reward);
    append(v->whole(), 1, values.v_cost);
    append(q_reward->whole(), 0, values.q_reward);
    append(q_cost->whole(), 0, values.q_cost);
  }
  return values;
}

template <class T>
std::vector<std::uint8_t> label_windows(const WindowValues<T>& values, T threshold) {
  std::vector<std::uint8_t> labels(values.v_cost.size());
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = formula::optimality_label(values.q_reward[i], values.v_reward[i], values.q_cost[i],
                                          values.v_cost[i], threshold) != T(0)
                    ? std::uint8_t{kLabelGood}
                    : std::uint8_t{kLabelBad};
  return labels;
}

#define R2_INSTANTIATE(T)                                                                           \
  template WindowValues<T> evaluate_windows(const Settings&, Networks<T>&, const WindowSource<T>&,  \
                                            std::shared_ptr<Device>, const std::function<bool()>&); \
  template std::vector<std::uint8_t> label_windows(const WindowValues<T>&, T);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
