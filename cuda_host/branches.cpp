#include "cuda_host/branches.h"

#include <algorithm>
#include <optional>

namespace r2pac::cuda_host {
namespace {

/// For each node, whether it comes after each earlier one.
std::vector<std::vector<bool>> order_of(const Dependencies& after) {
  std::vector<std::vector<bool>> follows(after.size());
  for (std::size_t node = 0; node < after.size(); ++node) {
    follows[node].assign(node, false);
    for (const std::size_t direct : after[node]) {
      follows[node][direct] = true;
      for (std::size_t earlier = 0; earlier < direct; ++earlier) {
        if (follows[direct][earlier]) follows[node][earlier] = true;
      }
    }
  }
  return follows;
}

/// The first addresses that lie in both.
std::optional<Range> common(const Ranges& a, const Ranges& b) {
  for (auto in_a = a.begin(), in_b = b.begin(); in_a != a.end() && in_b != b.end();) {
    const Range both{std::max(in_a->begin, in_b->begin), std::min(in_a->end, in_b->end)};
    if (both.begin < both.end) return both;
    (in_a->end < in_b->end ? in_a : in_b)++;
  }
  return std::nullopt;
}

std::optional<Race> race_of(const Footprint& a, const Footprint& b) {
  struct Meeting {
    const Ranges &of_a, &of_b;
    bool a_writes, b_writes;
  };
  for (const Meeting& meeting : {Meeting{a.written, b.written, true, true},
                                 {a.written, b.atomic, true, true},
                                 {a.atomic, b.written, true, true},
                                 {a.written, b.read, true, false},
                                 {a.atomic, b.read, true, false},
                                 {a.read, b.written, false, true},
                                 {a.read, b.atomic, false, true}}) {
    if (const auto bytes = common(meeting.of_a, meeting.of_b)) {
      return Race{0, 0, meeting.a_writes, meeting.b_writes, *bytes};
    }
  }
  return std::nullopt;
}

}  // namespace

BranchCheck check_branches(const Dependencies& after, const std::vector<Footprint>& footprints) {
  BranchCheck found;
  const auto follows = order_of(after);
  for (std::size_t second = 0; second < after.size(); ++second) {
    found.edges += after[second].size();
    for (std::size_t first = 0; first < second; ++first) {
      if (follows[second][first]) continue;
      ++found.unordered;
      if (auto race = race_of(footprints[first], footprints[second])) {
        race->first = first;
        race->second = second;
        found.races.push_back(*race);
      }
    }
  }
  return found;
}

}  // namespace r2pac::cuda_host
