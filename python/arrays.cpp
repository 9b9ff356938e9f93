#include <cmath>

#include "python/bindings.h"

namespace r2pac::python {
namespace {

std::string text_of(const py::ssize_t* shape, std::size_t dimensions) {
  std::string text = "[";
  for (std::size_t i = 0; i < dimensions; ++i)
    text += (i > 0 ? ", " : "") + (shape[i] == kAny ? std::string("any") : std::to_string(shape[i]));
  return text + "]";
}

bool fits(const py::array& array, const std::vector<py::ssize_t>& shape) {
  if (array.ndim() != static_cast<py::ssize_t>(shape.size())) return false;
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != kAny && array.shape(static_cast<py::ssize_t>(i)) != shape[i]) return false;
  return true;
}

}  // namespace

Floats float_array(const py::object& value, const char* argument, const std::vector<py::ssize_t>& shape) {
  const auto refuse = [&](const std::string& fault) {
    return py::value_error(std::string("`") + argument + "` " + fault);
  };
  const py::array any = py::array::ensure(value);
  if (!any || std::string("biuf").find(any.dtype().kind()) == std::string::npos) {
    PyErr_Clear();
    throw refuse("must be an array of real numbers");
  }
  if (!fits(any, shape))
    throw refuse("must have the shape " + text_of(shape.data(), shape.size()) + ", not " +
                 text_of(any.shape(), static_cast<std::size_t>(any.ndim())));
  Floats floats = Floats::ensure(any);
  if (!floats) {
    PyErr_Clear();
    throw refuse("cannot be converted to single precision");
  }
  for (const float number : values_of(floats))
    if (!std::isfinite(number)) throw refuse("holds a number that is not finite in single precision");
  return floats;
}

}  // namespace r2pac::python
