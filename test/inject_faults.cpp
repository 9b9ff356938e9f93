// Loaded before the C library (LD_PRELOAD), makes system calls and allocations of `r2pac` fail on purpose.
//
// R2PAC_FAULT=CALL:K:ERRNO:HOW  the K-th call (from 0) fails with this error number: `once`, or `for-good`
// with all
//                               that follow; K of -1 only counts
// R2PAC_FAULT_COUNT=FILE        8 bytes that count the calls, of child processes, too
//
// Calls count from the start of main().
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

#pragma GCC diagnostic ignored "-Wshadow"  // there is a struct flock, too

namespace {

char wanted[16];
long first = -1;
int error_number = 0;
bool for_good = false;
std::atomic<long>* count = nullptr;  // shared with child processes
bool started = false;

void read_wish() {
  const char* const wish = std::getenv("R2PAC_FAULT");
  const char* const file = std::getenv("R2PAC_FAULT_COUNT");
  char how[16] = "";
  if (wish == nullptr || file == nullptr || std::strcmp(program_invocation_short_name, "r2pac") != 0 ||
      std::sscanf(wish, "%15[^:]:%ld:%d:%15s", wanted, &first, &error_number, how) != 4)
    return;
  for_good = std::strcmp(how, "for-good") == 0;
  const long fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  const long memory = syscall(SYS_mmap, nullptr, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (memory > 0 || memory < -4095) count = reinterpret_cast<std::atomic<long>*>(memory);
}

/// Whether this call shall fail; errno is set then.
bool fails(const char* call) {
  if (!started || count == nullptr || std::strcmp(call, wanted) != 0) return false;
  const long number = count->fetch_add(1);
  if (first < 0 || (for_good ? number < first : number != first)) return false;
  errno = error_number;
  return true;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

using Main = int(int, char**, char**);
Main* main_of_program = nullptr;

int start_main(int argc, char** argv, char** environment) {
  read_wish();
  started = true;
  return main_of_program(argc, argv, environment);
}

mode_t mode_of(int flags, va_list list) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
}

}  // namespace

// The function NAME fails as CALL, or does what the C library's does. FAILED: what it returns then.
#define R2PAC_INJECT(CALL, FAILED, RESULT, NAME, PARAMETERS, ARGUMENTS) \
  extern "C" RESULT NAME PARAMETERS {                                   \
    static auto* const function = real<RESULT PARAMETERS>(#NAME);       \
    return fails(CALL) ? FAILED : function ARGUMENTS;                   \
  }

#define R2PAC_INJECT_OPEN(NAME)                                            \
  extern "C" int NAME(const char* path, int flags, ...) {                  \
    static auto* const function = real<int(const char*, int, ...)>(#NAME); \
    va_list list;                                                          \
    va_start(list, flags);                                                 \
    const mode_t mode = mode_of(flags, list);                              \
    va_end(list);                                                          \
    return fails("open") ? -1 : function(path, flags, mode);               \
  }

R2PAC_INJECT_OPEN(open)
R2PAC_INJECT_OPEN(open64)
R2PAC_INJECT("open", nullptr, FILE*, fopen, (const char* path, const char* mode), (path, mode))
R2PAC_INJECT("open", nullptr, FILE*, fopen64, (const char* path, const char* mode), (path, mode))
R2PAC_INJECT("read", -1, ssize_t, read, (int fd, void* to, size_t size), (fd, to, size))
R2PAC_INJECT("read", -1, ssize_t, pread, (int fd, void* to, size_t size, off_t at), (fd, to, size, at))
R2PAC_INJECT("read", -1, ssize_t, pread64, (int fd, void* to, size_t size, off64_t at), (fd, to, size, at))
R2PAC_INJECT("read", -1, ssize_t, readv, (int fd, const iovec* to, int parts), (fd, to, parts))
R2PAC_INJECT("write", -1, ssize_t, write, (int fd, const void* from, size_t size), (fd, from, size))
R2PAC_INJECT("write", -1, ssize_t, pwrite, (int fd, const void* from, size_t size, off_t at),
             (fd, from, size, at))
R2PAC_INJECT("write", -1, ssize_t, pwrite64, (int fd, const void* from, size_t size, off64_t at),
             (fd, from, size, at))
R2PAC_INJECT("write", -1, ssize_t, writev, (int fd, const iovec* from, int parts), (fd, from, parts))
R2PAC_INJECT("fsync", -1, int, fsync, (int fd), (fd))
R2PAC_INJECT("rename", -1, int, rename, (const char* from, const char* to), (from, to))
R2PAC_INJECT("ftruncate", -1, int, ftruncate, (int fd, off_t size), (fd, size))
R2PAC_INJECT("ftruncate", -1, int, ftruncate64, (int fd, off64_t size), (fd, size))
R2PAC_INJECT("mkdir", -1, int, mkdir, (const char* path, mode_t mode), (path, mode))
R2PAC_INJECT("flock", -1, int, flock, (int fd, int operation), (fd, operation))
R2PAC_INJECT("opendir", nullptr, DIR*, opendir, (const char* path), (path))
R2PAC_INJECT("opendir", nullptr, DIR*, fdopendir, (int fd), (fd))
R2PAC_INJECT("mmap", MAP_FAILED, void*, mmap,
             (void* at, size_t size, int access, int flags, int fd, off_t from),
             (at, size, access, flags, fd, from))
R2PAC_INJECT("mmap", MAP_FAILED, void*, mmap64,
             (void* at, size_t size, int access, int flags, int fd, off64_t from),
             (at, size, access, flags, fd, from))

extern "C" {

// A file is closed all the same.
int close(int fd) {
  const long result = syscall(SYS_close, fd);
  if (fails("close")) return -1;
  return static_cast<int>(result);
}

void* malloc(size_t size) { return fails("malloc") ? nullptr : __libc_malloc(size); }
void* calloc(size_t number, size_t size) { return fails("malloc") ? nullptr : __libc_calloc(number, size); }
void* realloc(void* block, size_t size) { return fails("malloc") ? nullptr : __libc_realloc(block, size); }
void* aligned_alloc(size_t alignment, size_t size) {
  return fails("malloc") ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** block, size_t alignment, size_t size) {
  *block = fails("malloc") ? nullptr : __libc_memalign(alignment, size);
  return *block == nullptr ? ENOMEM : 0;
}

int __libc_start_main(Main* main, int argc, char** argv, Main* init, void (*fini)(), void (*rtld_fini)(),
                      void* stack_end) {
  main_of_program = main;
  return real<int(Main*, int, char**, Main*, void (*)(), void (*)(), void*)>("__libc_start_main")(
      start_main, argc, argv, init, fini, rtld_fini, stack_end);
}
}
