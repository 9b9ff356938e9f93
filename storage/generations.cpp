#include "storage/generations.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "storage/folder.h"
#include "storage/posix.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kSuffix = ".safetensors";
constexpr std::size_t kDigits = 9;

/// The number in a file name of ours, or nothing.
std::optional<std::uint64_t> number_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::uint64_t number = 0;
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), number);
  if (generation_path({}, number) != name) return std::nullopt;
  return number;
}

/// code  of the error where the folder cannot be listed
std::vector<fs::path> files_in(const fs::path& folder, ExitCode code) {
  std::vector<fs::path> paths;
  std::error_code error;
  do {
    paths.clear();
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
      paths.push_back(entry->path());
  } while (error == std::errc::interrupted);
  if (error && error != std::errc::no_such_file_or_directory)
    throw DiskError(Error(code, "cannot list the folder: " + error.message(), folder.string(),
                          "check the name and its permissions"),
                    error.value());
  return paths;
}

std::vector<Generation> generations_in(const fs::path& folder, ExitCode code) {
  std::vector<Generation> generations;
  for (const fs::path& path : files_in(folder, code))
    if (const auto number = number_of(path.filename().string())) generations.push_back({*number, path});
  std::sort(generations.begin(), generations.end(),
            [](const Generation& a, const Generation& b) { return a.number > b.number; });
  return generations;
}

/// Removing makes room, no more: a file that stays is tried again at the next save.
void remove_quietly(const fs::path& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
}

}  // namespace

fs::path generation_path(const fs::path& folder, std::uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < kDigits) digits.insert(0, kDigits - digits.size(), '0');
  return folder / (std::string(kPrefix) + digits + std::string(kSuffix));
}

std::vector<Generation> list_generations(const fs::path& folder) {
  return generations_in(folder, ExitCode::checkpoint);
}

fs::path save_generation(const fs::path& folder, std::uint64_t number, const SafetensorsWriter& content,
                         std::size_t keep) {
  make_folder(folder);
  remove_dead_temporaries(folder, kPrefix);
  const fs::path path = generation_path(folder, number);
  content.write(path, Links::replace);
  std::size_t kept = 0;
  for (const Generation& generation : generations_in(folder, ExitCode::disk))
    if (generation.number > number || ++kept > keep) remove_quietly(generation.path);
  return path;
}

std::optional<LoadedGeneration> newest_valid_generation(
    const fs::path& folder, const std::function<void(const SafetensorsFile&)>& validate,
    const std::function<void(const std::string&)>& warn) {
  const std::vector<Generation> generations = list_generations(folder);
  std::string newest_fault;
  for (const Generation& generation : generations) {
    try {
      SafetensorsFile file = SafetensorsFile::read(generation.path);
      if (!file.checksummed()) throw_damaged(generation.path.string(), "the checkpoint has no checksum");
      file.require_finite();
      if (validate) validate(file);
      return LoadedGeneration{generation, std::move(file)};
    } catch (const Error& error) {
      if (error.code() != ExitCode::checkpoint) throw;
      if (newest_fault.empty()) newest_fault = error.what();
      if (warn)
        warn("checkpoint " + generation.path.string() + " cannot be used (" + error.what() +
             "); trying the older one");
    }
  }
  if (generations.empty()) return std::nullopt;
  throw Error(ExitCode::checkpoint,
              "none of the " + std::to_string(generations.size()) +
                  " checkpoints can be used; the newest: " + newest_fault,
              folder.string(), "restore the folder from a copy, or begin anew with another --out");
}

}  // namespace r2pac
