#include "data/layouts.h"

#include <algorithm>
#include <cstring>

#include "data/assemble.h"
#include "data/decode.h"
#include "data/episodes.h"
#include "data/hdf5_array.h"
#include "data/load.h"
#include "data/npz.h"

namespace r2pac {
namespace {

std::string episode_name(std::int64_t number) { return "episode_" + std::to_string(number); }

Layout tell_layout(hid_t file) {
  if (hdf5::contains(file, episode_name(0))) return Layout::minari;
  const bool all = std::all_of(kArrays.begin(), kArrays.end(),
                               [&](const ArraySpec& array) { return hdf5::contains(file, array.name); });
  return all ? Layout::dsrl : Layout::d4rl;
}

/// total_episodes of the root, or -1.
std::int64_t stated_episodes(hid_t file) {
  constexpr char kName[] = "total_episodes";
  if (hdf5::check(H5Aexists(file, kName)) == 0) return -1;
  const hdf5::Handle attribute(H5Aopen(file, kName, H5P_DEFAULT)), type(H5Aget_type(attribute)),
      space(H5Aget_space(attribute));
  std::int64_t count = -1;
  if (H5Tget_class(type) != H5T_INTEGER || H5Sget_simple_extent_npoints(space) != 1) return -1;
  hdf5::check(H5Aread(attribute, H5T_NATIVE_INT64, &count));
  return count;
}

Assembled assemble_minari(hid_t file, Budget& budget, const CostSource& costs) {
  EpisodeAssembler assembler(costs);
  std::int64_t count = 0;
  for (; hdf5::contains(file, episode_name(count)); ++count) {
    const std::string name = episode_name(count);
    const hdf5::Handle group = hdf5::open_group(file, name);
    assembler.add(hdf5::Group(group, budget, name + "/"), name);
  }
  if (count == 0)
    throw array_fault(episode_name(0), "is missing", "a Minari file has a group for each episode");
  if (const std::int64_t stated = stated_episodes(file); stated >= 0 && stated != count)
    throw Error(ExitCode::data,
                "the file says " + std::to_string(stated) + " episodes, it has " + std::to_string(count), {},
                "get a fresh copy of the file");
  return assembler.finish();
}

/// Runs `job` in one child process and returns its reply. Errors get the file's name.
std::string run_in_fence(const std::string& path, const ReadLimits& limits,
                         const std::function<std::string()>& job) {
  const auto guarded = [&](int) -> std::string {
    const hdf5::Silence silence;
    try {
      return job();
    } catch (const hdf5::Failure& failure) {
      throw Error(ExitCode::data,
                  std::string("the file is damaged and cannot be opened (HDF5: ") + failure.what() + ")",
                  path, "get a fresh copy of the file");
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

Assembled assemble(const std::string& path, Layout layout, const CostSource& costs, Budget& budget) {
  if (layout == Layout::npz) return assemble_flat(NpzFile(path, budget), costs);
  const hdf5::Handle file = hdf5::open_file(path);
  return layout == Layout::minari ? assemble_minari(file, budget, costs)
                                  : assemble_flat(hdf5::Group(file, budget), costs);
}

/// Decodes and assembles in a child process; the columns come back through shared memory, the notes by its
/// reply.
OtherData read_fenced(const std::string& path, Layout layout, const CostSource& costs,
                      const ReadLimits& limits, std::int64_t file_bytes) {
  LoadedFile loaded{std::make_unique<SharedMemory>(), {}};
  // Of what is read, next observations may be made; and both are in memory twice while they are handed over.
  Budget budget(limits.bytes / 4, file_bytes);
  const std::string reply = run_in_fence(path, limits, [&] {
    const Assembled assembled = assemble(path, layout, costs, budget);
    const ColumnShape shape = view_of(assembled.columns).shape;
    copy_to_block(assembled.columns, loaded.memory->map(offset_of(shape, kArrays.size())));
    std::string text(reinterpret_cast<const char*>(&shape), sizeof shape);
    for (const std::string& note : assembled.notes) text += note + '\n';
    return text;
  });
  ColumnShape shape;
  if (reply.size() < sizeof shape) throw Error(ExitCode::data, "the file cannot be read", path, "");
  std::memcpy(&shape, reply.data(), sizeof shape);
  loaded.view = view_of(loaded.memory->map(offset_of(shape, kArrays.size())), shape);
  OtherData data{layout, take_columns(loaded), {}};
  for (std::size_t begin = sizeof shape, end; begin < reply.size(); begin = end + 1) {
    end = std::min(reply.find('\n', begin), reply.size());
    data.notes.push_back(reply.substr(begin, end - begin));
  }
  return data;
}

}  // namespace

const char* layout_name(Layout layout) {
  constexpr const char* kNames[] = {"auto", "dsrl", "d4rl", "minari", "npz"};
  return kNames[static_cast<int>(layout)];
}

OtherData read_layout(const std::string& path, const LayoutOptions& options, const ReadLimits& given) {
  const std::int64_t file_bytes = check_regular_file(path);
  const ReadLimits limits = resolve_limits(given);
  const bool archive = looks_like_npz(path);
  Layout layout = options.layout;
  if (archive != (layout == Layout::npz) && layout != Layout::automatic)
    throw Error(ExitCode::data, archive ? "this is a zip archive, not HDF5" : "this is not a zip archive",
                path, "leave --from away, and the layout is told from the file");
  if (archive) layout = Layout::npz;
  if (layout != Layout::npz) check_container(path);
  if (layout == Layout::automatic) {
    const std::string told = run_in_fence(
        path, limits, [&] { return std::string(1, static_cast<char>(tell_layout(hdf5::open_file(path)))); });
    layout = static_cast<Layout>(told.at(0));
  }
  const bool as_it_is = layout == Layout::dsrl && options.cost_key.empty() && !options.no_costs;
  OtherData data = as_it_is
                       ? OtherData{layout, read_dsrl(path, given), {}}
                       : read_fenced(path, layout, {options.cost_key, options.no_costs}, limits, file_bytes);
  require_finite(view_of(data.columns), path);
  return data;
}

DsrlColumns episodes_within(const DsrlColumns& columns, double max_cost) {
  const std::vector<Episode> episodes = split_episodes(columns);
  const std::vector<double> costs = episode_sums(episodes, columns.costs);
  DsrlColumns kept;
  kept.observation_dim = columns.observation_dim;
  kept.action_dim = columns.action_dim;
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
