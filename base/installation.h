// Files that belong to this program: those of the repository or package around it.
#pragma once

#include <string>

namespace r2pac {

/// `relative` in the nearest folder above the running program that has it, if it and the folders on its way
/// belong to root or to the user; else empty.
std::string find_above(const std::string& relative);

/// The program that is running; empty where the system does not tell.
std::string own_program();

}  // namespace r2pac
