// What a method is: the networks that it trains, the stages in which it trains them, and how it acts.
//
// A method is a file of this folder (r2pac.cpp, cloning.cpp) that composes parts: iql (critics and values of
// one signal), region (what is safe), flow_actor. Everything else runs any method: training/, acting/, the
// policy file.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "acting/policy_sampler.h"
#include "model/recorder.h"

namespace r2pac {

/// Some gradient steps that train some networks. The schedule decides whether stages follow each other or are
/// one.
template <class T>
struct Stage {
  std::string name;                 ///< "critics", "actor"
  std::vector<std::string> trains;  ///< networks; tables learn with their owners
  std::function<std::int64_t(const Settings&)> steps;
  std::function<void(Recorder<T>&)> record;
};

/// A number that training finds out beside the weights: the end of the safe region.
template <class T>
struct Scalar {
  std::string name;
  std::optional<double> fixed;            ///< known from the start; else steps update it, and
  RecordColumn<T> column;                 ///< over the whole data set it is
  std::function<T(std::span<T>)> reduce;  ///< this of that; may reorder what it is given
};

/// A method with its settings.
template <class T>
struct Method {
  std::string name;
  Declaration networks;
  std::vector<Stage<T>> stages;
  std::vector<Scalar<T>> scalars;
  /// What the finished networks say of each window: values by name, [1, B, 1].
  std::function<std::vector<std::pair<std::string, Tensor<T>>>(Recorder<T>&)> inspect;
  ActingNetworks acting;
};

/// The method that the settings name.
template <class T>
Method<T> make_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts);
/// The same where no data are at hand.
template <class T>
Method<T> make_method(const Settings& settings, Dimensions dimensions) {
  return make_method<T>(settings, dimensions, DataFacts<T>{});
}

// The methods, each in the file of its name.
template <class T>
Method<T> r2pac_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts);
template <class T>
Method<T> cloning_method(const Settings& settings, Dimensions dimensions);

}  // namespace r2pac
