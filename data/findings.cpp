#include "data/findings.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>
#include <string_view>
#include <unordered_set>

namespace r2pac {
namespace {

constexpr double kHalfPrecision = 5e-3;  // ten times what rounding to 16 bits with 11 digits leaves
constexpr std::size_t kFewValues = 8;    // of an action's component, where choices are suspected

std::span<const float> row_of(std::span<const float> array, std::int64_t row, int width) {
  return array.subspan(static_cast<std::size_t>(row * width), static_cast<std::size_t>(width));
}

bool is_end(const DsrlView& view, std::int64_t row) {
  return view.terminals[static_cast<std::size_t>(row)] || view.timeouts[static_cast<std::size_t>(row)];
}

bool unchanged(const DsrlView& view, std::int64_t row) {
  return std::ranges::equal(row_of(view.observations, row, view.shape.observation_dim),
                            row_of(view.next_observations, row, view.shape.observation_dim));
}

/// Greatest |difference| / (1 + |x|) of a row's next observation and the next row's observation; NaN where
/// one of them is none.
double distance_to_next(const DsrlView& view, std::int64_t row) {
  const auto next = row_of(view.next_observations, row, view.shape.observation_dim),
             observed = row_of(view.observations, row + 1, view.shape.observation_dim);
  double largest = 0;
  for (std::size_t i = 0; i < next.size(); ++i) {
    const auto distance = static_cast<double>(std::abs(next[i] - observed[i]) / (1 + std::abs(observed[i])));
    if (std::isnan(distance)) return distance;
    largest = std::max(largest, distance);
  }
  return largest;
}

/// How far observations move, and where episodes start.
class Moves {
 public:
  Moves(const DsrlView& view, const std::vector<Episode>& episodes)
      : view_(view), few_(episodes.size() < kFewEpisodes) {
    const auto width = static_cast<std::size_t>(view.shape.observation_dim);
    mean_.resize(width);
    std::int64_t inside = 0;
    for (std::int64_t row = 0; row + 1 < view.shape.rows; ++row) {
      if (is_end(view, row)) continue;
      ++inside;
      const auto now = observation(row), next = observation(row + 1);
      for (std::size_t i = 0; i < width; ++i) mean_[i] += std::abs(double{next[i]} - double{now[i]});
    }
    for (double& mean : mean_) mean /= static_cast<double>(std::max<std::int64_t>(inside, 1));
    least_.assign(width, std::numeric_limits<float>::infinity());
    greatest_.assign(width, -std::numeric_limits<float>::infinity());
    const auto widen = [&](std::int64_t row) {
      const auto seen = observation(row);
      for (std::size_t i = 0; i < width; ++i) {
        least_[i] = std::min(least_[i], seen[i]);
        greatest_[i] = std::max(greatest_[i], seen[i]);
      }
    };
    if (few_)
      for (std::int64_t row = 0; row < view.shape.rows; ++row) widen(row);
    else
      for (const Episode& episode : episodes) widen(episode.first);
  }

