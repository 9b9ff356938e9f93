// What the files of the extension module share.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/device.h"

namespace r2pac::python {

namespace py = pybind11;

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

/// `value` as an array of real numbers in the type that it has. Throws ValueError naming the argument and
/// what it is instead, also for numbers behind a mask.
py::array number_array(const py::object& value, const char* argument);

/// `value` as float32 in C order: itself if it is that already, else a copy. shape: the expected one, with
/// kAny where every length will do; todo: what to do about another one. Throws ValueError naming the
/// argument, what is expected and what it is, also for values that are not real numbers, and with the place
/// of one that is not finite.
Floats float_array(const py::object& value, const char* argument, const std::vector<py::ssize_t>& shape,
                   const std::string& todo = "");
inline constexpr py::ssize_t kAny = -1;

inline std::span<const float> values_of(const Floats& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}
template <class T>
std::span<T> writable_values(py::array_t<T>& array) {
  return {array.mutable_data(), static_cast<std::size_t>(array.size())};
}

/// A read-only array of `shape` over memory that `owner` keeps alive; no copy.
template <class T>
py::array_t<T> read_only_view(const T* data, std::vector<py::ssize_t> shape, const py::handle& owner) {
  py::array_t<T> view(std::move(shape), data, owner);
  view.attr("setflags")(py::arg("write") = false);
  return view;
}

/// A device as the arguments `device`, `threads` and `precision` of several calls name it.
struct DeviceChoice {
  std::string device;
  int threads = 0;  ///< of the CPU; 0: thread_count()
  std::string precision;
};
/// `note` receives a remark about the choice. Throws Error: usage, device.
std::shared_ptr<Device> open_device(const DeviceChoice& choice,
                                    const std::function<void(const std::string&)>& note);

/// Warns as Python does, at the line that called us. Throws error_already_set where warnings are errors.
void warn(const std::string& text);

void bind_dataset(py::module_& module);
void bind_policy(py::module_& module);
void bind_training(py::module_& module);
void bind_environment(py::module_& module);

}  // namespace r2pac::python
