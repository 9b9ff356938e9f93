// From the arrays of other layouts to the seven of DSRL. Internal to this folder; used inside the fence.
#pragma once

#include <string>
#include <vector>

#include "data/array_file.h"
#include "data/dsrl.h"

namespace r2pac {

/// Where the costs of a file come from.
struct CostSource {
  std::string key;    ///< name of the array; "" tries the usual ones
  bool zero = false;  ///< the file has none, and zeros shall stand for them
};

struct Assembled {
  DsrlColumns columns;
  std::vector<std::string> notes;  ///< what was concluded or left out, a sentence each
};

/// Layouts with one array for each field, all episodes end to end: D4RL, and NumPy's archives with the names
/// of DSRL or OmniSafe. Ends of episodes are `terminals` and `timeouts`; where there are no timeouts, also
/// each row whose next observation is not the next row's observation. A single `done` says only that an
/// episode ended: two or more episodes of the greatest length count as cut by a step limit. Without next
/// observations an episode that was cut loses its last row, whose successor nobody knows.
/// Throws Error(ExitCode::data) for missing, unequal or unusable arrays.
Assembled assemble_flat(const ArrayFile& file, const CostSource& costs);

/// Episodes of a layout with one group for each, Minari's; add() in their order, then finish().
class EpisodeAssembler {
 public:
  explicit EpisodeAssembler(CostSource costs) : costs_(std::move(costs)) {}
  /// Appends one episode of T rows: `observations` [T + 1, S], `actions` [T, A], `rewards`, `terminations`
  /// and `truncations` [T], costs [T] or, after one that belongs to the reset, [T + 1].
  /// label  names the episode in messages. Throws as assemble_flat.
  void add(const ArrayFile& episode, const std::string& label);
  Assembled finish();

 private:
  CostSource costs_;
  Assembled result_;
  std::int64_t unfinished_ = 0;
};

}  // namespace r2pac
