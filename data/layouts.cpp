#include "data/layouts.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "base/printable.h"
#include "data/assemble.h"
#include "data/child_reply.h"
#include "data/csv.h"
#include "data/decode.h"
#include "data/episode_groups.h"
#include "data/episodes.h"
#include "data/fields.h"
#include "data/load.h"
#include "data/npz.h"
#include "storage/safetensors_header.h"

namespace r2pac {
namespace {

/// Runs `job` in one child process and returns its reply. Errors get the file's name.
std::string run_in_fence(const std::string& path, const ReadLimits& limits,
                         const std::function<std::string()>& job) {
  const auto guarded = [&](int) -> std::string {
    const hdf5::Silence silence;
    try {
      return job();
    } catch (const hdf5::Failure& failure) {
      const Error error = failure.explain("the file", " and cannot be opened");
      throw Error(error.code(), error.what(), path, error.todo());
    } catch (const Error& error) {
      throw Error(error.code(), error.what(), path, error.todo());
    }
  };
  return run_fenced(1, fence_limits(limits), path, guarded)[0];
}

/// Moves the columns into a block laid out as offset_of says.
void copy_to_block(const DsrlColumns& columns, std::byte* block) {
  const DsrlView view = view_of(columns);
  for (std::size_t i = 0; i < kArrays.size(); ++i) {
    const auto bytes = view.bytes(i);
    std::copy(bytes.begin(), bytes.end(), block + offset_of(view.shape, i));
  }
}

/// Arrays of an HDF5 file with one for each field. MATLAB writes all of them transposed.
Assembled assemble_hdf5(hid_t file, const AssembleOptions& options, Budget& budget) {
  const hdf5::Group plain(file, budget);
  const auto rewards = Fields(plain, options).find("rewards");
  const bool turned = rewards && plain.contains(*rewards) && is_transposed(plain.extent(*rewards));
  Assembled result = assemble_flat(hdf5::Group(file, budget, "", turned), options);
  if (turned) result.notes.push_back("the arrays were stored transposed, as MATLAB does, and were turned");
  return result;
}

Assembled assemble(const std::string& path, Layout layout, const AssembleOptions& options, Budget& budget) {
  if (layout == Layout::npz) return assemble_flat(NpzFile(path, budget), options);
  if (layout == Layout::csv) return assemble_flat(CsvFile(path, budget), options);
  const hdf5::Handle file = hdf5::open_file(path);
  return layout == Layout::dsrl || layout == Layout::d4rl ? assemble_hdf5(file, options, budget)
                                                          : assemble_episodes(file, layout, budget, options);
}

/// Decodes and assembles in a child process; the columns come back through shared memory, the notes by its
/// reply.
OtherData read_fenced(const std::string& path, Layout layout, const AssembleOptions& options,
                      const ReadLimits& limits, std::int64_t file_bytes) {
  LoadedFile loaded{std::make_unique<SharedMemory>(), {}};
  // Of what is read, next observations may be made; and both are in memory twice while they are handed over.
  Budget budget(limits.bytes / 4, file_bytes);
  const std::string reply = run_in_fence(path, limits, [&] {
    const Assembled assembled = assemble(path, layout, options, budget);
    const ColumnShape shape = view_of(assembled.columns).shape;
    copy_to_block(assembled.columns, loaded.memory->map(offset_of(shape, kArrays.size())));
    std::string text = pack_shape(shape);
    constexpr std::size_t kMostLost = 1000;  // a reply is short
    for (std::size_t i = 0; i < std::min(assembled.columns.lost.size(), kMostLost); ++i)
      text += "lost " + std::to_string(assembled.columns.lost[i].array) + ' ' +
              std::to_string(assembled.columns.lost[i].column) + '\n';
    for (const std::string& note : assembled.notes) text += printable(note) + '\n';
    return text;
  });
  const ColumnShape shape = unpack_shape(reply, limits.bytes, path);
  loaded.view = view_of(loaded.memory->map(offset_of(shape, kArrays.size())), shape);
  OtherData data{layout, take_columns(loaded), {}};
  for (std::size_t begin = sizeof shape, end; begin < reply.size(); begin = end + 1) {
    end = std::min(reply.find('\n', begin), reply.size());
    const std::string line = reply.substr(begin, end - begin);
    LostColumn lost{};
    if (std::sscanf(line.c_str(), "lost %d %" SCNd64, &lost.array, &lost.column) == 2) {
      if (lost.array >= 0 && static_cast<std::size_t>(lost.array) < kArrays.size())
        data.columns.lost.push_back(lost);
    } else {
      data.notes.push_back(line);
    }
  }
  return data;
}

}  // namespace

const char* layout_name(Layout layout) {
  constexpr const char* kNames[] = {"auto", "dsrl", "d4rl", "minari", "npz", "robomimic", "d3rlpy", "csv"};
  return kNames[static_cast<int>(layout)];
}

const char* layout_title(Layout layout) {
  constexpr const char* kTitles[] = {
      "a file of any layout", "a DSRL file",      "a file in the manner of D4RL", "a Minari file",
      "a NumPy archive",      "a robomimic file", "a file of d3rlpy 2",           "a text table (CSV)"};
  return kTitles[static_cast<int>(layout)];
}

OtherData read_layout(const std::string& path, const LayoutOptions& options, const ReadLimits& given) {
  const std::int64_t file_bytes = check_regular_file(path);
  const ReadLimits limits = resolve_limits(given);
  Layout layout = options.layout;
  const Container container = tell_container(path);
  const bool hdf5 = layout != Layout::npz && layout != Layout::csv;
  const bool fits = container == Container::zip    ? layout == Layout::npz
                    : container == Container::text ? layout == Layout::csv
                                                   : hdf5;
  if (layout != Layout::automatic && !fits)
    throw Error(ExitCode::data,
                container == Container::zip    ? "this is a zip archive, not HDF5"
                : layout == Layout::npz        ? "this is not a zip archive"
                : container == Container::text ? "this is text, not HDF5"
                                               : "this is not text",
                path, "leave --from away, and the layout is told from the file");
  if (container == Container::zip) layout = Layout::npz;
  if (container == Container::text) layout = Layout::csv;
  if (layout != Layout::npz && layout != Layout::csv) check_container(path);
  if (layout == Layout::automatic) {
    const std::string told = run_in_fence(
        path, limits, [&] { return std::string(1, static_cast<char>(tell_layout(hdf5::open_file(path)))); });
    const int number = told.size() == 1 ? told[0] : -1;  // a file may have taken over the child
    if (number <= static_cast<int>(Layout::automatic) || number > static_cast<int>(Layout::csv))
      throw Error(ExitCode::data, "the file is damaged: its layout reads as nonsense", path,
                  "get a fresh copy of the file");
    layout = static_cast<Layout>(number);
  }
  AssembleOptions assembly{options.names, options.no_costs, options.episode_steps};
  if (!options.cost_key.empty()) assembly.names["costs"] = options.cost_key;
  // All seven arrays as they are: several processes decode them, in half of the memory.
  const bool as_it_is = layout == Layout::dsrl && assembly.names.empty() && !options.no_costs;
  OtherData data;
  if (as_it_is) {
    Assembled whole{read_dsrl(path, given), {}};
    try {
      settle_ends(whole, {}, options.episode_steps);
    } catch (const Error& error) {
      throw Error(error.code(), error.what(), path, error.todo());
    }
    data = {layout, std::move(whole.columns), std::move(whole.notes)};
  } else {
    data = read_fenced(path, layout, assembly, limits, file_bytes);
  }
  require_finite(view_of(data.columns), path);
  return data;
}

DsrlColumns episodes_within(const DsrlColumns& columns, double max_cost) {
  const std::vector<Episode> episodes = split_episodes(columns);
  const std::vector<double> costs = episode_sums(episodes, columns.costs);
  DsrlColumns kept;
  kept.observation_dim = columns.observation_dim;
  kept.action_dim = columns.action_dim;
  kept.lost = columns.lost;
  for (std::size_t i = 0; i < episodes.size(); ++i) {
    const Episode& episode = episodes[i];
    if (!(costs[i] <= max_cost)) continue;
    const auto copy = [&](auto& to, const auto& from, std::int64_t width) {
      const auto begin = from.begin() + episode.first * width;
      to.insert(to.end(), begin, begin + episode.length * width);
    };
    copy(kept.observations, columns.observations, columns.observation_dim);
    copy(kept.next_observations, columns.next_observations, columns.observation_dim);
    copy(kept.actions, columns.actions, columns.action_dim);
    copy(kept.rewards, columns.rewards, 1);
    copy(kept.costs, columns.costs, 1);
    copy(kept.terminals, columns.terminals, 1);
    copy(kept.timeouts, columns.timeouts, 1);
    kept.rows += episode.length;
  }
  if (kept.rows == 0)
    throw Error(ExitCode::data, "no episode costs at most " + std::to_string(max_cost), {},
                "the least costly one costs " + std::to_string(costs.empty() ? 0 : std::ranges::min(costs)));
  return kept;
}

}  // namespace r2pac
