// What comes out of the fence. A file may have taken over the child that decoded it, so that nothing of its
// reply is trusted. Internal to this folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "data/columns.h"

namespace r2pac {

/// An error as bytes: its code, then three texts, each ended by a zero byte.
std::string pack_error(const Error& error);
/// The error in such bytes. Whatever they are, its code is that of a failure.
Error unpack_error(std::string_view packed);

/// A shape as the first bytes of a reply.
std::string pack_shape(const ColumnShape& shape);
/// That shape; its arrays take at most `bytes`. Throws Error(data) about `file` where they would not, or
/// where there is none.
ColumnShape unpack_shape(std::string_view reply, std::int64_t bytes, const std::string& file);

}  // namespace r2pac
