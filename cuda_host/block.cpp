// Compiled without sanitizers, as fiber.cpp is.
#include "cuda_host/block.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

#include "cuda_host/fiber.h"
#include "cuda_host/shadow.h"

// Kernels see these as constants: for one thread they never change, so they may stay in registers. The race
// check allows reads of this section.
#define R2PAC_CONSTANT __attribute__((section("r2pac_constant")))
extern "C" {
R2PAC_CONSTANT uint3 threadIdx;
R2PAC_CONSTANT uint3 blockIdx;
R2PAC_CONSTANT dim3 blockDim;
R2PAC_CONSTANT dim3 gridDim;
}

namespace r2pac::cuda_host {
namespace {

enum class State { fresh, ready, at_barrier, at_collective, done };

struct Thread {
  Fiber fiber;
  uint3 index;
  unsigned linear = 0;
  State state = State::fresh;
  Site site;                        // where it waits
  const char* operation = nullptr;  // what it waits in
  unsigned mask = 0;                // of the warp operation
};

// The block that runs. One at a time: `grid_mutex` lets one host thread launch.
struct Block {
  const Launch* launch = nullptr;
  std::vector<Thread> threads;
  std::vector<std::vector<Collective>> warps;  // operations that still wait for lanes, by warp
  std::vector<unsigned> order;                 // in which threads start and leave a barrier
  std::vector<unsigned> queue;                 // threads that can go on; a ring
  unsigned queue_head = 0;
  unsigned queued = 0;
  unsigned finished = 0;
  unsigned at_barrier = 0;
  Site barrier_site;  // where the first of them came
  unsigned barrier_first = 0;
  unsigned true_predicates = 0;
  unsigned barrier_result = 0;
  std::byte* shared = nullptr;

