// The settings that go with a method that learns from allowed chunks.
#pragma once

#include "settings/settings.h"

namespace r2pac {

/// Chooses `method`, "safe-chunks" or "budgeted", and what it cannot be without.
inline void choose_allowed_method(Settings& settings, const char* method) {
  settings.method = method;
  settings.penalty_reading = PenaltyReading::none;
  settings.threshold = Threshold::limit;
  settings.label_rule = LabelRule::allowed;
}

}  // namespace r2pac
