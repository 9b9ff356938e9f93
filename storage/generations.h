// A folder of checkpoints of one run: the newest few are kept, and a damaged one gives way to the older.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/safetensors.h"

namespace r2pac {

/// One checkpoint file, named step-000001000.safetensors after its number.
struct Generation {
  std::uint64_t number = 0;  ///< grows from one save to the next; the caller's counter of steps
  std::filesystem::path path;
};

struct LoadedGeneration {
  Generation generation;
  SafetensorsFile file;
};

/// The file of a number, whether or not it exists.
std::filesystem::path generation_path(const std::filesystem::path& folder, std::uint64_t number);

/// The checkpoints in a folder, newest first; none when the folder does not exist.
std::vector<Generation> list_generations(const std::filesystem::path& folder);

/// Writes a checkpoint atomically, making the folder if need be; once it is on the disk removes all but the
/// newest `keep`, and any with a higher number: those belong to a continuation that was given up. Temporary
/// files of killed runs are removed first. A file that is a link is replaced. One writer per folder. Throws
/// DiskError; the older checkpoints
/// then remain. Returns the path of the new file.
std::filesystem::path save_generation(const std::filesystem::path& folder, std::uint64_t number,
                                      const SafetensorsWriter& content, std::size_t keep = 2);

/// The newest checkpoint that is whole: it reads cleanly, carries a checksum, holds finite numbers, and
/// `validate` (may be empty) throws no Error(checkpoint); its other errors pass through. Calls `warn` (may be
/// empty) once for each damaged file. Nothing when the folder holds no checkpoint; throws Error(checkpoint)
/// when it holds some and none is whole.
std::optional<LoadedGeneration> newest_valid_generation(
    const std::filesystem::path& folder, const std::function<void(const SafetensorsFile&)>& validate = {},
    const std::function<void(const std::string&)>& warn = {});

}  // namespace r2pac
