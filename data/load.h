// A DSRL file decoded into shared memory, not copied. Internal to this folder.
#pragma once

#include <memory>

#include "data/columns.h"
#include "data/fence.h"

namespace r2pac {

struct LoadedFile {
  std::unique_ptr<SharedMemory> memory;
  DsrlView view;  ///< of `memory`

  /// Frees array `index` of kArrays; the view must not be read there any more.
  void release(std::size_t index) {
    memory->release(offset_of(view.shape, index), bytes_of(kArrays[index], view.shape));
  }
};

/// Limits with what stands for 0 filled in.
ReadLimits resolve_limits(const ReadLimits& limits);
/// What a decoding child may take, given resolved limits.
FenceLimits fence_limits(const ReadLimits& limits);

/// The arrays copied out of shared memory, which is freed on the way.
DsrlColumns take_columns(LoadedFile& loaded);

/// Reads a file as read_dsrl does.
LoadedFile load_columns(const std::string& path, const ReadLimits& limits = {});

}  // namespace r2pac
