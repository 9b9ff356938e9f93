#include "data/episode_groups.h"

#include <algorithm>

#include "data/columns.h"

namespace r2pac {
namespace {

using Numbered = std::vector<std::pair<std::int64_t, std::string>>;

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

/// What is odd about the numbers of the episodes: "" or a note.
std::string numbering_note(const Numbered& episodes, std::int64_t stated) {
  const std::int64_t first = episodes.front().first, last = episodes.back().first,
                     count = std::ssize(episodes);
  std::string note;
  if (last - first + 1 != count)
    note = "of the numbers " + std::to_string(first) + " to " + std::to_string(last) + " only " +
           std::to_string(count) + " are there";
  if (stated >= 0 && stated != count)
    note += (note.empty() ? "" : ", and ") + ("the file says " + std::to_string(stated)) +
            " episodes, it has " + std::to_string(count);
  return note.empty() ? "" : note + ": all that are there were read";
}

/// The arrays of a group that can stand side by side, separated by commas, and a note about them.
std::string members(hid_t episode, const std::string& group, Budget& budget,
                    std::vector<std::string>& notes) {
  const hdf5::Handle opened = hdf5::open_group(episode, group);
  const hdf5::Group arrays(opened, budget, group + "/");
  std::string list, left_out;
  for (const std::string& name : arrays.names()) {
    std::string& to = arrays.extent(name).dimensions <= 2 ? list : left_out;
    if (!to.empty()) to += ',';
    to += group + "/" + name;
  }
  if (list.empty()) throw array_fault(group, "holds no flat arrays", "name the observations with --map");
  notes.push_back("observations are " + list + ", side by side; --map observations=... chooses others");
  if (!left_out.empty()) notes.push_back("left out, for they are not flat: " + left_out);
  return list;
}

/// The arrays of one episode among those of all: `observations` is `observations_7`. `terminated_7`, a single
/// flag, is not one of them.
class Suffixed : public ArrayFile {
 public:
  Suffixed(const ArrayFile& file, std::string suffix) : file_(file), suffix_(std::move(suffix)) {}
  bool contains(const std::string& name) const override {
    return name != "terminated" && file_.contains(name + suffix_);
  }
  NumberArray read(const std::string& name, ArrayKind kind) const override {
    return file_.read(name + suffix_, kind);
  }
  std::vector<std::string> names() const override { return file_.names(); }
  ArrayExtent extent(const std::string& name) const override { return file_.extent(name); }

 private:
  const ArrayFile& file_;
  std::string suffix_;
};

Numbered episodes_of(hid_t file, Layout layout) {
  if (layout == Layout::d3rlpy) return hdf5::numbered_names(file, "terminated_");
  if (layout == Layout::minari) return hdf5::numbered_names(file, "episode_");
  return hdf5::is_group(file, "data") ? hdf5::numbered_names(hdf5::open_group(file, "data"), "demo_")
                                      : Numbered{};
}

}  // namespace

Layout tell_layout(hid_t file) {
  for (const Layout layout : {Layout::minari, Layout::robomimic, Layout::d3rlpy})
    if (!episodes_of(file, layout).empty()) return layout;
  Budget none(0, 0);
  const hdf5::Group root(file, none);
  const auto as_in_dsrl = [&](const ArraySpec& array) {
    if (!root.contains(array.name)) return false;
    const ArrayExtent extent = root.extent(array.name);
    return array.matrix() ? extent.dimensions == 2 : !is_transposed(extent);
  };
  return std::ranges::all_of(kArrays, as_in_dsrl) ? Layout::dsrl : Layout::d4rl;
}

Assembled assemble_episodes(hid_t file, Layout layout, Budget& budget, AssembleOptions options) {
  const Numbered episodes = episodes_of(file, layout);
  if (episodes.empty())
    throw Error(ExitCode::data, std::string("this is not ") + layout_title(layout), {},
                "leave --from away, and the layout is told from the file");
  std::vector<std::string> notes;
  if (const std::string note = numbering_note(episodes, stated_episodes(file)); !note.empty())
    notes.push_back(note);
  const hdf5::Handle parent = hdf5::Handle(layout == Layout::robomimic ? H5Gopen2(file, "data", H5P_DEFAULT)
                                                                       : H5Gopen2(file, "/", H5P_DEFAULT));
  if (layout != Layout::d3rlpy) {
    const hdf5::Handle first = hdf5::open_group(parent, episodes.front().second);
    for (const auto& [field, group] : {std::pair{"observations", "observations"},
                                       {"observations", "obs"},
                                       {"next_observations", "next_obs"}})
      if (!options.names.contains(field) && hdf5::is_group(first, group)) {
        std::vector<std::string> unsaid;
        options.names[field] =
            members(first, group, budget, group == std::string("next_obs") ? unsaid : notes);
      }
  }

  EpisodeAssembler assembler(options);
  for (const auto& [number, name] : episodes) {
    if (layout == Layout::d3rlpy) {
      std::string suffix = std::to_string(number);
      suffix.insert(suffix.begin(), '_');
      const hdf5::Group root(parent, budget);
      assembler.add(Suffixed(root, suffix), std::string("episode ") + std::to_string(number),
                    EpisodeAssembler::Last::not_stored,
                    hdf5::read_scalar(parent, std::string("terminated").append(suffix)) != 0);
    } else {
      const hdf5::Handle group = hdf5::open_group(parent, name);
      assembler.add(
          hdf5::Group(group, budget, name + "/"), name,
          layout == Layout::minari ? EpisodeAssembler::Last::stored : EpisodeAssembler::Last::not_stored);
    }
  }
  Assembled result = assembler.finish();
  result.notes.insert(result.notes.begin(), notes.begin(), notes.end());
  return result;
}

}  // namespace r2pac
