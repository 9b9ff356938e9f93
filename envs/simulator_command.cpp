#include "envs/simulator_command.h"

#include <cstdlib>
#include <filesystem>

#include "base/installation.h"
#include "envs/child_process.h"

namespace r2pac {

namespace fs = std::filesystem;

std::string simulator_id(std::string_view task_env_id) {
  constexpr std::string_view kOffline = "Offline";
  if (!task_env_id.starts_with(kOffline) || task_env_id.starts_with("OfflineMetadrive"))
    return std::string(task_env_id);
  return "Safety" + std::string(task_env_id.substr(kOffline.size()));
}

std::string simulators_python() {
  if (const char* named = std::getenv("R2PAC_SIMULATORS_PYTHON"); named && *named) return named;
  const std::string own = find_above(".simulators/bin/python3");
  return own.empty() ? "python3" : own;
}

std::vector<std::string> child_arguments(const ChildEnvironmentOptions& options) {
  if (!options.command.empty()) return {"/bin/sh", "-c", options.command};
  return {options.python, "-m", "r2pac.env_server", "--id", options.id};
}

std::string child_command_text(const ChildEnvironmentOptions& options) {
  if (!options.command.empty()) return plain_text(options.command);
  std::string text;
  for (const std::string& word : child_arguments(options)) text += (text.empty() ? "" : " ") + word;
  return plain_text(text);
}

std::vector<std::string> child_variables(const ChildEnvironmentOptions& options) {
  std::vector<std::string> out = {"R2PAC_ENV_FD=3", "PYTHONUNBUFFERED=1", "PYTHONFAULTHANDLER=1"};
  if (options.command.empty()) out.emplace_back("PYTHONSAFEPATH=1");  // no module from the working directory
  // Children work side by side already.
  for (const std::string threads : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"})
    if (std::getenv(threads.c_str()) == nullptr) out.push_back(threads + "=1");
  std::string server = find_above("python/r2pac/env_server.py");
  if (server.empty()) server = find_above("share/r2pac/python/r2pac/env_server.py");
  if (!server.empty()) {
    const char* path = std::getenv("PYTHONPATH");
    const std::string ours = fs::path(server).parent_path().parent_path().string();
    out.push_back("PYTHONPATH=" + ours);
    if (path && *path) out.back().append(":").append(path);
  }
  return out;
}

}  // namespace r2pac
