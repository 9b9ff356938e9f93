// Captured graphs of the stand-in runtime.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "cuda_host/stream.h"

struct CUgraphNode_st {
  r2pac::cuda_host::Work work;
  std::vector<std::size_t> after;  // positions in the graph, all smaller than its own
};

struct CUgraph_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
  bool checked = false;  // its branches, for races
};

struct CUgraphExec_st {
  std::shared_ptr<CUgraph_st> graph;  // a replay that has not begun yet has it, too
};

namespace r2pac::cuda_host {

/// Whether every node of the graph comes before one of `last`, or is one of them.
bool all_lead_to(const CUgraph_st& graph, const std::vector<std::size_t>& last);

/// Runs the nodes in an order that the dependencies allow: the recorded one, or with a seed any. In the check
/// build, the first replay ends the program with a report if branches of the graph race.
void replay(CUgraph_st& graph);

}  // namespace r2pac::cuda_host
