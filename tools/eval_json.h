// The file of an evaluation, eval.json (docs/formats.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "envs/environment.h"
#include "tools/scoring.h"

namespace r2pac {

/// What eval.json says of a policy beside its scores. Each is an object whose members become the file's.
struct PolicyRecord {
  nlohmann::ordered_json policy;    ///< policy, checkpoint, method, task
  nlohmann::ordered_json training;  ///< step, train_seed, data_fingerprint
  nlohmann::ordered_json acting;    ///< selection, candidates, ...
  std::string settings;             ///< of the training, TOML
};

/// rescaled  actions were mapped onto the environment's bounds
nlohmann::ordered_json eval_json(const PolicyRecord& record, const Scores& scores,
                                 const VectorEnvironment& environment, bool rescaled);

}  // namespace r2pac
