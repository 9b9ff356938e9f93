// What a method is: the networks that it trains, the stages in which it trains them, and how it acts.
//
// A method is a file of this folder (r2pac.cpp, cloning.cpp). It is composed of parts: iql (critics and
// values of one signal), region (what is safe), flow_actor, gaussian_actor. All other code, such as
// training/, acting/ and the policy file, works for any method.
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

/// A part of the training: gradient steps that train some of the networks. By the schedule, stages follow
/// each other or are trained together in each step.
template <class T>
struct Stage {
  std::string name;                 ///< "critics", "actor"
  std::vector<std::string> trains;  ///< networks; a table is trained with the network that owns it. Several
                                    ///< stages that move at different times may train the same
  std::function<std::int64_t(const Settings&)> steps;
  std::function<void(Recorder<T>&)> record;
  /// Of stages that are trained together: its networks move before the later stages of the same step are
  /// recorded, so that those see the new weights.
  bool moves_first = false;
  double share = 1;  ///< of the batch's rows, that it learns from
};

/// The stage in which the actor learns: `network`, by what `record` records.
template <class T>
Stage<T> actor_stage(const std::string& network, const std::function<void(Recorder<T>&)>& record) {
  return {"actor", {network}, [](const Settings& s) { return s.steps; }, record};
}

/// A number that training finds besides the weights, such as the end of the safe region. While a stage
/// trains, its steps update the number. Then it is computed from the whole data set.
template <class T>
struct Scalar {
  std::string name;
  std::optional<double> fixed;            ///< set: the number is known from the start and stays
  std::optional<double> start;            ///< set: the number begins so, and nothing but steps changes it
  RecordColumn<T> column;                 ///< a value of each window of the data set, from which
  std::function<T(std::span<T>)> reduce;  ///< computes the number; may reorder its argument
};

/// A method with its settings.
template <class T>
struct Method {
  std::string name;
  Declaration networks;
  std::vector<Stage<T>> stages;
  std::vector<Scalar<T>> scalars;
  /// The answers of the finished networks for each window: values by name, [1, B, 1].
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
Method<T> safe_chunks_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts);
template <class T>
Method<T> budgeted_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts);
template <class T>
Method<T> cloning_method(const Settings& settings, Dimensions dimensions);
template <class T>
Method<T> cpq_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts);
template <class T>
Method<T> coptidice_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts);
template <class T>
Method<T> caps_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts);
template <class T>
Method<T> bcrl_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts);
template <class T>
Method<T> fisor_method(const Settings& settings, Dimensions dimensions);
template <class T>
Method<T> bc_method(const Settings& settings, Dimensions dimensions);

}  // namespace r2pac
