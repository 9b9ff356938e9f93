#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "data/dataset.h"
#include "data/rounding.h"
#include "python/bindings.h"

namespace r2pac::python {
namespace {

/// [rows, 1] as [rows]: files may have both, and so may arrays.
py::object as_vector(const py::object& value) {
  const py::array any = py::array::ensure(value);
  if (!any) PyErr_Clear();
  return any && any.ndim() == 2 && any.shape(1) == 1 ? py::object(any.attr("reshape")(-1)) : value;
}

/// Adds the columns of array `index` of DsrlColumns whose variation single precision cannot hold.
void find_lost(const py::object& value, int index, DsrlColumns& columns) {
  const py::array any = py::array::ensure(value);
  if (any.itemsize() < 4 || (any.dtype().kind() == 'f' && any.itemsize() == 4)) return;
  const auto wide = py::array_t<double, py::array::c_style | py::array::forcecast>::ensure(any);
  std::vector<ColumnRounding> rounding(any.ndim() == 2 ? static_cast<std::size_t>(any.shape(1)) : 1);
  for (py::ssize_t i = 0; i < wide.size(); ++i)
    rounding[static_cast<std::size_t>(i) % rounding.size()].add(wide.data()[i]);
  for (const std::int64_t column : lost_columns(rounding)) columns.lost.push_back({index, column});
}

std::vector<float> floats_of(const py::object& value, const char* argument,
                             const std::vector<py::ssize_t>& shape) {
  const Floats floats = float_array(value, argument, shape);
  return {floats.data(), floats.data() + floats.size()};
}

std::vector<std::uint8_t> flags_of(const py::object& value, const char* argument, py::ssize_t rows) {
  const std::vector<float> numbers = floats_of(as_vector(value), argument, {rows});
  std::vector<std::uint8_t> flags(numbers.size());
  for (std::size_t row = 0; row < numbers.size(); ++row) {
    if (numbers[row] != 0 && numbers[row] != 1)
      throw py::value_error(std::string("`") + argument + "` has the value " + std::to_string(numbers[row]) +
                            " in row " + std::to_string(row) + "; flags must be 0 or 1");
    flags[row] = numbers[row] != 0;
  }
  return flags;
}

void refuse_whole_numbers(const py::object& actions) {
  if (const py::array any = py::array::ensure(actions);
      std::string("biu").find(any.dtype().kind()) != std::string::npos)
    throw py::value_error(
        "`actions` is made of whole numbers: these are discrete actions; R2PAC needs continuous ones in [-1, "
        "1]");
}

std::shared_ptr<Dataset> from_arrays(const py::object& observations, const py::object& actions,
                                     const py::object& next_observations, const py::object& rewards,
                                     const py::object& costs, const py::object& terminals,
                                     const py::object& timeouts, const std::string& name) {
  const Floats first = float_array(observations, "observations", {kAny, kAny});
  const Floats second = float_array(actions, "actions", {first.shape(0), kAny});
  const py::ssize_t rows = first.shape(0);
  if (rows < 1 || first.shape(1) < 1 || second.shape(1) < 1)
    throw py::value_error("`observations` and `actions` must have rows and columns");
  DsrlColumns columns;
  columns.rows = rows;
  columns.observation_dim = static_cast<int>(first.shape(1));
  columns.action_dim = static_cast<int>(second.shape(1));
  columns.observations.assign(first.data(), first.data() + first.size());
  columns.actions.assign(second.data(), second.data() + second.size());
  columns.next_observations = floats_of(next_observations, "next_observations", {rows, first.shape(1)});
  columns.rewards = floats_of(as_vector(rewards), "rewards", {rows});
  columns.costs = floats_of(as_vector(costs), "costs", {rows});
  columns.terminals = flags_of(terminals, "terminals", rows);
  columns.timeouts = flags_of(timeouts, "timeouts", rows);
  refuse_whole_numbers(actions);
  int index = 0;
  for (const py::object& array : {observations, next_observations, actions, rewards, costs})
    find_lost(array, index++, columns);
  const py::gil_scoped_release released;
  return std::make_shared<Dataset>(make_dataset(columns, name));
}

const Dataset& dataset_of(const py::object& self) { return self.cast<const Dataset&>(); }

py::array_t<float> matrix_view(const py::object& self, const std::vector<float>& values, int width) {
  return read_only_view(values.data(), {dataset_of(self).stored_rows, width}, self);
}
template <class T>
py::array_t<T> column_view(const py::object& self, const std::vector<T>& values) {
  return read_only_view(values.data(), {dataset_of(self).stored_rows}, self);
}

/// One number per episode.
template <class T, class Of>
py::array_t<T> per_episode(const Dataset& dataset, Of of) {
  py::array_t<T> array(std::ssize(dataset.episodes));
  std::ranges::transform(dataset.episodes, array.mutable_data(), of);
  return array;
}

/// Undiscounted sums over the rows of each episode.
py::array_t<double> sums(const Dataset& dataset, const std::vector<float>& values) {
  const std::vector<double> of_episodes = episode_sums(dataset.episodes, values);
  return py::array_t<double>(std::ssize(of_episodes), of_episodes.data());
}

py::array_t<std::int64_t> row_indices(const Dataset& dataset) {
  py::array_t<std::int64_t> array(dataset.rows);
  std::int64_t* next = array.mutable_data();
  for (const Episode& e : dataset.episodes) {
    std::iota(next, next + e.length, e.first);
    next += e.length;
  }
  return array;
}

py::object episode(const py::object& self, py::ssize_t index) {
  const Dataset& d = dataset_of(self);
  const py::ssize_t count = std::ssize(d.episodes);
  if (index < -count || index >= count)
    throw py::index_error("there are " + std::to_string(count) + " episodes, from 0");
  const Episode& e = d.episodes[static_cast<std::size_t>(index < 0 ? index + count : index)];
  const auto rows = [&](const std::vector<float>& values, py::ssize_t length,
                        const std::vector<py::ssize_t>& width) {
    std::vector<py::ssize_t> shape = {length};
    shape.insert(shape.end(), width.begin(), width.end());
    return read_only_view(values.data() + e.first * (width.empty() ? 1 : width[0]), std::move(shape), self);
  };
  return py::module_::import("r2pac._core")
      .attr("Episode")(rows(d.observations, e.length + 1, {d.observation_dim}),
                       rows(d.actions, e.length, {d.action_dim}), rows(d.rewards, e.length, {}),
                       rows(d.costs, e.length, {}), e.terminal);
}

}  // namespace

void bind_dataset(py::module_& module) {
  py::object episode_type = py::module_::import("collections")
                                .attr("namedtuple")("Episode", "observations actions rewards costs terminal",
                                                    py::arg("module") = "r2pac");
  episode_type.attr("__doc__") =
      "One episode of T steps, as read-only views.\n\n"
      "observations [T + 1, S], the last one being the state that the episode ended in; actions [T, A] in "
      "[-1, 1]; rewards [T]; costs [T]; terminal: whether it ended genuinely, else it was cut.";
  module.attr("Episode") = episode_type;

  py::class_<Dataset, std::shared_ptr<Dataset>> dataset(
      module, "Dataset",
      "A data set in the DSRL layout: episodes of observations, actions, rewards and costs.\n\n"
      "Each episode's rows are followed by one closing row, which holds the state that the episode ended in "
      "and zero action, reward and cost; so the successor of stored row t is always stored row t + 1. All "
      "arrays are read-only views into the data, without a copy.");
  dataset
      .def(py::init([](const std::filesystem::path& path) {
             const py::gil_scoped_release released;
             return std::make_shared<Dataset>(load_dataset(path.string()));
           }),
           py::arg("path"),
           "Reads a DSRL file (HDF5). The file is decoded in child processes, so that a damaged one can "
           "harm nothing.\n\nRaises DataError that says what is wrong with the file.")
      .def_static("from_arrays", &from_arrays, py::kw_only(), py::arg("observations"), py::arg("actions"),
                  py::arg("next_observations"), py::arg("rewards"), py::arg("costs"), py::arg("terminals"),
                  py::arg("timeouts"), py::arg("name") = "arrays",
                  "A data set from arrays of T rows: observations and next_observations [T, S], actions "
                  "[T, A] in [-1, 1], rewards, costs, terminals and timeouts [T] or [T, 1]. Flags are "
                  "booleans, or the "
                  "numbers 0 and 1.\n\n"
                  "An episode ends where terminals (nothing follows) or timeouts (it was cut) is true. "
                  "name: tells the task as a file's name does, for example `BallRun`. Raises ValueError for "
                  "a wrong shape or type, DataError for contents that training cannot use.")
      .def_readonly("path", &Dataset::path, "The file, or the name given to from_arrays")
      .def_readonly("name", &Dataset::name, "The file's name without folder and ending")
      .def_readonly("fingerprint", &Dataset::fingerprint,
                    "XXH3-128 of the seven arrays' shapes and contents, 32 hexadecimal digits")
      .def_readonly("rows", &Dataset::rows, "Steps, without closing rows")
      .def_readonly("observation_dim", &Dataset::observation_dim, "S")
      .def_readonly("action_dim", &Dataset::action_dim, "A")
      .def_readonly("warnings", &Dataset::warnings,
                    "What was odd and how it was dealt with; train() gives them as Python warnings")
      .def_property_readonly(
          "episodes", [](const Dataset& d) { return d.episodes.size(); }, "Number of episodes")
      .def_property_readonly(
          "observations",
          [](const py::object& self) {
            return matrix_view(self, dataset_of(self).observations, dataset_of(self).observation_dim);
          },
          "[rows + episodes, S] float32, closing rows included")
      .def_property_readonly(
          "actions",
          [](const py::object& self) {
            return matrix_view(self, dataset_of(self).actions, dataset_of(self).action_dim);
          },
          "[rows + episodes, A] float32 in [-1, 1], closing rows included")
      .def_property_readonly(
          "rewards", [](const py::object& self) { return column_view(self, dataset_of(self).rewards); },
          "[rows + episodes] float32, unscaled, closing rows included")
      .def_property_readonly(
          "costs", [](const py::object& self) { return column_view(self, dataset_of(self).costs); },
          "[rows + episodes] float32, unscaled, closing rows included")
      .def_property_readonly(
          "terminals", [](const py::object& self) { return column_view(self, dataset_of(self).terminals); },
          "[rows + episodes] uint8, 1 at a genuine end and its closing row")
      .def_property_readonly("row_indices", &row_indices,
                             "[rows] int64: the stored rows that are no closing rows, ascending")
      .def_property_readonly(
          "episode_starts",
          [](const Dataset& d) {
            return per_episode<std::int64_t>(d, [](const Episode& e) { return e.first; });
          },
          "[episodes] int64: the stored row of each episode's first step")
      .def_property_readonly(
          "episode_lengths",
          [](const Dataset& d) {
            return per_episode<std::int64_t>(d, [](const Episode& e) { return e.length; });
          },
          "[episodes] int64, in steps")
      .def_property_readonly(
          "episode_returns", [](const Dataset& d) { return sums(d, d.rewards); },
          "[episodes] float64: undiscounted sums of the rewards")
      .def_property_readonly(
          "episode_costs", [](const Dataset& d) { return sums(d, d.costs); },
          "[episodes] float64: undiscounted sums of the costs")
      .def("episode", &episode, py::arg("index"),
           "One episode as views; negative numbers count from the end.")
      .def("__repr__", [](const Dataset& d) {
        return "<r2pac.Dataset " + d.name + ": " + std::to_string(d.rows) + " rows, " +
               std::to_string(d.episodes.size()) + " episodes, " + std::to_string(d.observation_dim) + " + " +
               std::to_string(d.action_dim) + " numbers>";
      });
}

}  // namespace r2pac::python
