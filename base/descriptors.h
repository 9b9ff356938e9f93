// The descriptors 0 to 2 of a process that was started without them.
#pragma once

namespace r2pac {

/// Opens /dev/null for each of the descriptors 0 to 2 that is closed: a daemon may start a program so, and
/// the next file that is opened would take the place of standard output or standard error.
void open_standard_descriptors();

/// The descriptor itself, or a copy above 2 for which it is closed. -1 stays -1. For those that a child keeps
/// beside its standard ones.
int above_standard_descriptors(int descriptor);

}  // namespace r2pac
