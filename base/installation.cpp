#include "base/installation.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace r2pac {
namespace {

namespace fs = std::filesystem;

// Whether a path and the folders on its way below `folder` belong to root or to us: what a stranger has put
// into a shared folder is not run.
bool is_trusted(const fs::path& folder, const fs::path& relative) {
  fs::path path = folder;
  for (const fs::path& part : relative) {
    path /= part;
    struct stat state {};
    if (::lstat(path.c_str(), &state) != 0 || (state.st_uid != 0 && state.st_uid != ::geteuid()))
      return false;
  }
  return true;
}

}  // namespace

std::string own_program() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).string();
}

std::string find_above(const std::string& relative) {
  std::error_code ignored;
  fs::path folder = fs::path(own_program()).parent_path();
  for (; !folder.empty(); folder = folder.parent_path()) {
    if (fs::exists(folder / relative, ignored) && is_trusted(folder, relative))
      return (folder / relative).string();
    if (folder == folder.root_path()) break;
  }
  return "";
}

}  // namespace r2pac
