// What the contents of a data set show when something went wrong before they were saved: rows in no order,
// ends that are followed by something else, padding, choices for actions, sums for costs. Internal to this
// folder.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "data/check.h"
#include "data/columns.h"
#include "data/episodes.h"

namespace r2pac {

/// Whether rows follow one another inside episodes: a next observation is what the next row observed.
struct RowOrder {
  Finding off;              ///< rows where it is not
  std::int64_t far = 0;     ///< of these, where half precision does not explain it
  std::int64_t inside = 0;  ///< rows that are no end and not the last of the file
  double largest = 0;       ///< greatest |difference| / (1 + |x|)

  /// Differences that another precision explains.
  bool rounded() const { return off.rows > 0 && far == 0; }
  /// Most rows do not follow: they were shuffled, or lie next to rows of other episodes.
  bool random() const { return far >= 8 && 2 * far > inside; }
  std::string text() const;  ///< what is wrong, when off.rows > 0
  std::string todo() const;
};
RowOrder find_order(const DsrlView& view);

/// What the next observations of ends hold.
struct EndFindings {
  std::int64_t ends = 0, cuts = 0;    ///< that another row follows; cuts: not genuine
  Finding next_start, cuts_at_start;  ///< the next row's observation: at any end, at cuts
  std::int64_t all_ends = 0;
  Finding other_start, cuts_at_other;       ///< what another episode, or the same one, began with: likewise
  Finding repeated_cuts, repeated_genuine;  ///< their own observation, in any row
  std::int64_t all_cuts = 0;
  bool one_filler = false;  ///< the same numbers at all cuts, of which there are several
};
EndFindings find_end_states(const DsrlView& view, const std::vector<Episode>& episodes);

/// Rows inside episodes whose next observation is their observation, bit for bit.
Finding find_unchanged(const DsrlView& view);

/// Rows inside episodes after which most components of the observation jump, and it lies where episodes
/// start: the end of an episode that is not flagged. With fewer than three episodes, any such jump.
Finding find_joins(const DsrlView& view, const std::vector<Episode>& episodes);

/// How actions that are choices look.
struct ActionValues {
  std::vector<float> values;  ///< the only values of all components, ascending; empty when they are many
  bool one_hot = false;       ///< each row has one component of the greater value
};
ActionValues find_few_values(const DsrlView& view);

/// What a column [rows] that should say something of each step seems to say instead.
enum class Sums {
  none,
  running,  ///< three or more values that never fall inside an episode, and rise before episodes end
  whole,    ///< the same in all rows of an episode, and three or more values in all
};
Sums find_sums(std::span<const float> column, const std::vector<Episode>& episodes);

/// Every fault of contents that have rows, as check_columns finds them, but for windows.
std::vector<Fault> find_faults(const DsrlView& view);

}  // namespace r2pac
