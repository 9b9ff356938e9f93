#include "base/error.h"
#include "model/method.h"

namespace r2pac {

template <class T>
Method<T> make_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts) {
  if (settings.method == "r2pac") return r2pac_method(settings, dimensions, facts);
  if (settings.method == "safe-chunks") return safe_chunks_method(settings, dimensions, facts);
  if (settings.method == "budgeted") return budgeted_method(settings, dimensions, facts);
  if (settings.method == "cloning") return cloning_method<T>(settings, dimensions);
  if (settings.method == "bc" || settings.method == "bc-safe") return bc_method<T>(settings, dimensions);
  if (settings.method == "coptidice") return coptidice_method(settings, dimensions, facts);
  if (settings.method == "cpq") return cpq_method(settings, dimensions, facts);
  if (settings.method == "caps") return caps_method(settings, dimensions, facts);
  if (settings.method == "bcrl") return bcrl_method(settings, dimensions, facts);
  if (settings.method == "fisor") return fisor_method<T>(settings, dimensions);
  throw InvalidArgument("make_method: there is no method `" + settings.method + "`");
}

template Method<float> make_method(const Settings&, Dimensions, const DataFacts<float>&);
template Method<double> make_method(const Settings&, Dimensions, const DataFacts<double>&);

}  // namespace r2pac
