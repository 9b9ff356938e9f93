// How the host execution layer reports what it found: one report on stderr, then abort().
#pragma once

#include <string>

namespace r2pac::cuda_host {

/// A place in the source.
struct Site {
  const char* file = "?";
  int line = 0;
};

/// Reports a fault of the running CUDA thread (or of the host code, if no kernel runs) and aborts. The first
/// line starts with "cuda_host: "; kernel, block, thread and launch follow if a kernel runs.
[[noreturn]] void fault(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// As above, for a fault at an instruction of the kernel; `code` is an address inside it.
[[noreturn]] void fault_at(const void* code, const char* format, ...) __attribute__((format(printf, 2, 3)));

/// Function, file and line of a code address, as far as the program's symbols and addr2line tell.
struct CodePlace {
  std::string function;  ///< demangled, without parameters; "?" if unknown
  std::string line;      ///< "file:line"; empty if unknown
};
CodePlace code_place(const void* code);

}  // namespace r2pac::cuda_host
