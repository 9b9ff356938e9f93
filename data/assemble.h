// From the arrays of other layouts to the seven of DSRL. Internal to this folder; used inside the fence.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/array_file.h"
#include "data/dsrl.h"

namespace r2pac {

/// What a user says about a file that it does not say itself.
struct AssembleOptions {
  /// Field to array, or to several separated by commas, which are put side by side. The fields are the seven
  /// arrays of DSRL, and `done`.
  std::map<std::string, std::string> names;
  bool no_costs = false;           ///< zeros stand for costs
  std::int64_t episode_steps = 0;  ///< an episode is cut after so many steps; 0: where it is flagged
};

struct Assembled {
  DsrlColumns columns;
  std::vector<std::string> notes;  ///< what was concluded or left out, a sentence each
};

/// Layouts with one array for each field, all episodes end to end: D4RL, d3rlpy 1, tables, and NumPy's
/// archives with the names of DSRL or OmniSafe. Then settle_ends. Throws Error(ExitCode::data) for missing,
/// unequal or unusable arrays.
Assembled assemble_flat(const ArrayFile& file, const AssembleOptions& options);

/// What a file says about the ends of its episodes.
struct KnownEnds {
  bool next_observations = true;  ///< else they are made, and `next_observations` holds anything
  bool timeouts = true;           ///< step limits are flagged
  std::string done;               ///< array whose flags, now in `terminals`, tell no genuine end from a cut
};

/// Decides where episodes end, as `timeouts` says then: where it is flagged, after `episode_steps`, and,
/// where no step limit is flagged, where the next observation is not what the next row observed. `done` says
/// only that an episode ended: many of the greatest length count as cut. A last episode without an end counts
/// as cut. Without next observations an episode that was cut loses its last row, whose successor nobody
/// knows. Throws Error(ExitCode::data) when no end is known, when cuts cannot be known, and when rows are in
/// no order.
void settle_ends(Assembled& result, const KnownEnds& known, std::int64_t episode_steps);

/// Episodes that lie apart, in groups; add() in their order, then finish().
class EpisodeAssembler {
 public:
  explicit EpisodeAssembler(AssembleOptions options) : options_(std::move(options)) {}

  enum class Last { stored, not_stored };  ///< whether observations have one row more than actions

  /// Appends an episode of T rows. `episode` has the fields by their usual names: observations [T + 1, S] or
  /// [T, S] with or without next observations; costs [T] or, after one that belongs to the reset, [T + 1].
  /// label  names the episode in messages. genuine  whether its last row ended it, where no array says so.
  /// Throws as assemble_flat.
  void add(const ArrayFile& episode, const std::string& label, Last last,
           std::optional<bool> genuine = std::nullopt);
  Assembled finish();
  bool empty() const { return result_.columns.rows == 0; }

 private:
  AssembleOptions options_;
  Assembled result_;
  KnownEnds known_;
  std::vector<ColumnRounding> rounding_[5];
  std::int64_t unfinished_ = 0;
};

}  // namespace r2pac
