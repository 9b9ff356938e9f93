#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "base/nearest.h"
#include "data/dataset.h"
#include "data/rounding.h"
#include "python/bindings.h"

namespace r2pac::python {
namespace {

/// What from_arrays() must be given, by name; in this order it is looked at.
struct Argument {
  const char *name, *shape, *meaning;
};
constexpr std::array<Argument, 7> kArguments = {{
    {"observations", "[T, S]", "what each of T steps saw, S numbers"},
    {"actions", "[T, A]", "what it did, A numbers in [-1, 1]"},
    {"next_observations", "[T, S]", "what it led to"},
    {"rewards", "[T]", "what it earned"},
    {"costs", "[T]", "what it cost"},
    {"terminals", "[T]", "1 where an episode ended by itself, else 0; zeros where none did"},
    {"timeouts", "[T]", "1 where an episode was cut, for instance by a limit of time, else 0"},
}};

/// With the signature that help() shows: the function itself takes anything, and says what is wrong with it.
constexpr char kFromArrays[] =
    "from_arrays(*, observations: ArrayLike, actions: ArrayLike, next_observations: ArrayLike, rewards: "
    "ArrayLike, costs: ArrayLike, terminals: ArrayLike, timeouts: ArrayLike, name: str = 'arrays') -> "
    "Dataset\n\n"
    "A data set from arrays of T rows: observations and next_observations [T, S], actions [T, A] in [-1, 1], "
    "rewards, costs, terminals and timeouts [T] or [T, 1]. Flags are booleans, or the numbers 0 and 1.\n\n"
    "An episode ends where terminals (nothing follows) or timeouts (it was cut) is true. name: tells the "
    "task "
    "as a file's name does, for example `BallRun`. Raises TypeError for a wrong or missing name of an array, "
    "ValueError for a wrong shape or type, DataError for contents that training cannot use.";

/// Throws TypeError for arguments without a name, of another name, or missing.
void require_arguments(const py::args& args, const py::kwargs& given) {
  std::vector<std::string> names;
  for (const Argument& argument : kArguments) names.emplace_back(argument.name);
  if (!args.empty())
    throw py::type_error(
        "from_arrays() takes arrays by name; write observations=..., actions=... and so on, or "
        "**arrays for a dict of them");
  names.emplace_back("name");
  for (const auto& [key, value] : given)
    if (const std::string name = py::str(key); std::ranges::find(names, name) == names.end())
      throw py::type_error("from_arrays() has no argument `" + name + "`; " + did_you_mean(name, names));
  std::string missing;
  for (const Argument& argument : kArguments)
    if (!given.contains(argument.name))
      missing += std::string(missing.empty() ? "" : ";") + " `" + argument.name + "` " + argument.shape +
                 ", " + argument.meaning;
  if (!missing.empty()) throw py::type_error("from_arrays() misses" + missing);
}

/// [rows, 1] as [rows]: files may have both, and so may arrays.
py::array as_vector(const py::array& array) {
  return array.ndim() == 2 && array.shape(1) == 1 ? array.attr("reshape")(-1).cast<py::array>() : array;
}

/// Adds the columns of array `index` of DsrlColumns whose variation single precision cannot hold.
void find_lost(const py::array& array, int index, DsrlColumns& columns) {
  if (array.itemsize() < 4 || (array.dtype().kind() == 'f' && array.itemsize() == 4)) return;
  const auto wide = py::array_t<double, py::array::c_style | py::array::forcecast>::ensure(array);
  std::vector<ColumnRounding> rounding(array.ndim() == 2 ? static_cast<std::size_t>(array.shape(1)) : 1);
  for (py::ssize_t i = 0; i < wide.size(); ++i)
    rounding[static_cast<std::size_t>(i) % rounding.size()].add(wide.data()[i]);
  for (const std::int64_t column : lost_columns(rounding)) columns.lost.push_back({index, column});
}

std::vector<float> copied(const Floats& array) { return {array.data(), array.data() + array.size()}; }

std::vector<std::uint8_t> flags_of(const Floats& numbers, const char* argument) {
  std::vector<std::uint8_t> flags(static_cast<std::size_t>(numbers.size()));
  for (std::size_t row = 0; row < flags.size(); ++row) {
    const float number = numbers.data()[row];
    if (number != 0 && number != 1)
      throw py::value_error(std::string("`") + argument + "` has the value " + std::to_string(number) +
                            " in row " + std::to_string(row) + "; flags must be 0 or 1");
    flags[row] = number != 0;
  }
  return flags;
}

std::shared_ptr<Dataset> from_arrays(const py::args& args, const py::kwargs& given) {
  require_arguments(args, given);
  const py::object name = given.contains("name") ? py::object(given["name"]) : py::str("arrays");
  if (!py::isinstance<py::str>(name)) throw py::type_error("`name` must be a text, for example \"BallRun\"");
  std::vector<py::array> arrays;
  for (const Argument& argument : kArguments)
    arrays.push_back(number_array(given[argument.name], argument.name));
  if (std::string("biu").find(arrays[1].dtype().kind()) != std::string::npos)
    throw py::value_error(
        "`actions` is made of whole numbers: these are discrete actions; R2PAC needs continuous ones in [-1, "
        "1]");

  const Floats observations =
      float_array(arrays[0], "observations", {kAny, kAny},
                  "give [T, S]: the T steps of all episodes one behind the other, S numbers each");
  const py::ssize_t rows = observations.shape(0), width = observations.shape(1);
  const std::string of_rows = "each of the " + std::to_string(rows) + " rows of `observations`";
  const Floats actions =
      float_array(arrays[1], "actions", {rows, kAny}, "give a row of A numbers for " + of_rows);
  if (rows < 1 || width < 1 || actions.shape(1) < 1)
    throw py::value_error("`observations` and `actions` must have rows and columns; give at least one step");
  const auto column = [&](std::size_t index) {
    return float_array(as_vector(arrays[index]), kArguments[index].name, {rows},
                       "give a number for " + of_rows);
  };
  DsrlColumns columns;
  columns.rows = rows;
  columns.observation_dim = static_cast<int>(width);
  columns.action_dim = static_cast<int>(actions.shape(1));
  columns.observations = copied(observations);
  columns.actions = copied(actions);
  columns.next_observations =
      copied(float_array(arrays[2], "next_observations", {rows, width}, "give what followed " + of_rows));
  columns.rewards = copied(column(3));
  columns.costs = copied(column(4));
  columns.terminals = flags_of(column(5), "terminals");
  columns.timeouts = flags_of(column(6), "timeouts");
  int index = 0;  // of DsrlColumns
  for (const std::size_t array : {0, 2, 1, 3, 4}) find_lost(arrays[array], index++, columns);
  const auto path = name.cast<std::string>();
  const py::gil_scoped_release released;
  return std::make_shared<Dataset>(make_dataset(columns, path));
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
  py::options options;
  options.disable_function_signatures();
  dataset.def_static("from_arrays", &from_arrays, kFromArrays);
}

}  // namespace r2pac::python
