// Races between branches of a graph: two nodes that no chain of dependencies orders, and a byte of device
// memory that both touch, at least one of them writing. Whether a device would run the two at once does not
// matter, so a graph without such a pair has the same results in every order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace r2pac::cuda_host {

/// Addresses [begin, end).
struct Range {
  std::uintptr_t begin, end;
};
/// By address; no two of them touch.
using Ranges = std::vector<Range>;

/// The device memory that a node has touched.
struct Footprint {
  Ranges read, written;
  Ranges atomic;  ///< by atomic operations, which may meet each other
};

/// The positions of the nodes that each node of a graph follows, all smaller than its own.
using Dependencies = std::vector<std::vector<std::size_t>>;

struct Race {
  std::size_t first, second;  ///< nodes, the first being the earlier one in the graph
  bool first_writes, second_writes;
  Range bytes;  ///< the first ones that both touch
};
struct BranchCheck {
  std::size_t edges = 0;
  std::size_t unordered = 0;  ///< pairs of nodes that nothing orders
  std::vector<Race> races;    ///< at most one for each of those pairs
};
BranchCheck check_branches(const Dependencies& after, const std::vector<Footprint>& footprints);

}  // namespace r2pac::cuda_host
