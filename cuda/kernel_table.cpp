// What ptxas made of each kernel, as a table, held to a budget: kernel_table FOLDER BUDGET
// (check_kernels.sh calls it). FOLDER holds NAME.ARCHITECTURE.log and .ptx of `check_nvcc.sh --report`. The
// table goes to standard output, what is wrong to standard error; the status is 1 if anything is.
#include <cuda_occupancy.h>
#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;

/// A kernel on one architecture. Sizes in bytes.
struct Figures {
  int registers = 0, stack = 0, spill_stores = 0, spill_loads = 0, shared = 0;
  int threads = 0;  ///< of a block: __launch_bounds__
  bool local = false, f64 = false, wide_loads = false, wide_stores = false, narrow_stores = false;
};
struct Name {
  std::string file, kernel;
  auto operator<=>(const Name&) const = default;
};
using Kernels = std::map<Name, std::map<int, Figures>>;  // by architecture: 75, 80, ...

struct Limits {
  int registers = 0, dynamic_shared = 0;
  bool wide_loads = false, wide_stores = false;
};

int problems = 0;
void problem(const std::string& what) {
  std::fprintf(stderr, "check_kernels: %s\n", what.c_str());
  ++problems;
}

/// "void r2pac::cuda::(anonymous namespace)::fill<r2pac::cuda::(anonymous namespace)::Uniform>(int)" is
/// fill<Uniform>.
std::string short_name(const std::string& mangled) {
  int status = 0;
  char* const text = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string name = status == 0 ? text : mangled;
  std::free(text);
  name = std::regex_replace(name, std::regex(R"(\(anonymous namespace\)::|r2pac::|cuda::|^void )"), "");
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    depth += name[i] == '<' ? 1 : name[i] == '>' ? -1 : 0;
    if (name[i] == '(' && depth == 0) name.resize(i);
  }
  std::erase(name, ' ');
  return name;
}

/// Reads ptxas's report. Stack frames of functions that a kernel calls count as the kernel's.
void read_log(const fs::path& path, const std::string& file, int architecture, Kernels& kernels) {
  static const std::regex entry(R"(Compiling entry function '(\w+)')");
  static const std::regex frame(
      R"((\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads)");
  static const std::regex used(R"(Used (\d+) registers)"), shared(R"((\d+) bytes smem)");
  std::ifstream in(path);
  Figures* now = nullptr;
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_search(line, match, entry)) now = &kernels[{file, short_name(match[1])}][architecture];
    if (now == nullptr) continue;
    if (std::regex_search(line, match, frame)) {
      now->stack += std::stoi(match[1]);
      now->spill_stores += std::stoi(match[2]);
      now->spill_loads += std::stoi(match[3]);
    }
    if (std::regex_search(line, match, used)) {
      now->registers = std::stoi(match[1]);
      if (std::regex_search(line, match, shared)) now->shared = std::stoi(match[1]);
    }
  }
}

/// Reads the PTX: block sizes, and what its text may or must not contain. Code outside kernels, functions
/// that were not inlined, is held to the same.
void read_ptx(const fs::path& path, const std::string& file, int architecture, Kernels& kernels) {
  static const std::regex entry(R"(\.entry (\w+)\()"),
      threads(R"(\.(?:maxntid|reqntid) (\d+)(?:, (\d+))?(?:, (\d+))?)");
  static const std::regex local(R"(\b(?:ld|st)\.local\b)"), f64(R"(\.f64\b)");
  static const std::regex wide(R"(\bld\.global(?:\.\w+)*\.v4\.)"), store(R"(\bst\.global((?:\.\w+)*))");
  std::ifstream in(path);
  Figures outside, *now = &outside;
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_search(line, match, entry)) now = &kernels[{file, short_name(match[1])}][architecture];
    if (line.starts_with(".func")) now = &outside;
    if (std::regex_search(line, match, threads)) {
      now->threads = std::stoi(match[1]);
      for (const int i : {2, 3}) now->threads *= match[i].matched ? std::stoi(match[i]) : 1;
    }
    now->local |= std::regex_search(line, local);
    now->f64 |= std::regex_search(line, f64);
    now->wide_loads |= std::regex_search(line, wide);
    if (std::regex_search(line, match, store)) {
      const bool by_four = match[1].str().find(".v4.") != std::string::npos;
      (by_four ? now->wide_stores : now->narrow_stores) = true;
    }
  }
  const std::string where = file + ".cu, sm_" + std::to_string(architecture) + ", outside kernels: ";
  if (outside.local) problem(where + "local memory");
  if (outside.f64) problem(where + "double precision");
}

