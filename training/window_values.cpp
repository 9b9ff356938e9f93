#include "training/window_values.h"

#include <algorithm>

namespace r2pac {

template <class T>
WindowColumns<T> evaluate_windows(RecorderInputs<T> inputs, std::shared_ptr<Device> device,
                                  const RecordColumns<T>& record, const BetweenBatches& stop) {
  Memory& memory = device->memory();
  Buffer<std::uint32_t> first_window(1, memory);
  inputs.first_window = first_window.data();
  Tape<T> tape(std::move(device));
  const typename Tape<T>::NoGradient constant(tape);
  Recorder<T> recorder(tape, inputs);
  const auto wanted = record(recorder);
  for (const auto& [name, tensor] : wanted) tape.keep(tensor);
  Program program = tape.finish();

  WindowColumns<T> columns;
  for (const auto& [name, tensor] : wanted) columns.emplace_back(name, std::vector<T>());
  const std::size_t windows = inputs.source.windows, rows = static_cast<std::size_t>(inputs.settings->batch);
  for (auto& column : columns) column.second.resize(windows);
  for (std::size_t first = 0; first < windows; first += rows) {
    if (stop && stop(first, windows)) return {};
    const auto start = static_cast<std::uint32_t>(first);
    first_window.copy_in(&start, 1);
    program.run();
    const std::size_t count = std::min(rows, windows - first);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      memory.copy_out(columns[i].second.data() + first, wanted[i].second->whole().data, count * sizeof(T));
  }
  return columns;
}

template WindowColumns<float> evaluate_windows(RecorderInputs<float>, std::shared_ptr<Device>,
                                               const RecordColumns<float>&, const BetweenBatches&);
template WindowColumns<double> evaluate_windows(RecorderInputs<double>, std::shared_ptr<Device>,
                                                const RecordColumns<double>&, const BetweenBatches&);

}  // namespace r2pac