  unsigned size() const { return static_cast<unsigned>(threads.size()); }
};

std::recursive_mutex grid_mutex;
Block block;
Fiber host;
Thread* current = nullptr;

std::uint64_t order_seed = [] {
  const char* const text = std::getenv("R2PAC_CUDA_HOST_SEED");
  return text ? std::strtoull(text, nullptr, 10) : 0;
}();
std::uint64_t order_state = order_seed;

void enqueue(Thread& thread) {
  const unsigned at = block.queue_head + block.queued++;
  block.queue[at < block.size() ? at : at - block.size()] = thread.linear;
}

std::string lanes_text(unsigned mask) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", mask);
  return text;
}

/// Every thread waits or has ended, and not all have ended.
[[noreturn]] void report_divergence() {
  std::string waiting;
  std::vector<const Thread*> reported;
  unsigned ended = 0;
  for (const Thread& thread : block.threads) {
    ended += thread.state == State::done;
    if (thread.state == State::done) continue;
    const bool known = std::any_of(reported.begin(), reported.end(), [&](const Thread* other) {
      return other->site.file == thread.site.file && other->site.line == thread.site.line &&
             other->mask == thread.mask;
    });
    if (known || reported.size() == 4) continue;
    reported.push_back(&thread);
    const auto same = std::count_if(block.threads.begin(), block.threads.end(), [&](const Thread& other) {
      return other.state != State::done && other.site.line == thread.site.line && other.mask == thread.mask;
    });
    waiting += "\n  " + std::to_string(same) + " wait at " + thread.operation + " (" + thread.site.file +
               ":" + std::to_string(thread.site.line) + ")";
    if (thread.state == State::at_collective) waiting += " for the lanes " + lanes_text(thread.mask);
  }
  current = nullptr;
  fault("divergence: threads of the block wait for each other for ever%s\n  %u have ended", waiting.c_str(),
        ended);
}

Thread& take_ready() {
  if (block.queued == 0) report_divergence();
  if (order_seed != 0) {
    const unsigned other = (block.queue_head + shuffled_below(block.queued)) % block.size();
    std::swap(block.queue[block.queue_head], block.queue[other]);
  }
  Thread& thread = block.threads[block.queue[block.queue_head]];
  if (++block.queue_head == block.size()) block.queue_head = 0;
  --block.queued;
  return thread;
}

void become(Thread& thread) {
  current = &thread;
  threadIdx = thread.index;
}

/// Runs threads to their end, one after the other on the same stack as long as the next one has not started.
void thread_entry() {
  fiber_entered();
  for (;;) {
    block.launch->body(block.launch->arguments);
    Thread& ended = *current;
    ended.state = State::done;
    if (++block.finished == block.size()) {
      current = nullptr;
      end_fiber(ended.fiber, host);
    }
    Thread& next = take_ready();
    const bool starts = next.state == State::fresh;
    next.state = State::ready;
    become(next);
    if (!starts) end_fiber(ended.fiber, next.fiber);
    next.fiber.stack = ended.fiber.stack;
  }
}

void wait(State state, const char* operation, unsigned mask, Site site) {
  Thread& waiting = *current;
  waiting.state = state;
  waiting.operation = operation;
  waiting.mask = mask;
  waiting.site = site;
  Thread& next = take_ready();
  if (next.state == State::fresh) prepare_fiber(next.fiber, thread_entry);
  next.state = State::ready;
  if (&next == &waiting) return;
  become(next);
  switch_fiber(waiting.fiber, next.fiber);
}

void shuffle(std::vector<unsigned>& order) {
  std::iota(order.begin(), order.end(), 0u);
  if (order_seed == 0) return;
  for (auto i = static_cast<std::uint32_t>(order.size()); i > 1; --i) {
    std::swap(order[i - 1], order[shuffled_below(i)]);
  }
}

void run_block() {
  shuffle(block.order);
  block.queue_head = block.queued = block.finished = block.at_barrier = block.true_predicates = 0;
  for (Thread& thread : block.threads) thread.state = State::fresh;
  for (const unsigned linear : block.order) enqueue(block.threads[linear]);
  Thread& first = take_ready();
  prepare_fiber(first.fiber, thread_entry);
  first.state = State::ready;
  become(first);
  switch_fiber(host, first.fiber);
}

uint3 position(unsigned linear, const dim3& size) {
  return {linear % size.x, linear / size.x % size.y, linear / size.x / size.y};
}

void prepare_threads(const Launch& launch) {
  const unsigned threads = launch.block.x * launch.block.y * launch.block.z;
  block.launch = &launch;
  block.threads.assign(threads, Thread{});
  block.warps.assign((threads + kWarpLanes - 1) / kWarpLanes, {});
  block.order.resize(threads);
  block.queue.resize(threads);
  for (unsigned linear = 0; linear < threads; ++linear) {
    block.threads[linear].linear = linear;
    block.threads[linear].index = position(linear, launch.block);
  }
}

}  // namespace

void set_seed(std::uint64_t value) { order_seed = order_state = value; }
std::uint64_t seed() { return order_seed; }

std::uint32_t shuffled_below(std::uint32_t bound) {
  if (order_seed == 0) return 0;
  order_state += 0x9E3779B97F4A7C15;  // splitmix64
  std::uint64_t mixed = order_state;
  mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
  return static_cast<std::uint32_t>((mixed >> 32) * bound >> 32);
}

void run_grid(const Launch& launch) {
  const std::lock_guard lock(grid_mutex);
  if (current) fault("a kernel is launched from inside a kernel");
  // Exactly as long as asked for, so that AddressSanitizer sees the end; full of NaN, as nothing has written
  // it.
  constexpr std::size_t kAlignment = 128;
  std::byte* memory = nullptr;
  if (launch.shared_bytes) {
    void* aligned = nullptr;
    if (posix_memalign(&aligned, kAlignment, launch.shared_bytes))
      fault("no memory for dynamic shared memory");
    memory = static_cast<std::byte*>(aligned);
  }
  const std::unique_ptr<std::byte, decltype(&std::free)> shared(memory, std::free);
  block.shared = memory;
  prepare_threads(launch);
  blockDim = launch.block;
  gridDim = launch.grid;
  shadow::launch_begins(launch);
  std::vector<unsigned> blocks(static_cast<std::size_t>(launch.grid.x) * launch.grid.y * launch.grid.z);
  shuffle(blocks);
  for (const unsigned linear : blocks) {
    if (memory) std::memset(memory, 0xff, launch.shared_bytes);
    blockIdx = position(linear, launch.grid);
    shadow::block_begins(memory, launch.shared_bytes);
    run_block();
  }
  block.shared = nullptr;
  block.launch = nullptr;
  shadow::launch_ends();
}

