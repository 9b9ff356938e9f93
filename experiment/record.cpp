#include "experiment/record.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/utc.h"
#include "storage/atomic_file.h"
#include "storage/json.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;

std::string stem_of(const std::string& record) { return record.substr(0, record.size() - 5); }  // ".json"

bool is_held(const std::string& log) {
  const Descriptor file = open_descriptor(log, O_RDONLY);
  return file.valid() && !lock_now(file.get()) && errno == EWOULDBLOCK;
}

bool have_outputs(const Job& job) {
  std::error_code fault;
  return std::ranges::all_of(job.outputs, [&](const std::string& file) { return fs::exists(file, fault); });
}

}  // namespace

const char* state_name(JobState state) {
  switch (state) {
    case JobState::waiting:
      return "waiting";
    case JobState::running:
      return "running";
    case JobState::done:
      return "done";
    case JobState::diverged:
      return "diverged";
    case JobState::failed:
      break;
  }
  return "failed";
}

std::string failure_path(const std::string& record) { return stem_of(record) + ".failed.json"; }
std::string log_path(const std::string& record) { return stem_of(record) + ".log"; }

std::optional<JobRecord> read_record(const std::string& path) {
  std::error_code fault;
  if (!fs::exists(path, fault)) return std::nullopt;
  try {
    const auto bytes = read_file(path, kMostBytes, ExitCode::settings);
    const nlohmann::json json = read_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return JobRecord{json.at("id"), json.at("state"), json.at("exit"), json.at("ended"), json.at("message")};
  } catch (const std::exception&) {  // damaged: the job is done again
    return std::nullopt;
  }
}

void write_record(const Job& job, JobRecord record) {
  record.id = job.id;
  record.ended = utc_now();
  const nlohmann::ordered_json json = {{"id", record.id},
                                       {"state", record.state},
                                       {"exit", record.exit},
                                       {"ended", record.ended},
                                       {"message", record.message}};
  write_file_atomically(record.state == "failed" ? failure_path(job.record) : job.record,
                        json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n",
                        Links::replace);
}

JobState state_of(const Job& job) {
  if (const std::optional<JobRecord> record = read_record(job.record)) {
    if (record->state == "diverged") return JobState::diverged;
    if (have_outputs(job)) return JobState::done;
  }
  if (read_record(failure_path(job.record))) return JobState::failed;
  return is_held(log_path(job.record)) ? JobState::running : JobState::waiting;
}

void clear_record(const Job& job, bool retry) {
  std::error_code fault;
  const JobState state = state_of(job);
  if (state == JobState::waiting) fs::remove(job.record, fault);  // its outputs are gone
  if (state == JobState::failed && retry) fs::remove(failure_path(job.record), fault);
}

Descriptor hold_log(const Job& job) {
  const std::string path = log_path(job.record);
  Descriptor log = open_descriptor(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (!log.valid()) throw disk_error(path, "open", errno, 0);
  while (::flock(log.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
  return log;
}

std::string log_end(const std::string& path, int most) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(0, std::ios::end);
  const auto size = static_cast<std::int64_t>(in.tellg());
  in.seekg(std::max<std::int64_t>(0, size - 4096));
  std::string text{std::istreambuf_iterator<char>(in), {}};
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::size_t begin = text.size();
  for (int line = 0; line < most && begin != std::string::npos && begin > 0; ++line)
    begin = text.rfind('\n', begin - 1);
  return begin == std::string::npos ? text : text.substr(begin == 0 ? 0 : begin + 1);
}

}  // namespace r2pac
