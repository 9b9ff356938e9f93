#include "base/control_groups.h"

#include <fstream>
#include <sstream>
#include <vector>

namespace r2pac {

std::string text_of_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();  // an iterator would throw where the file cannot be read
  return text.str();
}

void visit_control_groups(
    const std::filesystem::path& root, const std::string& membership, std::string_view controller,
    const std::function<void(const std::filesystem::path& folder, bool second_version)>& visit) {
  std::istringstream lines(membership);
  const std::string wanted = std::string(",").append(controller).append(",");
  // HIERARCHY:CONTROLLERS:/PATH, where version 2 names no controllers.
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool second_version = controllers.empty();
    if (!second_version && std::string(",").append(controllers).append(",").find(wanted) == std::string::npos)
      continue;
    const std::vector<std::filesystem::path> mounts =
        second_version ? std::vector{root, root / "unified"}
                       : std::vector{root / controllers, root / controller};
    // In a container the path may be that of the host: its folders are missing, and the root is the group.
    for (const auto& mount : mounts)
      for (std::filesystem::path group = std::filesystem::path(line.substr(second + 1)).relative_path();;
           group = group.parent_path()) {
        visit(mount / group, second_version);
        if (group.empty()) break;
      }
  }
}

}  // namespace r2pac
