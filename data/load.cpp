#include "data/load.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/processors.h"
#include "data/child_reply.h"
#include "data/decode.h"

namespace r2pac {
namespace {

constexpr int kMostWorkers = 4;
// What a child may need besides the arrays: the library's chunk buffers and metadata.
constexpr std::int64_t kWorkingBytes = std::int64_t{512} << 20;
// Seconds for one piece of an array, which a healthy disk reads in a hundredth of it.
constexpr double kPatience = 30;

std::int64_t half_of_memory() { return std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE) / 2; }

}  // namespace

ReadLimits resolve_limits(const ReadLimits& limits) {
  return {limits.bytes > 0 ? limits.bytes : half_of_memory(),
          limits.seconds > 0 ? limits.seconds : kPatience};
}

FenceLimits fence_limits(const ReadLimits& limits) { return {limits.bytes + kWorkingBytes, limits.seconds}; }

LoadedFile load_columns(const std::string& path, const ReadLimits& given) {
  const std::int64_t file_bytes = check_container(path);
  const ReadLimits limits = resolve_limits(given);
  // A process costs a millisecond or two, a megabyte of file about ten to decode.
  const int useful = static_cast<int>(std::min<std::int64_t>(kMostWorkers, 1 + (file_bytes >> 20)));
  const int workers = std::min(thread_count(), useful);

  LoadedFile loaded{std::make_unique<SharedMemory>(), {}};
  const auto job = [&](int worker) {
    const ColumnShape shape = decode(path, limits.bytes, worker, workers, [&](const ColumnShape& wanted) {
      return loaded.memory->map(block_bytes(wanted, workers));
    });
    return pack_shape(shape);
  };
  const auto replies = run_fenced(workers, fence_limits(limits), path, job);
  if (std::any_of(replies.begin(), replies.end(), [&](auto& r) { return r != replies[0]; }))
    throw Error(ExitCode::data, "the file is damaged: it reads differently each time", path,
                "get a fresh copy of the file");
  const ColumnShape shape = unpack_shape(replies[0], limits.bytes, path);
  std::byte* const block = loaded.memory->map(block_bytes(shape, workers));
  loaded.view = view_of(block, shape);
  loaded.view.lost = lost_columns_of(block, shape, workers);
  return loaded;
}

DsrlColumns take_columns(LoadedFile& loaded) {
  const DsrlView& view = loaded.view;
  DsrlColumns columns;
  columns.rows = view.shape.rows;
  columns.observation_dim = view.shape.observation_dim;
  columns.action_dim = view.shape.action_dim;
  std::size_t index = 0;
  const auto take = [&](auto& column, auto source) {
    column.assign(source.begin(), source.end());
    loaded.release(index++);
  };
  take(columns.observations, view.observations);
  take(columns.next_observations, view.next_observations);
  take(columns.actions, view.actions);
  take(columns.rewards, view.rewards);
  take(columns.costs, view.costs);
  take(columns.terminals, view.terminals);
  take(columns.timeouts, view.timeouts);
  columns.lost = view.lost;
  return columns;
}

DsrlColumns read_dsrl(const std::string& path, const ReadLimits& limits) {
  LoadedFile loaded = load_columns(path, limits);
  return take_columns(loaded);
}

}  // namespace r2pac
