// The control groups around this process, which may allow it less than the machine has.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace r2pac {

/// Calls `visit` with the folder of each control group that a process is in, and of each of their ancestors.
/// Those of version 1 are visited only for the controller asked for, as "cpu" or "memory".
/// root  where they are mounted: /sys/fs/cgroup; membership  the text of /proc/self/cgroup
/// second_version  whether the folder has the files of version 2
void visit_control_groups(
    const std::filesystem::path& root, const std::string& membership, std::string_view controller,
    const std::function<void(const std::filesystem::path& folder, bool second_version)>& visit);

/// The content of a small file, "" if it cannot be read.
std::string text_of_file(const std::filesystem::path& path);

}  // namespace r2pac
