// What makes two runs the same run.
#pragma once

#include <string>
#include <vector>

#include "experiment/beside.h"
#include "experiment/experiment.h"
#include "settings/settings.h"

namespace r2pac {

/// First 12 hex digits of the XXH3-128 of a text.
std::string short_hash(const std::string& text);

/// Of a training: method and its version, all settings but those of logging that have not their
/// default, the data's fingerprint, scores
/// on the way, and the run whose critics it takes. critics  id of that run, or ""
std::string training_id(const Settings& settings, const std::string& fingerprint, const std::string& critics,
                        const std::optional<ExperimentCurve>& curve);

/// Of a training beside the program. task  alias, or ""
std::string beside_training_id(const BesideMethod& method, const std::string& size, const std::string& task,
                               std::int64_t seed, const std::string& fingerprint);

/// Of a scoring: the training's id, how the policy acts, and on which episodes.
/// env  as `eval --env`
std::string scoring_id(const std::string& training, const Settings& acting, const ExperimentScoring& scoring,
                       const std::string& env);

/// A setting's value as `--set` takes it.
std::string set_text(const Settings& settings, const std::string& key);

/// Of a folder for runs that differ so from `usual`: "default", or "alpha=0.5,chunk_length=3". Only
/// characters that every file system takes.
std::string variant_folder(const Settings& usual, const Settings& settings);

/// A text as the name of a file: letters, digits and ._=+,- are kept, at most 80.
std::string file_name(const std::string& text);

}  // namespace r2pac