Kernels read_reports(const fs::path& folder) {
  Kernels kernels;
  static const std::regex name(R"((\w+)\.sm_(\d+)\.(log|ptx))");
  for (const auto& item : fs::directory_iterator(folder)) {
    const std::string leaf = item.path().filename().string();
    std::smatch match;
    if (!std::regex_match(leaf, match, name)) continue;
    (match[3] == "log" ? read_log : read_ptx)(item.path(), match[1], std::stoi(match[2]), kernels);
  }
  return kernels;
}

/// Lines of FILE KERNEL REGISTERS DYNAMIC_SHARED FLAGS; # begins a comment. FLAGS: v4, v4s, or - for none.
std::map<Name, Limits> read_budget(const fs::path& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  std::map<Name, Limits> budget;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    Name name;
    Limits limits;
    std::string flags, rest;
    if (!(words >> name.file)) continue;
    if (!(words >> name.kernel >> limits.registers >> limits.dynamic_shared >> flags) || words >> rest ||
        (flags != "v4" && flags != "v4s" && flags != "-")) {
      throw std::runtime_error("budget: expected FILE KERNEL REGISTERS DYNAMIC_SHARED v4|v4s|-, not: " +
                               line);
    }
    limits.wide_stores = flags == "v4s";
    limits.wide_loads = limits.wide_stores || flags == "v4";
    if (!budget.emplace(name, limits).second)
      problem("budget: two lines for " + name.file + " " + name.kernel);
  }
  return budget;
}

void check_kernel(const Name& name, const Figures& is, int architecture, const Limits& limits) {
  const std::string where = name.file + ".cu, " + name.kernel + ", sm_" + std::to_string(architecture) + ": ";
  const auto at_most = [&](int value, int limit, const char* what) {
    if (value > limit) {
      problem(where + std::to_string(value) + " " + what + ", allowed are " + std::to_string(limit));
    }
  };
  at_most(is.registers, limits.registers, "registers");
  at_most(is.stack, 0, "bytes of stack");
  at_most(is.spill_stores, 0, "bytes of spill stores");
  at_most(is.spill_loads, 0, "bytes of spill loads");
  if (is.local) problem(where + "the PTX uses local memory");
  if (is.f64) problem(where + "the PTX uses double precision");
  if (limits.wide_loads && !is.wide_loads) problem(where + "the PTX has no ld.global.v4");
  if (limits.wide_stores && (is.narrow_stores || !is.wide_stores))
    problem(where + "the PTX has st.global other than st.global.v4");
  if (is.threads == 0) problem(where + "no __launch_bounds__, so the block size is not known");
}

/// The line to add for a kernel that the budget lacks: its registers, up to the next multiple of eight.
std::string budget_line(const Name& name, const std::map<int, Figures>& by_architecture) {
  int registers = 0;
  bool wide = true, wide_stores = true;
  for (const auto& [architecture, is] : by_architecture) {
    registers = std::max(registers, is.registers);
    wide &= is.wide_loads;
    wide_stores &= is.wide_stores && !is.narrow_stores;
  }
  return name.file + " " + name.kernel + " " + std::to_string((registers + 7) / 8 * 8) + " 0 " +
         (!wide         ? "-"
          : wide_stores ? "v4s"
                        : "v4");
}

void check_budget(const Kernels& kernels, const std::map<Name, Limits>& budget) {
  for (const auto& [name, by_architecture] : kernels) {
    const auto limits = budget.find(name);
    if (limits == budget.end())
      problem("the budget lacks a line such as: " + budget_line(name, by_architecture));
    const Limits unlimited{255, 0};
    for (const auto& [architecture, is] : by_architecture) {
      check_kernel(name, is, architecture, limits == budget.end() ? unlimited : limits->second);
    }
  }
  for (const auto& [name, limits] : budget) {
    if (!kernels.contains(name))
      problem("budget: there is no kernel " + name.kernel + " in " + name.file + ".cu");
  }
}

