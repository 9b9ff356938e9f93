// The flags that say what to train on, and how.
#pragma once

#include "data/dataset.h"
#include "settings/settings.h"

namespace CLI {
class App;
}

namespace r2pac {

/// Options that name settings are passed on as text, so that one parser judges them all.
/// with_steps  --steps is one of them; otherwise it is left to the verb. with_data  --data must be given
void add_training_flags(CLI::App& verb, SettingsRequest& request, bool with_steps, bool with_data = true);

/// The data of a file for a policy of these settings. What is odd about them goes to standard error.
Dataset load_data(const std::string& path, const Settings& settings);

}  // namespace r2pac
