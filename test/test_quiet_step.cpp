// A step, once recorded, and a sampler, once used, ask the system for nothing: no memory, no call.
//
// malloc and its kin are replaced for this executable and counted while a flag is up, on all threads. The
// system calls are forbidden by the kernel: a child process fences itself in with a seccomp filter that
// kills it at any call but the one that ends it.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>

#include "acting/policy_sampler.h"
#include "on_cpu.h"
#include "small_method.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // the sanitizers' own malloc and system calls are in the way
std::atomic<bool> counting{false};
std::atomic<long> allocations{0};
#else
constexpr bool kSanitized = false;
namespace {
std::atomic<bool> counting{false};
std::atomic<long> allocations{0};
void count() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}
}  // namespace

// The C library's own entries, which its replaceable ones lead to.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t n) noexcept {
  count();
  return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) noexcept {
  count();
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) noexcept {
  count();
  return __libc_realloc(p, n);
}
void* memalign(std::size_t alignment, std::size_t n) noexcept {
  count();
  return __libc_memalign(alignment, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) noexcept {
  count();
  return __libc_memalign(alignment, n);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t n) noexcept {
  count();
  *p = __libc_memalign(alignment, n);
  return *p == nullptr ? ENOMEM : 0;
}
void free(void* p) noexcept { __libc_free(p); }
}
#endif

using namespace r2pac;

namespace {

/// Allocations while f runs.
template <class F>
long allocations_of(F f) {
  allocations = 0;
  counting = true;
  f();
  counting = false;
  return allocations;
}

/// A step of a stage, wide enough for every kernel and with a short last tile.
struct Bench : MethodStep<float> {
  Bench(const std::string& stage, int threads, bool norm = false)
      : MethodStep(wide(norm), stage, cpu_device(threads)) {}
  static Settings wide(bool norm) {
    Settings settings;
    settings.hidden = {40, 33};
    settings.batch = 200;
    settings.label_dim = 4;
    settings.layer_norm = norm;
    return settings;
  }
};

/// A sampler with room for its answers.
struct Decisions {
  RandomWindows<float> data;
  std::unique_ptr<MethodNetworks<float>> nets;
  std::unique_ptr<Sampler<float>> sampler;
  std::vector<float> observations, noise, chunk, cost, v_reward, v_cost;

  Decisions(int rows, int threads) {
    Settings settings;
    settings.hidden = {40, 33};
    settings.label_dim = 4;
    nets = std::make_unique<MethodNetworks<float>>(settings, Dimensions{data.s, data.a, data.h}, *on_cpu());
    sampler = std::make_unique<Sampler<float>>(
        sampler_of(*nets, {{4, 2.0, kLabelGood}, 5, Selection::region, 0.0}, cpu_device(threads)));
    const auto n = static_cast<std::size_t>(rows), width = static_cast<std::size_t>(data.a * data.h);
    observations.assign(n * data.s, 0.3f);
    noise.resize(n * 5 * width);
    chunk.resize(n * width);
    for (auto* column : {&cost, &v_reward, &v_cost}) column->resize(n);
  }
  void act() {
    sampler->draw_noise(1, 2, 3, noise);
    sampler->sample(observations, noise, {chunk, cost, v_reward, v_cost});
  }
};

/// How a child process ends that runs f under the fence: 0, or the signal that killed it, or -1 where the
/// kernel has no such fence.
template <class F>
int fenced(F f) {
  const pid_t child = fork();
  if (child == 0) {
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const sock_fprog fence{static_cast<unsigned short>(std::size(rules)), rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fence) != 0)
      _exit(99);
    f();
    syscall(SYS_exit, 0);  // exit() and _exit() would end all threads by another call
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) return WEXITSTATUS(status) == 99 ? -1 : WEXITSTATUS(status);
  return WTERMSIG(status);
}

}  // namespace

TEST_CASE("the counter counts, on worker threads too") {
  if (kSanitized) return;
  ThreadPool pool(2);
  const std::vector<std::byte*> memory(2, nullptr);
  std::atomic<int> sink{0};
  const TaskGroup allocate{64, [&](int task, std::byte*) {
                             const std::vector<int> values(100, task);
                             sink += *std::max_element(values.begin(), values.end());
                           }};
  CHECK(allocations_of([&] { pool.run(allocate, memory); }) == 64);
  CHECK(allocations_of([&] { free(aligned_alloc(64, 128)); }) == 1);
}

TEST_CASE("a step allocates nothing, not even the first time it is replayed") {
  if (kSanitized) return;
  for (const char* const kind : kStages)
    for (const int threads : {1, 2})
      for (const bool norm : {false, true}) {
        Bench bench(kind, threads, norm);
        INFO("stage " << kind << ", threads " << threads);
        CHECK(allocations_of([&] {
                for (int i = 0; i < 5; ++i) bench.step->run();
              }) == 0);
        CHECK(bench.progress().step == 5);
      }
}

TEST_CASE("a sampler allocates nothing after its first answer of a size") {
  if (kSanitized) return;
  for (const int threads : {1, 2})
    for (const int rows : {1, 7}) {
      Decisions actor(rows, threads);
      actor.act();
      CHECK(allocations_of([&] {
              for (int i = 0; i < 3; ++i) actor.act();
            }) == 0);
    }
}

TEST_CASE("on one thread neither a step nor an answer makes a system call") {
  if (kSanitized) return;
  const int control = fenced([] { syscall(SYS_getppid); });
  if (control == -1) {
    WARN("this kernel or container has no seccomp: not checked");
    return;
  }
  REQUIRE(control == SIGSYS);  // the fence holds
  for (const char* const kind : kStages) {
    Bench bench(kind, 1);
    bench.step->run();
    CHECK(fenced([&] {
            for (int i = 0; i < 3; ++i) bench.step->run();
          }) == 0);
  }
  Decisions actor(3, 1);
  actor.act();
  CHECK(fenced([&] { actor.act(); }) == 0);
}
