#include <algorithm>
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

/// The place of number `index` of an array in C order, as NumPy's indices are written: [row, column].
std::string place_of(const py::array& array, py::ssize_t index) {
  std::vector<py::ssize_t> place(static_cast<std::size_t>(array.ndim()));
  for (py::ssize_t axis = array.ndim(); axis-- > 0; index /= array.shape(axis))
    place[static_cast<std::size_t>(axis)] = index % array.shape(axis);
  return text_of(place.data(), place.size());
}

[[noreturn]] void refuse(const char* argument, const std::string& fault) {
  throw py::value_error(std::string("`") + argument + "` " + fault);
}

/// Whether it hides numbers, which conversion would uncover.
bool is_masked(const py::object& value) {
  return py::hasattr(value, "mask") && py::hasattr(value, "filled") &&
         py::module_::import("numpy.ma").attr("is_masked")(value).cast<bool>();
}

}  // namespace

py::array number_array(const py::object& value, const char* argument) {
  constexpr char kTodo[] = "; give numbers, as a NumPy array or as lists of equal lengths";
  if (is_masked(value))
    refuse(argument, "hides numbers behind a mask; fill such gaps, or leave their rows out");
  py::object converted;
  try {
    converted = py::module_::import("numpy").attr("asarray")(value);
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_Exception) || error.matches(PyExc_MemoryError)) throw;
    const std::string fault =
        std::string("`") + argument + "` is no array: " + std::string(py::str(error.value())) + kTodo;
    py::raise_from(error, PyExc_ValueError, fault.c_str());
    throw py::error_already_set();
  }
  const auto array = converted.cast<py::array>();
  if (std::string("biuf").find(array.dtype().kind()) == std::string::npos)
    refuse(argument,
           "must be an array of real numbers, but " +
               (array.ndim() == 0 ? "is of type " + std::string(py::str(py::type::of(value).attr("__name__")))
                                  : "has the dtype " + std::string(py::str(array.dtype()))) +
               kTodo);
  return array;
}

Floats float_array(const py::object& value, const char* argument, const std::vector<py::ssize_t>& shape,
                   const std::string& todo) {
  const py::array any = number_array(value, argument);
  if (!fits(any, shape))
    refuse(argument, "must have the shape " + text_of(shape.data(), shape.size()) + ", not " +
                         text_of(any.shape(), static_cast<std::size_t>(any.ndim())) +
                         (todo.empty() ? "" : "; " + todo));
  Floats floats = Floats::ensure(any);
  if (!floats) {
    PyErr_Clear();
    refuse(argument, "cannot be converted to single precision");
  }
  const std::span<const float> numbers = values_of(floats);
  if (const auto bad = std::ranges::find_if_not(numbers, [](float x) { return std::isfinite(x); });
      bad != numbers.end()) {
    const py::ssize_t index = bad - numbers.begin();
    refuse(argument, "holds a number that is not finite in single precision: " +
                         std::string(py::str(any.attr("flat")[py::int_(index)])) + " at " +
                         place_of(any, index) + "; fill such gaps, or leave their rows out");
  }
  return floats;
}

}  // namespace r2pac::python
