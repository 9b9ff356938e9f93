// Reports what the processor itself catches: an access to a page that holds no device memory, or the end of a
// stack.
#include "cuda_host/crash.h"

#include <signal.h>

#include <array>
#include <cstddef>

#include "cuda_host/block.h"
#include "cuda_host/fault.h"
#include "cuda_host/fiber.h"
#include "cuda_host/memory.h"

namespace r2pac::cuda_host {
namespace {

// A handler cannot run on a stack that is full.
alignas(16) std::array<std::byte, 256 * 1024> handler_stack;

void report_crash(int signal, siginfo_t* info, void*) {
  ::signal(signal, SIG_DFL);
  if (!thread_runs()) {
    raise(signal);
    return;
  }
  const auto* const stack = running_thread().stack;
  const auto* const address = static_cast<const std::byte*>(info->si_addr);
  if (address < stack && stack - address <= static_cast<std::ptrdiff_t>(kGuardBytes)) {
    fault("a CUDA thread needs more than %zu bytes of stack", kStackBytes);
  }
  fault("access to memory that is not there: %s", describe_address(address).c_str());
}

}  // namespace

void report_crashes() {
  const stack_t stack{.ss_sp = handler_stack.data(), .ss_flags = 0, .ss_size = handler_stack.size()};
  struct sigaction action {};
  action.sa_sigaction = report_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaltstack(&stack, nullptr);
  sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace r2pac::cuda_host
