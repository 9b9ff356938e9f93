// A trace: all inputs of some gradient steps, so that another program can redo them, and their results here.
#pragma once

#include <filesystem>
#include <memory>

#include "data/dataset.h"
#include "engine/device.h"
#include "settings/settings.h"

namespace r2pac {

/// Takes `steps` gradient steps from new networks in precision T and writes all of them as safetensors
/// (docs/formats.md, "Traces"). Throws Error(settings) when a trace of so many steps does not fit the format,
/// and what training throws.
template <class T>
void write_trace(const Settings& settings, const Dataset& dataset, int steps, std::shared_ptr<Device> device,
                 const std::filesystem::path& path);

}  // namespace r2pac
