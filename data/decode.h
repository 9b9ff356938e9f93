// What happens to a DSRL file inside the fence. Internal to this folder.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "data/columns.h"

namespace r2pac {

/// Throws Error(ExitCode::data) unless the path leads to a regular file that can be read and is not empty.
/// Returns its size in bytes.
std::int64_t check_regular_file(const std::string& path);

enum class Container { hdf5, zip, text, other };

/// What a file is by its first bytes. Throws as check_regular_file.
Container tell_container(const std::string& path);

/// Looks at the first bytes of a file before the HDF5 library does: that it is a file, is HDF5, and is as
/// long as its superblock says. Returns its size in bytes. Throws Error(ExitCode::data).
std::int64_t check_container(const std::string& path);

/// Opens the file, checks that its seven arrays are ones that we accept, asks `allocate` for a block for
/// their shape (laid out as offset_of says), and decodes every `workers`-th piece of them into it,
/// starting with piece `worker`. Throws Error(ExitCode::data) naming every fault of the layout.
/// budget  most bytes that the arrays may take
ColumnShape decode(const std::string& path, std::int64_t budget, int worker, int workers,
                   const std::function<std::byte*(const ColumnShape&)>& allocate);

}  // namespace r2pac
