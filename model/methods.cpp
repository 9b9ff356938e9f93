#include "base/error.h"
#include "model/method.h"

namespace r2pac {

template <class T>
Method<T> make_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts) {
  if (settings.method == "r2pac") return r2pac_method(settings, dimensions, facts);
  if (settings.method == "cloning") return cloning_method<T>(settings, dimensions);
  throw InvalidArgument("make_method: there is no method `" + settings.method + "`");
}

template <class T>
std::unique_ptr<Networks<T>> make_networks(const Settings& settings, Dimensions dimensions, Device& device) {
  return std::make_unique<Networks<T>>(make_method<T>(settings, dimensions).networks, settings.initializer,
                                       static_cast<std::uint64_t>(settings.seed), device);
}

#define R2_INSTANTIATE(T)                                                           \
  template Method<T> make_method(const Settings&, Dimensions, const DataFacts<T>&); \
  template std::unique_ptr<Networks<T>> make_networks(const Settings&, Dimensions, Device&);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
