// What lies in a folder, to be compared with what lies there later.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "program.h"
#include "storage/atomic_file.h"

namespace r2pac {

/// Every file and folder below a folder: its path within, and for a file its content, for a link its target.
inline std::map<std::string, std::string> state_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> state;
  if (!std::filesystem::exists(folder)) return state;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    std::string& text = state[std::filesystem::relative(entry.path(), folder).string()];
    if (entry.is_symlink())
      text = "-> " + std::filesystem::read_symlink(entry.path()).string();
    else if (entry.is_regular_file())
      text = content(entry.path());
  }
  return state;
}

inline bool has_temporary(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (is_temporary(entry.path())) return true;
  return false;
}

}  // namespace r2pac
