// The extension module r2pac._core: what Python sees of the library. python/r2pac/_core.pyi declares it.
#include "base/error.h"
#include "base/nearest.h"
#include "base/processors.h"
#include "base/version.h"
#include "python/bindings.h"

namespace r2pac::python {
namespace {

/// Raises the class of r2pac/errors.py that stands for the error's exit code.
void raise(const Error& error) {
  const py::object errors = py::module_::import("r2pac.errors");
  const py::object kind =
      errors.attr("BY_EXIT_CODE").attr("get")(static_cast<int>(error.code()), errors.attr("Error"));
  PyErr_SetObject(kind.ptr(), kind(error.what(), error.where(), error.todo()).ptr());
}

void translate(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    raise(error);
  } catch (const InvalidArgument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  }
}

Precision precision_of(const std::string& name) {
  std::vector<std::string> names;
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    names.emplace_back(precision_name(precision));
    if (name == names.back()) return precision;
  }
  throw Error(ExitCode::usage, "unknown precision `" + name + "`", "precision", did_you_mean(name, names));
}

}  // namespace

std::shared_ptr<Device> open_device(const DeviceChoice& choice,
                                    const std::function<void(const std::string&)>& note) {
  return make_device(choice.device, thread_count(choice.threads, "threads"), precision_of(choice.precision),
                     note);
}

void warn(const std::string& text) {
  if (PyErr_WarnEx(PyExc_RuntimeWarning, text.c_str(), 1) != 0) throw py::error_already_set();
}

}  // namespace r2pac::python

PYBIND11_MODULE(_core, module) {
  using namespace r2pac::python;
  module.doc() = "R2PAC's data sets, training, policies and built-in robot, in C++.";
  module.attr("__version__") = r2pac::kVersion;
  py::register_local_exception_translator(translate);
  bind_dataset(module);
  bind_policy(module);
  bind_training(module);
  bind_environment(module);
}
