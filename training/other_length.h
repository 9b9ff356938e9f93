// Going on with a run for another number of steps.
#pragma once

#include <cstdint>
#include <string>

#include "model/method.h"
#include "settings/settings.h"

namespace r2pac {

/// Whether a setting is one that says how many steps a stage has, and nothing else.
bool is_length(std::string_view key);

/// Accepts that a run goes on with other numbers of steps, if its first `step` steps are those of a run that
/// was started with them: stages that have ended keep theirs, the stage that is trained ends no earlier than
/// it is, and no rate depends on the number of steps. Only the last stage may go on after its end.
/// then, now  settings that differ in nothing that trains but lengths; where  the checkpoint, for errors
/// Throws Error(settings) saying which of these is not so, and what to do.
void require_same_so_far(const Method<float>& method, const Settings& then, const Settings& now,
                         std::uint64_t step, const std::string& where);

}  // namespace r2pac
