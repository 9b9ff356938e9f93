// A data set as training uses it: episodes and the starts of their windows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dsrl.h"

namespace r2pac {

struct Episode {
  std::int64_t first;   ///< row in the arrays it belongs to
  std::int64_t length;  ///< rows, without closing rows
  bool terminal;        ///< ended genuinely: nothing follows its last row. Otherwise it was cut
  bool finished;        ///< false: the file ends before the episode is flagged; used as if cut there
};

/// The episodes of a file's rows. They end at terminals | timeouts, and with the file.
std::vector<Episode> split_episodes(const DsrlColumns& columns);

/// Undiscounted sums over the rows of each episode: of rewards its return, of costs its cost.
/// values  one per row of the arrays that the episodes belong to
std::vector<double> episode_sums(const std::vector<Episode>& episodes, std::span<const float> values);

/// Each episode's rows are followed by `closing_rows` extra rows that hold the state the episode ended in
/// (the next observation of its last row) and zero action, reward and cost. So the successor of stored
/// row t is always stored row t + 1, and no other next observation is kept.
struct Dataset {
  std::string path, name;        ///< the name is the file's stem
  std::string fingerprint;       ///< XXH3-128 over the seven arrays' shapes and contents as in the file
  std::int64_t rows = 0;         ///< of the file
  std::int64_t stored_rows = 0;  ///< rows + episodes * closing_rows
  int observation_dim = 0, action_dim = 0, closing_rows = 1;
  std::vector<float> observations;      ///< [stored_rows, observation_dim]
  std::vector<float> actions;           ///< [stored_rows, action_dim], in [-1, 1]
  std::vector<float> rewards, costs;    ///< [stored_rows]
  std::vector<std::uint8_t> terminals;  ///< [stored_rows]; 1 at a genuine terminal row and its closing rows
  std::vector<Episode> episodes;        ///< `first` counts stored rows
  std::vector<std::string> warnings;    ///< what was odd and how it was dealt with, one sentence each
};

/// Episodes end at terminals | timeouts (both at once: terminal). Actions outside [-1, 1] are clipped, an
/// unfinished last episode is kept as if cut by a timeout, and the next row's observation stands for a next
/// observation that does not match. The warnings are what check_columns finds.
/// closing_rows  1, or the chunk length when windows are to run past genuine terminals
/// Throws Error(ExitCode::data) naming array and row of a number that is not finite, and when the rows are in
/// no order.
Dataset make_dataset(const DsrlColumns& columns, std::string path, int closing_rows = 1);

/// The same from a file, without a copy of it in between. Throws as read_dsrl does, too.
Dataset load_dataset(const std::string& path, int closing_rows = 1, const ReadLimits& limits = {});

/// Rows of the longest episode; 0 of none.
std::int64_t longest_episode(std::span<const Episode> episodes);

/// For each episode whether it is kept aside: the same ones whatever else is trained on the others. `share`
/// of them, rounded, but at least one of two or more; none where the share is 0. share in [0, 0.9]
std::vector<bool> held_out_episodes(std::size_t episodes, double share);

/// Every stored row t such that rows t .. t + chunk_length - 1 lie in one episode; ascending. The state
/// after the window is stored row t + chunk_length.
/// pad_terminals  also the last chunk_length - 1 rows of episodes that ended genuinely, whose windows run
///                into the closing rows; needs closing_rows >= chunk_length (InvalidArgument)
/// Throws Error(ExitCode::data) when there is no window at all.
std::vector<std::uint32_t> window_starts(const Dataset& dataset, int chunk_length,
                                         bool pad_terminals = false);
/// The same of some of the data set's episodes.
std::vector<std::uint32_t> window_starts(const Dataset& dataset, std::span<const Episode> episodes,
                                         int chunk_length, bool pad_terminals);

/// For each window, by its start, the episode that it lies in. starts  ascending, as of window_starts()
std::vector<std::size_t> window_episodes(const Dataset& dataset, std::span<const std::uint32_t> starts);

}  // namespace r2pac
