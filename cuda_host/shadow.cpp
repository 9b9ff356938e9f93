// Race check: what one access means for its shadow cells. The compiler's thread sanitizer reports every
// access of a kernel to tsan_hooks.cpp, which calls in here; the sanitizer's own runtime is not linked.
#include "cuda_host/shadow.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cuda_host/fiber.h"
#include "cuda_host/memory.h"
#include "cuda_host/shadow_access.h"
#include "cuda_host/shared_zone.h"

extern "C" {
// The sections of static shared and of constant memory, and the program's constants; made by the linker.
extern std::byte __start_r2pac_shared[] __attribute__((weak)), __stop_r2pac_shared[] __attribute__((weak));
extern std::byte __start_r2pac_constant[] __attribute__((weak)),
    __stop_r2pac_constant[] __attribute__((weak));
extern std::byte __executable_start[], __data_start[];
}

namespace r2pac::cuda_host::shadow {
namespace {

using Address = std::uintptr_t;

constexpr unsigned kWordBytes = 4;
constexpr unsigned kAllBytes = 0xf;
constexpr unsigned kLanesOfWarp = kMaxBlockThreads;             // + warp: several lanes of one warp
constexpr unsigned kManyWarps = kMaxBlockThreads + kWarpLanes;  // threads of several warps

/// Who last read (or wrote) a word, and when.
struct Access {
  std::uint64_t time : 40;    // counts barriers of all blocks of all launches; 0: never
  std::uint64_t thread : 12;  // of its block, or one of the two group values above
  std::uint64_t bytes : 4;    // of the word, one bit each
  std::uint64_t atomic : 1;
  std::uint64_t earlier_block : 1;  // a block of the same launch before that one did it too
};

struct Cell {
  Access write{};
  Access read{};
  std::uint8_t initialized = 0;  // bytes of the word that have been written, one bit each
  bool forbidden = false;        // a zone around a shared variable
  std::uint16_t footprint = 0;   // bytes of the word, a bit each, four for each AccessKind
};

enum class Kind { global, shared };

struct Region {
  Address begin = 0;
  Address end = 0;
  Kind kind = Kind::global;
  std::vector<Cell> cells;
  // Cells to be forgotten before the next block; of global memory, those of the footprint.
  std::size_t touched_begin = 0, touched_end = 0;