unsigned barrier(bool predicate, Site site) {
  if (block.at_barrier == 0) {
    block.barrier_site = site;
    block.barrier_first = current->linear;
  } else if (const Site& first = block.barrier_site;
             first.line != site.line || std::strcmp(first.file, site.file) != 0) {
    fault("divergent barrier: this thread is at %s:%d, thread %u waits at %s:%d", site.file, site.line,
          block.barrier_first, first.file, first.line);
  }
  block.true_predicates += predicate;
  ++block.at_barrier;
  if (block.at_barrier < block.size()) {
    wait(State::at_barrier, "__syncthreads", 0, site);
    return block.barrier_result;
  }
  block.barrier_result = block.true_predicates;
  block.at_barrier = block.true_predicates = 0;
  shadow::block_synchronised();
  for (const unsigned linear : block.order) {
    Thread& thread = block.threads[linear];
    if (thread.state != State::at_barrier) continue;
    thread.state = State::ready;
    enqueue(thread);
  }
  return block.barrier_result;
}

void warp_collective(const char* name, void (*combine)(const Collective&), unsigned mask, void* slot,
                     Site site) {
  const unsigned me = lane(), first = current->linear - me;
  const unsigned lanes = std::min(kWarpLanes, block.size() - first);
  if (lanes < kWarpLanes) mask &= (1u << lanes) - 1;  // lanes that the block does not have
  if (!(mask >> me & 1)) {
    fault("%s at %s:%d: lane %u is missing from its own mask %s", name, site.file, site.line, me,
          lanes_text(mask).c_str());
  }
  auto& pending = block.warps[first / kWarpLanes];
  auto at = std::find_if(pending.begin(), pending.end(), [&](const Collective& c) { return c.mask == mask; });
  if (at == pending.end()) at = pending.insert(at, Collective{name, site, mask, 0, {}});
  if (at->site.line != site.line || std::strcmp(at->name, name) != 0) {
    fault("lanes of mask %s differ: this one is at %s (%s:%d), lane %d waits at %s (%s:%d)",
          lanes_text(mask).c_str(), name, site.file, site.line, __builtin_ctz(at->arrived), at->name,
          at->site.file, at->site.line);
  }
  at->arrived |= 1u << me;
  at->slot[me] = slot;
  if (at->arrived != mask) {
    wait(State::at_collective, name, mask, site);
    return;
  }
  const Collective complete = *at;
  pending.erase(at);
  if (combine) {
    shadow::pause(true);  // it reads other lanes' stacks
    combine(complete);
    shadow::pause(false);
  } else {
    shadow::lanes_synchronised(first, mask);
  }
  for (unsigned other = 0; other < kWarpLanes; ++other) {
    if (!(mask >> other & 1) || other == me) continue;
    Thread& thread = block.threads[first + other];
    thread.state = State::ready;
    enqueue(thread);
  }
}

unsigned lane() { return current->linear % kWarpLanes; }
void* dynamic_shared_memory() {
  if (!block.shared) fault("dynamic shared memory is used, but the launch asked for none");
  return block.shared;
}
bool thread_runs() { return current != nullptr; }
RunningThread running_thread() { return {current->linear, current->fiber.stack}; }

void print_running_thread(std::FILE* to) {
  if (!block.launch) return;
  const Site site = block.launch->site;
  const std::string kernel = code_place(block.launch->kernel).function;
  std::fprintf(to, "  in kernel %s, block (%u, %u, %u)", kernel.c_str(), blockIdx.x, blockIdx.y, blockIdx.z);
  if (current) std::fprintf(to, ", thread (%u, %u, %u)", threadIdx.x, threadIdx.y, threadIdx.z);
  std::fprintf(to, "\n  launched at %s:%d\n", site.file, site.line);
}

}  // namespace r2pac::cuda_host
