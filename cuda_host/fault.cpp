#include "cuda_host/fault.h"

#include <dlfcn.h>

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "cuda_host/block.h"

namespace r2pac::cuda_host {
namespace {

std::string read_line(FILE* pipe) {
  std::string line;
  for (int c = std::fgetc(pipe); c != EOF && c != '\n'; c = std::fgetc(pipe)) line += static_cast<char>(c);
  return line;
}

/// Cuts the parameter list of a demangled name, but not the parentheses of "(anonymous namespace)".
std::string without_parameters(std::string name) {
  const std::string unnamed = "(anonymous namespace)::";
  for (auto at = name.find(unnamed); at != std::string::npos; at = name.find(unnamed)) {
    name.erase(at, unnamed.size());
  }
  if (name.starts_with("void ")) name.erase(0, 5);
  int depth = 0;  // of template arguments, which may hold casts
  for (std::size_t i = 0; i < name.size(); ++i) {
    depth += (name[i] == '<') - (name[i] == '>');
    if (name[i] == '(' && depth == 0) return name.substr(0, i);
  }
  return name;
}

[[noreturn]] void report(const void* code, const char* format, std::va_list arguments) {
  std::fflush(stdout);
  std::fprintf(stderr, "cuda_host: ");
  std::vfprintf(stderr, format, arguments);
  std::fprintf(stderr, "\n");
  if (code) {
    const CodePlace place = code_place(code);
    std::fprintf(stderr, "  at %s %s\n", place.function.c_str(), place.line.c_str());
  }
  print_running_thread(stderr);
  std::abort();
}

}  // namespace

CodePlace code_place(const void* code) {
  CodePlace place{"?", {}};
  Dl_info module{};
  if (!dladdr(code, &module) || !module.dli_fname) return place;
  const auto offset =
      reinterpret_cast<std::uintptr_t>(code) - reinterpret_cast<std::uintptr_t>(module.dli_fbase);
  char command[4096];
  std::snprintf(command, sizeof command, "addr2line -C -f -e '%s' 0x%zx 2>/dev/null", module.dli_fname,
                static_cast<std::size_t>(offset));
  FILE* pipe = popen(command, "r");
  if (!pipe) return place;
  if (const std::string function = read_line(pipe); !function.empty() && function[0] != '?') {
    place.function = without_parameters(function);
  }
  if (const std::string line = read_line(pipe); !line.empty() && line[0] != '?') place.line = line;
  pclose(pipe);
  return place;
}

void fault(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  report(nullptr, format, arguments);
}

void fault_at(const void* code, const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  report(code, format, arguments);
}

}  // namespace r2pac::cuda_host