  bool contains(Address address) const { return address >= begin && address < end; }
  void touch(std::size_t index) {
    touched_begin = std::min(touched_begin, index);
    touched_end = std::max(touched_end, index + 1);
  }
  void nothing_touched() {
    touched_begin = cells.size();
    touched_end = 0;
  }
};

// A word of time per launch, block, barrier and __syncwarp. Accesses carry the time at which they were made.
std::uint64_t now = 1, launch_time = 1, block_time = 1, barrier_time = 1;
std::array<std::uint64_t, kMaxBlockThreads> synced;  // each thread's last __syncwarp
bool paused = false;
bool footprint_wanted = false;
Address arguments_begin = 0, arguments_end = 0;
std::map<Address, std::unique_ptr<Region>> global_regions;
Region static_shared, dynamic_shared;
std::array<Region*, 4> recent{};  // hit lately
unsigned next_recent = 0;

Address number(const void* address) { return reinterpret_cast<Address>(address); }

void resize(Region& region, const void* begin, std::size_t bytes, Kind kind) {
  region.begin = number(begin);
  region.end = region.begin + bytes;
  region.kind = kind;
  region.cells.assign((bytes + kWordBytes - 1) / kWordBytes, Cell{});
  region.nothing_touched();
}

/// Finds the zones between the static shared variables.
void find_static_shared() {
  resize(static_shared, __start_r2pac_shared,
         static_cast<std::size_t>(__stop_r2pac_shared - __start_r2pac_shared), Kind::shared);
  constexpr std::size_t kStep = alignof(SharedZone);
  for (std::size_t at = 0; at + sizeof(SharedZone) <= static_shared.end - static_shared.begin; at += kStep) {
    SharedZone zone;
    std::memcpy(&zone, __start_r2pac_shared + at, sizeof zone);
    if (!std::all_of(std::begin(zone.word), std::end(zone.word), [](auto word) { return word == kZoneWord; }))
      continue;
    for (std::size_t word = 0; word < sizeof zone / kWordBytes; ++word) {
      static_shared.cells[at / kWordBytes + word].forbidden = true;
    }
  }
}

/// Nothing of another block's shared memory stays: neither its shadow nor its content.
void forget(Region& region) {
  for (std::size_t i = region.touched_begin; i < region.touched_end; ++i) {
    const bool forbidden = region.cells[i].forbidden;
    region.cells[i] = {};
    region.cells[i].forbidden = forbidden;
    if (forbidden) continue;
    const Address word = region.begin + i * kWordBytes;
    std::memset(reinterpret_cast<void*>(word), 0xff, std::min<std::size_t>(kWordBytes, region.end - word));
  }
  region.nothing_touched();
}

Region* region_of(Address address) {
  for (Region* const region : recent) {
    if (region && region->contains(address)) return region;
  }
  Region* found = nullptr;
  if (dynamic_shared.contains(address)) {
    found = &dynamic_shared;
  } else if (static_shared.contains(address)) {
    found = &static_shared;
  } else {
    const auto above = global_regions.upper_bound(address);
    if (above != global_regions.begin() && std::prev(above)->second->contains(address)) {
      found = std::prev(above)->second.get();
    }
  }
  if (found) recent[next_recent++ % recent.size()] = found;
  return found;
}

unsigned warp_of(unsigned thread) {
  return thread >= kLanesOfWarp ? thread - kLanesOfWarp : thread / kWarpLanes;
}

/// Whether nothing orders an earlier access of this block before what `thread` does now.
bool unordered_in_block(const Access& earlier, unsigned thread) {
  if (earlier.time < barrier_time || earlier.thread == thread) return false;
  if (earlier.thread == kManyWarps || warp_of(earlier.thread) != thread / kWarpLanes) return true;
  if (earlier.time >= synced[thread]) return true;
  return earlier.thread < kMaxBlockThreads && earlier.time >= synced[earlier.thread];
}

bool in_earlier_block(const Access& earlier) {
  return earlier.time >= launch_time && (earlier.time < block_time || earlier.earlier_block);
}

bool conflicts(const Access& earlier, unsigned thread, unsigned bytes, bool atomic) {
  if (!(earlier.bytes & bytes) || (atomic && earlier.atomic)) return false;
  return in_earlier_block(earlier) || unordered_in_block(earlier, thread);
}

/// Adds an access to those that a later one may conflict with.
void record(Access& access, unsigned thread, unsigned bytes, bool atomic) {
  Access next{};
  next.time = now;
  next.thread = thread;
  next.bytes = bytes & kAllBytes;
  next.atomic = atomic;
  next.earlier_block = in_earlier_block(access);
  if (access.bytes == bytes && access.time >= block_time && unordered_in_block(access, thread)) {
    const bool same_warp = access.thread != kManyWarps && warp_of(access.thread) == thread / kWarpLanes;
    next.thread = same_warp ? kLanesOfWarp + thread / kWarpLanes : kManyWarps;
    next.atomic = atomic && access.atomic;
  }
  access = next;
}

std::string who(const Access& earlier) {
  if (in_earlier_block(earlier) && earlier.time < block_time) return "a thread of another block";
  if (earlier.thread == kManyWarps) return "threads of several warps";
  if (earlier.thread >= kLanesOfWarp) return "lanes of warp " + std::to_string(warp_of(earlier.thread));
  return "thread " + std::to_string(earlier.thread) + (earlier.earlier_block ? " or of another block" : "");
}

[[noreturn]] void report_race(const Region& region, Address word, const char* now_does, const char* did,
                              const Access& earlier, const void* code) {
  const bool blocks = in_earlier_block(earlier);
  fault_at(code, "%srace on %s memory at %p: this thread %s what %s %s, with no %s between",
           blocks ? "cross-block " : "", region.kind == Kind::global ? "global" : "shared",
           reinterpret_cast<void*>(word), now_does, who(earlier).c_str(), did,
           blocks ? "launch" : "__syncthreads (or __syncwarp inside one warp)");
}

void mark(Cell& cell, unsigned bytes, AccessKind kind) {
  if (!footprint_wanted) return;
  cell.footprint =
      static_cast<std::uint16_t>(cell.footprint | bytes << static_cast<unsigned>(kind) * kWordBytes);
}

void check_word(Region& region, std::size_t index, unsigned bytes, unsigned thread, AccessKind kind,
                const void* code) {
  Cell& cell = region.cells[index];
  const Address word = region.begin + index * kWordBytes;
  const bool writes = kind != AccessKind::read, atomic = kind == AccessKind::atomic;
  if (cell.forbidden) {
    fault_at(code, "static shared memory: %p is out of bounds, between two shared variables",
             reinterpret_cast<void*>(word));
  }
  if (kind != AccessKind::write && (bytes & ~cell.initialized)) {
    fault_at(code, "read of uninitialised %s memory at %p: nobody has written it%s",
             region.kind == Kind::global ? "global" : "shared", reinterpret_cast<void*>(word),
             region.kind == Kind::global ? "" : " in this block so far");
  }
  if (conflicts(cell.write, thread, bytes, atomic)) {
    report_race(region, word, writes ? "writes" : "reads", "wrote", cell.write, code);
  }
  if (writes && conflicts(cell.read, thread, bytes, false)) {
    report_race(region, word, "writes", "read", cell.read, code);
  }
  if (writes) {
    record(cell.write, thread, bytes, atomic);
    cell.initialized = static_cast<std::uint8_t>(cell.initialized | bytes);
  } else {
    record(cell.read, thread, bytes, false);
  }
  region.touch(index);
  mark(cell, bytes, kind);
}

/// Calls visit(index of the word, its bytes) for each word of [begin, end), which lies in the region.
template <class Visit>
void each_word(const Region& region, Address begin, Address end, const Visit& visit) {
  const std::size_t last = (end - 1 - region.begin) / kWordBytes;
  for (std::size_t index = (begin - region.begin) / kWordBytes; index <= last; ++index) {
    const Address word = region.begin + index * kWordBytes;
    unsigned bytes = kAllBytes;
    if (begin > word) bytes &= kAllBytes << (begin - word);
    if (end < word + kWordBytes) bytes &= kAllBytes >> (word + kWordBytes - end);
    visit(index, bytes & kAllBytes);
  }
}

/// Moves what the region's cells know of the footprint into it.
void take_footprint(Region& region, Footprint& footprint) {
  Ranges* const of_kind[] = {&footprint.read, &footprint.written, &footprint.atomic};
  for (std::size_t index = region.touched_begin; index < region.touched_end; ++index) {
    const unsigned marks = std::exchange(region.cells[index].footprint, 0);
    for (unsigned bit = 0; marks >> bit; ++bit) {
      if (!(marks >> bit & 1)) continue;
      const Address byte = region.begin + index * kWordBytes + bit % kWordBytes;
      Ranges& ranges = *of_kind[bit / kWordBytes];
      if (!ranges.empty() && ranges.back().end == byte) {
        ++ranges.back().end;
      } else {
        ranges.push_back({byte, byte + 1});
      }
    }
  }
  region.nothing_touched();
}

/// An access that is no kernel's.
void access_from_outside(const void* pointer, std::size_t bytes, AccessKind kind) {
  Region* const region = bytes == 0 ? nullptr : region_of(number(pointer));
  if (!region) return;
  each_word(*region, number(pointer), number(pointer) + bytes, [&](std::size_t index, unsigned of_word) {
    Cell& cell = region->cells[index];
    // A word written in part counts as written; the host's own accesses are not held to more than that.
    if (kind == AccessKind::write) cell.initialized = kAllBytes;
    region->touch(index);
    mark(cell, of_word, kind);
  });
}

/// Memory that a kernel may read though it is no device memory: its arguments, constants, the program's own.
bool readable(Address begin, Address end) {
  const auto inside = [&](Address from, Address to) { return begin >= from && end <= to; };
  return inside(arguments_begin, arguments_end) ||
         inside(number(__start_r2pac_constant), number(__stop_r2pac_constant)) ||
         inside(number(__executable_start), number(__data_start));
}

}  // namespace

void check_access(const void* pointer, std::size_t bytes, AccessKind kind, const void* code) {
  if (paused || !thread_runs() || bytes == 0) return;
  const RunningThread thread = running_thread();
  const Address begin = number(pointer), end = begin + bytes;
  if (begin - number(thread.stack) < kStackBytes) return;
  Region* const region = region_of(begin);
  const char* const does = kind == AccessKind::read    ? "read"
                           : kind == AccessKind::write ? "write"
                                                       : "atomic access";
  if (!region) {
    if (kind == AccessKind::read && readable(begin, end)) return;
    if (dynamic_shared.end && begin >= dynamic_shared.end && begin - dynamic_shared.end < 4096) {
      fault_at(code,
               "%s of %zu bytes: %p is out of bounds, past the end of %zu bytes of dynamic shared memory",
               does, bytes, pointer, dynamic_shared.end - dynamic_shared.begin);
    }
    if (static_shared.end && begin >= static_shared.end && begin - static_shared.end < 4096) {
      fault_at(code, "%s of %zu bytes: static shared memory: %p is out of bounds", does, bytes, pointer);
    }
    fault_at(code, "%s of %zu bytes: %s", does, bytes, describe_address(pointer).c_str());
  }
  if (end > region->end) {
    fault_at(code, "%s of %zu bytes at %p is out of bounds: it runs over the end of its memory", does, bytes,
             pointer);
  }
  each_word(*region, begin, end, [&](std::size_t index, unsigned of_word) {
    check_word(*region, index, of_word, thread.linear, kind, code);
  });
}

void launch_begins(const Launch& launch) {
  if (!static_shared.begin && __start_r2pac_shared) find_static_shared();
  launch_time = ++now;
  arguments_begin = number(launch.arguments);
  arguments_end = arguments_begin + launch.argument_bytes;
}

void launch_ends() {
  dynamic_shared = {};
  recent.fill(nullptr);
}

void block_begins(const void* shared, std::size_t shared_bytes) {
  block_time = barrier_time = ++now;
  synced.fill(0);
  if (dynamic_shared.begin != number(shared)) resize(dynamic_shared, shared, shared_bytes, Kind::shared);
  forget(dynamic_shared);
  forget(static_shared);
}

void block_synchronised() { barrier_time = ++now; }

void lanes_synchronised(unsigned first, unsigned mask) {
  ++now;
  for (unsigned i = 0; i < kWarpLanes; ++i) {
    if (mask >> i & 1) synced[first + i] = now;
  }
}

void pause(bool value) { paused = value; }

void allocated(const void* begin, std::size_t bytes) {
  auto region = std::make_unique<Region>();
  resize(*region, begin, bytes, Kind::global);
  global_regions[number(begin)] = std::move(region);
}

void freed(const void* begin) {
  global_regions.erase(number(begin));
  recent.fill(nullptr);
}

void written(const void* begin, std::size_t bytes) { access_from_outside(begin, bytes, AccessKind::write); }
void read(const void* begin, std::size_t bytes) { access_from_outside(begin, bytes, AccessKind::read); }

void footprint_begins() {
  for (auto& [begin, region] : global_regions) region->nothing_touched();
  footprint_wanted = true;
}

Footprint footprint_ends() {
  footprint_wanted = false;
  Footprint footprint;
  for (auto& [begin, region] : global_regions) take_footprint(*region, footprint);
  return footprint;
}

void atomic_access(const void* address, std::size_t bytes, const void* code) {
  check_access(address, bytes, AccessKind::atomic, code);
}

}  // namespace r2pac::cuda_host::shadow
