#include "cuda_host/graph.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include "cuda_host/block.h"
#include "cuda_host/branches.h"
#include "cuda_host/fault.h"
#include "cuda_host/memory.h"
#include "cuda_host/shadow.h"

namespace r2pac::cuda_host {
namespace {

/// Runs the nodes in an order that the dependencies allow: the recorded one, or with a seed any. Calls
/// run_node(node) for each.
void run_in_order(const CUgraph_st& graph, const std::function<void(std::size_t)>& run_node) {
  const std::size_t count = graph.nodes.size();
  std::vector<std::size_t> waits_for(count);
  std::vector<std::vector<std::size_t>> before(count);
  std::vector<std::size_t> free;
  for (std::size_t node = 0; node < count; ++node) {
    waits_for[node] = graph.nodes[node]->after.size();
    if (waits_for[node] == 0) free.push_back(node);
    for (const std::size_t earlier : graph.nodes[node]->after) before[earlier].push_back(node);
  }
  for (std::size_t done = 0; done < count; ++done) {
    std::size_t at = shuffled_below(static_cast<std::uint32_t>(free.size()));
    if (seed() == 0) {
      for (std::size_t i = 1; i < free.size(); ++i) at = free[i] < free[at] ? i : at;
    }
    const std::size_t node = free[at];
    free.erase(free.begin() + static_cast<std::ptrdiff_t>(at));
    run_node(node);
    for (const std::size_t next : before[node]) {
      if (--waits_for[next] == 0) free.push_back(next);
    }
  }
}

std::string name_of(const CUgraph_st& graph, std::size_t node) {
  const Work& work = graph.nodes[node]->work;
  const std::string number = "node " + std::to_string(node) + " (";
  return number + (work.kernel ? code_place(work.kernel).function + ", launched at " : "") + work.what + ")";
}

/// Ends the program if branches of the graph race.
void report_races(const CUgraph_st& graph, const BranchCheck& check) {
  if (std::getenv("R2PAC_CUDA_HOST_GRAPHS")) {
    std::fprintf(stderr, "cuda_host: graph of %zu nodes and %zu edges: %zu unordered pairs, %zu races\n",
                 graph.nodes.size(), check.edges, check.unordered, check.races.size());
  }
  if (check.races.empty()) return;
  constexpr std::size_t kShown = 20;
  std::string pairs;
  for (std::size_t i = 0; i < std::min(kShown, check.races.size()); ++i) {
    const Race& race = check.races[i];
    pairs += "\n  " + name_of(graph, race.first) + (race.first_writes ? " writes" : " reads") + " and " +
             name_of(graph, race.second) + (race.second_writes ? " writes " : " reads ") +
             std::to_string(race.bytes.end - race.bytes.begin) +
             " bytes: " + describe_address(reinterpret_cast<const void*>(race.bytes.begin));
  }
  fault(
      "race between branches of a graph: %zu pairs of nodes touch the same memory, and nothing orders them%s",
      check.races.size(), pairs.c_str());
}

}  // namespace

bool all_lead_to(const CUgraph_st& graph, const std::vector<std::size_t>& last) {
  std::vector<bool> before(graph.nodes.size(), false);
  for (const std::size_t node : last) before[node] = true;
  for (std::size_t node = graph.nodes.size(); node-- > 0;) {
    if (!before[node]) return false;
    for (const std::size_t earlier : graph.nodes[node]->after) before[earlier] = true;
  }
  return true;
}

void replay(CUgraph_st& graph) {
  const bool looks = shadow::kChecks && !std::exchange(graph.checked, true);
  std::vector<Footprint> footprints(looks ? graph.nodes.size() : 0);
  run_in_order(graph, [&](std::size_t node) {
    if (looks) shadow::footprint_begins();
    graph.nodes[node]->work.run();
    if (looks) footprints[node] = shadow::footprint_ends();
  });
  if (!looks) return;
  Dependencies after;
  for (const auto& node : graph.nodes) after.push_back(node->after);
  report_races(graph, check_branches(after, footprints));
}

}  // namespace r2pac::cuda_host

using namespace r2pac::cuda_host;

extern "C" {

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  if (!graph) return record_error(cudaErrorInvalidValue);
  *exec = new CUgraphExec_st{std::make_shared<CUgraph_st>(*graph)};
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  const std::size_t there = graph->nodes.size();
  if (!nodes) {
    *count = there;
    return cudaSuccess;
  }
  for (std::size_t i = 0; i < *count; ++i) nodes[i] = i < there ? graph->nodes[i].get() : nullptr;
  if (*count > there) *count = there;
  return cudaSuccess;
}
cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  *type = node->work.type;
  return cudaSuccess;
}
cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t node, cudaKernelNodeParams* parameters) {
  if (node->work.type != cudaGraphNodeTypeKernel) return record_error(cudaErrorInvalidValue);
  *parameters = {};
  parameters->func = const_cast<void*>(node->work.kernel);
  return cudaSuccess;
}

}  // extern "C"