/// Per multiprocessor, from the table of compute capabilities in the CUDA C++ Programming Guide.
cudaOccDeviceProp device(int architecture) {
  struct Sizes {
    int threads, shared_kib, shared_per_block_kib, reserved;
  };
  static const std::map<int, Sizes> known{{75, {1024, 64, 64, 0}},       {80, {2048, 164, 163, 1024}},
                                          {86, {1536, 100, 99, 1024}},   {87, {1536, 164, 163, 1024}},
                                          {89, {1536, 100, 99, 1024}},   {90, {2048, 228, 227, 1024}},
                                          {100, {2048, 228, 227, 1024}}, {120, {1536, 100, 99, 1024}}};
  const auto found = known.find(architecture);
  if (found == known.end())
    throw std::runtime_error("unknown architecture sm_" + std::to_string(architecture));
  const Sizes& sizes = found->second;
  cudaOccDeviceProp of;
  of.computeMajor = architecture / 10;
  of.computeMinor = architecture % 10;
  of.maxThreadsPerBlock = 1024;
  of.maxThreadsPerMultiprocessor = sizes.threads;
  of.regsPerBlock = of.regsPerMultiprocessor = 65536;
  of.warpSize = 32;
  of.sharedMemPerBlock = 48 * 1024;
  of.sharedMemPerMultiprocessor = static_cast<std::size_t>(sizes.shared_kib) * 1024;
  of.sharedMemPerBlockOptin = static_cast<std::size_t>(sizes.shared_per_block_kib) * 1024;
  of.reservedSharedMemPerBlock = static_cast<std::size_t>(sizes.reserved);
  of.numSms = 1;
  return of;
}

/// Threads that a multiprocessor holds at once, in % of those that it could; 0 if a block does not fit.
int occupancy(const Figures& is, int architecture, int dynamic_shared) {
  const cudaOccDeviceProp of = device(architecture);
  cudaOccFuncAttributes kernel;
  kernel.maxThreadsPerBlock = is.threads;
  kernel.numRegs = is.registers;
  kernel.sharedSizeBytes = static_cast<std::size_t>(is.shared);
  kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
  kernel.maxDynamicSharedSizeBytes = static_cast<std::size_t>(dynamic_shared);
  kernel.numBlockBarriers = 1;
  const cudaOccDeviceState state;
  cudaOccResult result;
  const auto status = cudaOccMaxActiveBlocksPerMultiprocessor(&result, &of, &kernel, &state, is.threads,
                                                              static_cast<std::size_t>(dynamic_shared));
  if (status != CUDA_OCC_SUCCESS) throw std::runtime_error("cuda_occupancy.h refuses a kernel");
  return 100 * result.activeBlocksPerMultiprocessor * is.threads / of.maxThreadsPerMultiprocessor;
}

void print_table(const Kernels& kernels, const std::map<Name, Limits>& budget) {
  std::set<int> architectures;
  for (const auto& [name, by_architecture] : kernels) {
    for (const auto& [architecture, is] : by_architecture) architectures.insert(architecture);
  }
  std::string header = "| file | kernel | threads | shared, bytes |", rule = "|---|---|---:|---:|";
  for (const int architecture : architectures) {
    header += " sm_" + std::to_string(architecture) + " |";
    rule += "---:|";
  }
  std::printf("%s\n%s\n", header.c_str(), rule.c_str());
  for (const auto& [name, by_architecture] : kernels) {
    const auto limits = budget.find(name);
    const int dynamic = limits == budget.end() ? 0 : limits->second.dynamic_shared;
    int shared = 0, threads = 0;
    std::string cells;
    for (const int architecture : architectures) {
      const auto found = by_architecture.find(architecture);
      if (found == by_architecture.end() || found->second.threads == 0) {
        cells += " - |";
        continue;
      }
      const Figures& is = found->second;
      shared = std::max(shared, is.shared);
      threads = std::max(threads, is.threads);
      const int share = occupancy(is, architecture, dynamic);
      cells += " " + std::to_string(is.registers) +
               (share > 0 ? ", " + std::to_string(share) + " % |" : ", does not fit |");
    }
    const std::string bytes = std::to_string(shared) + (dynamic > 0 ? " + " + std::to_string(dynamic) : "");
    std::printf("| %s | `%s` | %d | %s |%s\n", name.file.c_str(), name.kernel.c_str(), threads, bytes.c_str(),
                cells.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::runtime_error("usage: kernel_table FOLDER BUDGET");
  const Kernels kernels = read_reports(argv[1]);
  if (kernels.empty()) throw std::runtime_error("no kernels in " + std::string(argv[1]));
  const auto budget = read_budget(argv[2]);
  check_budget(kernels, budget);
  print_table(kernels, budget);
  return problems == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "check_kernels: %s\n", error.what());
  return 1;
}
