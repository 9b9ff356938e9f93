// What became of a job: a small file beside the plan, which outlives whoever ran it.
#pragma once

#include <optional>
#include <string>

#include "experiment/plan.h"
#include "storage/posix.h"

namespace r2pac {

/// Written when a job has ended, but not where it was stopped and will go on.
struct JobRecord {
  std::string id;
  std::string state;    ///< done, diverged or failed
  int exit = 0;         ///< exit status
  std::string ended;    ///< UTC, as 2026-01-31T12:00:00Z
  std::string message;  ///< of a failure: the end of the log
};

enum class JobState { waiting, running, done, diverged, failed };
const char* state_name(JobState state);

/// JOBS/ID.failed.json of JOBS/ID.json. Failures are apart, so that a record says that nothing is left to do.
std::string failure_path(const std::string& record);
/// JOBS/ID.log: what the job printed, in all its starts.
std::string log_path(const std::string& record);

/// The record in a file; nothing where there is none, or where it is none.
std::optional<JobRecord> read_record(const std::string& path);
/// Writes it to `job.record`, or for a failure to failure_path(). Throws Error(disk).
void write_record(const Job& job, JobRecord record);

/// What its files tell about a job.
JobState state_of(const Job& job);

/// Removes what would keep a job from being done: the record of one whose outputs are gone, and, if `retry`,
/// the record of a failure.
void clear_record(const Job& job, bool retry);

/// Holds the log of a job, for this process and those that inherit the descriptor: nobody else does the job
/// meanwhile. Waits for whoever holds it. Throws DiskError.
Descriptor hold_log(const Job& job);

/// The last lines of a log, at most `most`.
std::string log_end(const std::string& path, int most);

}  // namespace r2pac
