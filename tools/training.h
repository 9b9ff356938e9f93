// The flags that say what to train on, and how.
#pragma once

#include "settings/settings.h"

namespace CLI {
class App;
}

namespace r2pac {

/// Options that name settings are passed on as text, so that one parser judges them all.
/// with_steps  --steps is one of them; otherwise it is left to the verb
void add_training_flags(CLI::App& verb, SettingsRequest& request, bool with_steps);

}  // namespace r2pac
