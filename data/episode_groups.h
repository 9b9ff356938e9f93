// HDF5 files with a group, or numbered arrays, for each episode: how they are told apart, and how they are
// read. Internal to this folder; used inside the fence.
#pragma once

#include "data/assemble.h"
#include "data/hdf5_array.h"
#include "data/layouts.h"

namespace r2pac {

/// The layout of an open file, by the names in it.
Layout tell_layout(hid_t file);

/// Minari: groups `episode_N`. Robomimic: groups `data/demo_N`, whose observations are the arrays in `obs`.
/// d3rlpy 2: arrays `observations_N`, `terminated_N`, ... The episodes are taken in the order of their
/// numbers; a note says when numbers are missing. Throws Error(ExitCode::data) when there is no episode, and
/// as EpisodeAssembler::add.
Assembled assemble_episodes(hid_t file, Layout layout, Budget& budget, AssembleOptions options);

}  // namespace r2pac