  /// Whether more than half of the components move by four times their mean after a row inside an episode.
  bool jumps(std::int64_t row) const {
    if (row < 0 || row + 1 >= view_.shape.rows || is_end(view_, row)) return false;
    const auto now = observation(row), next = observation(row + 1);
    std::size_t far = 0;
    for (std::size_t i = 0; i < mean_.size(); ++i)
      far += std::abs(double{next[i]} - double{now[i]}) > 4 * mean_[i];
    return 2 * far > mean_.size();
  }
  /// Whether a row observes what starts of episodes do, a tenth of their range to either side. Where these
  /// are too few to tell: whether more than half of the components are near the first row's, within a quarter
  /// of their range.
  bool is_like_start(std::int64_t row) const {
    const auto seen = observation(row);
    if (few_) {
      const auto start = observation(0);
      std::size_t near = 0;
      for (std::size_t i = 0; i < least_.size(); ++i)
        near +=
            std::abs(double{seen[i]} - double{start[i]}) <= 0.25 * (double{greatest_[i]} - double{least_[i]});
      return 2 * near > least_.size();
    }
    for (std::size_t i = 0; i < least_.size(); ++i) {
      const float margin = 0.1f * (greatest_[i] - least_[i]);
      if (!(seen[i] >= least_[i] - margin && seen[i] <= greatest_[i] + margin)) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kFewEpisodes = 3;

  std::span<const float> observation(std::int64_t row) const {
    return row_of(view_.observations, row, view_.shape.observation_dim);
  }

  const DsrlView& view_;
  bool few_;                             ///< episodes
  std::vector<double> mean_;             ///< of |difference| between rows of an episode, by component
  std::vector<float> least_, greatest_;  ///< of what episodes start with; where they are few, of all rows
};

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

}  // namespace

RowOrder find_order(const DsrlView& view) {
  RowOrder order;
  for (std::int64_t row = 0; row + 1 < view.shape.rows; ++row) {
    if (is_end(view, row)) continue;
    ++order.inside;
    if (next_row_follows(view, row)) continue;
    const double distance = distance_to_next(view, row);
    if (std::isnan(distance)) continue;  // which is a fault of its own
    order.off.add(row);
    order.far += !(distance <= kHalfPrecision);
    order.largest = std::max(order.largest, distance);
  }
  return order;
}

std::string RowOrder::text() const {
  const std::string of = " of " + std::to_string(inside) + " rows inside episodes";
  if (random())
    return "the rows are in no order: in " + std::to_string(far) + of +
           " the next observation is not what the next row observed, first in row " +
           std::to_string(off.first_row);
  return "differs from the next row's observation inside an episode in " + rows_text(off) +
         "; the greatest difference is " + short_number(largest) + " of 1 + |x|" +
         (rounded() ? ", as of numbers that were rounded" : "");
}

std::string RowOrder::todo() const {
  if (random())
    return "put the rows of an episode one after another, in the order of time, and flag its last one; "
           "chunks of "
           "actions cannot be learned from single transitions";
  if (rounded())
    return "save `next_observations` in the precision of `observations`; training uses the next row's, and "
           "the "
           "rounded ones only where episodes end";
  return "check that rows are in time order and that each episode's end is flagged; training uses the next "
         "row's";
}

EndFindings find_end_states(const DsrlView& view, const std::vector<Episode>& episodes) {
  EndFindings found;
  const auto bytes_of = [](std::span<const float> row) {
    return std::string_view(reinterpret_cast<const char*>(row.data()), row.size_bytes());
  };
  std::unordered_set<std::string_view> starts;
  for (const Episode& episode : episodes)
    if (episode.length > 1)
      starts.insert(bytes_of(row_of(view.observations, episode.first, view.shape.observation_dim)));
  std::span<const float> first_cut;
  bool same = true;
  for (std::int64_t row = 0; row < view.shape.rows; ++row) {
    if (!is_end(view, row)) continue;
    const bool genuine = view.terminals[static_cast<std::size_t>(row)];
    const auto next = row_of(view.next_observations, row, view.shape.observation_dim);
    ++found.all_ends;
    found.all_cuts += !genuine;
    if (!genuine) {
      if (first_cut.empty()) first_cut = next;
      same = same && std::ranges::equal(first_cut, next);
    }
    if (unchanged(view, row)) (genuine ? found.repeated_genuine : found.repeated_cuts).add(row);
    const bool at_next = row + 1 < view.shape.rows && next_row_follows(view, row);
    if (!at_next && !unchanged(view, row) && starts.contains(bytes_of(next))) {
      found.other_start.add(row);
      if (!genuine) found.cuts_at_other.add(row);
    }
    if (row + 1 == view.shape.rows) continue;
    ++found.ends;
    found.cuts += !genuine;
    if (!at_next) continue;
    found.next_start.add(row);
    if (!genuine) found.cuts_at_start.add(row);
  }
  found.one_filler = same && found.all_cuts > 1;
  return found;
}

Finding find_unchanged(const DsrlView& view) {
  Finding found;
  for (std::int64_t row = 0; row < view.shape.rows; ++row)
    if (!is_end(view, row) && unchanged(view, row)) found.add(row);
  return found;
}

Finding find_joins(const DsrlView& view, const std::vector<Episode>& episodes) {
  const Moves moves(view, episodes);
  Finding found;
  for (std::int64_t row = 0; row + 1 < view.shape.rows; ++row)
    if (moves.jumps(row) && moves.is_like_start(row + 1) && !moves.jumps(row - 1) && !moves.jumps(row + 1))
      found.add(row);
  return found;
}

ActionValues find_few_values(const DsrlView& view) {
  const auto width = static_cast<std::size_t>(view.shape.action_dim);
  std::set<float> all;
  for (std::size_t column = 0; column < width; ++column) {
    std::set<float> values;
    for (std::size_t i = column; i < view.actions.size(); i += width)
      if (values.insert(view.actions[i]).second && values.size() > kFewValues) return {};
    all.merge(values);
  }
  // Few rows hold few values of a continuous action, too.
  if (all.size() < 2 || all.size() > kFewValues || view.shape.rows < 8 * std::ssize(all)) return {};
  ActionValues found{{all.begin(), all.end()}, width > 1 && all.size() == 2};
  for (std::int64_t row = 0; found.one_hot && row < view.shape.rows; ++row)
    found.one_hot =
        std::ranges::count(row_of(view.actions, row, view.shape.action_dim), found.values.back()) == 1;
  return found;
}

Sums find_sums(std::span<const float> column, const std::vector<Episode>& episodes) {
  std::set<float> values;
  bool lasting = false;      // a rise that is not the last row's: one that is may be the price of an end
  std::size_t constant = 0;  // episodes of several rows
  for (const Episode& episode : episodes) {
    const auto of_episode =
        column.subspan(static_cast<std::size_t>(episode.first), static_cast<std::size_t>(episode.length));
    for (std::size_t t = 0; t < of_episode.size(); ++t) {
      if (values.size() < 3) values.insert(of_episode[t]);
      if (t > 0 && of_episode[t] < of_episode[t - 1]) return Sums::none;
      lasting = lasting || (t > 0 && t + 1 < of_episode.size() && of_episode[t] > of_episode[t - 1]);
    }
    constant += of_episode.size() > 1 && of_episode.front() == of_episode.back();
  }
  if (values.size() < 3) return Sums::none;
  if (lasting) return Sums::running;
  return constant >= 3 && constant == episodes.size() ? Sums::whole : Sums::none;
}

}  // namespace r2pac
