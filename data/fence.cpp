#include "data/fence.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>

#include "base/descriptors.h"
#include "base/error.h"
#include "base/memory.h"
#include "data/child_reply.h"

namespace r2pac {
namespace {

using Clock = std::chrono::steady_clock;

// A reply travels as its kind, its length and its bytes, so that one cut short by a crash is told apart.
struct Frame {
  char kind;  // 'r' reply, 'e' error, 'm' out of memory
  std::uint64_t bytes;
};
constexpr std::size_t kLongestReply = 1 << 16;

constexpr char kMoreMemory[] =
    "free memory or raise the limit (`ulimit -v`); if there is plenty, a size in the file is damaged: get a "
    "fresh copy";

void send(int pipe, char kind, const std::string& bytes) {
  const Frame frame{kind, bytes.size()};
  std::string message(reinterpret_cast<const char*>(&frame), sizeof frame);
  message += bytes;
  for (std::size_t sent = 0; sent < message.size();) {
    const ssize_t n = write(pipe, message.data() + sent, message.size() - sent);
    if (n < 0 && errno != EINTR) return;
    if (n > 0) sent += static_cast<std::size_t>(n);
  }
}

/// Counts what the children of a call have done, in memory that they share with their parent.
class Progress {
 public:
  using Counter = std::atomic<std::uint64_t>;
  static_assert(Counter::is_always_lock_free);

  explicit Progress(const std::string& file) {
    void* const memory =
        mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      throw Error(ExitCode::data, std::string("no memory to read the file: ") + strerror(errno), file,
                  "end other programs");
    count_ = new (memory) Counter(0);
  }
  ~Progress() { munmap(count_, sizeof(Counter)); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  Counter& count() { return *count_; }

 private:
  Counter* count_;
};

Progress::Counter* progress_of_job = nullptr;  // in a child

void restrict_child([[maybe_unused]] const FenceLimits& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU})
    std::signal(signal, SIG_DFL);  // a crash is the parent's to report, not a handler's that was inherited
  if (const int null = open("/dev/null", O_WRONLY); null >= 0) dup2(null, STDERR_FILENO);
  const auto limit = [](__rlimit_resource resource, rlim_t value) {
    rlimit now{};
    if (getrlimit(resource, &now) != 0) return;
    const rlimit wanted{std::min(value, now.rlim_cur), std::min(value, now.rlim_cur)};
    setrlimit(resource, &wanted);
  };
  limit(RLIMIT_CORE, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these reserve terabytes
  if (const std::uint64_t used = process_memory().address_space; used > 0)
    limit(RLIMIT_AS, used + static_cast<rlim_t>(limits.bytes));
#endif
}

/// Sent without allocating, for there may be nothing left to allocate.
void send_out_of_memory(int pipe) {
  const Frame frame{'m', 0};
  if (write(pipe, &frame, sizeof frame) < 0) _exit(1);
}

[[noreturn]] void child_main(int worker, int pipe, const FenceLimits& limits, const std::string& file,
                             const std::function<std::string(int)>& job) {
  try {
    try {
      restrict_child(limits);
      send(pipe, 'r', job(worker));
    } catch (const Error& error) {
      send(pipe, 'e', pack_error(error));
    } catch (const std::bad_alloc&) {
      send_out_of_memory(pipe);
    } catch (const std::exception& error) {
      send(pipe, 'e', pack_error(Error(ExitCode::data, error.what(), file)));
    }
  } catch (...) {  // also what packing an error threw: nothing may leave a child
    send_out_of_memory(pipe);
  }
  _exit(0);  // neither flushes the parent's streams nor runs its exit handlers
}

struct Child {
  pid_t pid = -1;
  int pipe = -1;
  std::string received;
};

/// The children of one call; the destructor ends and collects those that are left.
class Children {
 public:
  explicit Children(const std::string& file) : progress_(file) {}
  ~Children() {
    for (Child& child : all_) {
      if (child.pipe >= 0) close(child.pipe);
      if (child.pid > 0) {
        kill(child.pid, SIGKILL);
        wait_for(child);
      }
    }
  }

  void start(int worker, const FenceLimits& limits, const std::string& file,
             const std::function<std::string(int)>& job) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw cannot_start(file);
    for (int& end : ends)
      if ((end = above_standard_descriptors(end)) < 0) throw cannot_start(file);
    const pid_t pid = fork();
    if (pid == 0) {
      close(ends[0]);
      progress_of_job = &progress_.count();
      child_main(worker, ends[1], limits, file, job);
    }
    close(ends[1]);  // before the next fork, or that child would hold this pipe open
    all_.push_back({pid, ends[0], {}});
    if (pid < 0) throw cannot_start(file);
  }

  /// Receives until every child has closed its pipe. False when none has got on for so long.
  bool receive(double seconds) {
    auto last = Clock::now();
    std::uint64_t done = 0;
    for (;;) {
      if (const std::uint64_t now_done = progress_.count(); now_done != done) {
        done = now_done;
        last = Clock::now();
      }
      std::vector<pollfd> waiting;
      for (const Child& child : all_)
        if (child.pipe >= 0) waiting.push_back({child.pipe, POLLIN, 0});
      if (waiting.empty()) return true;
      const double left = seconds - std::chrono::duration<double>(Clock::now() - last).count();
      if (left <= 0) return false;
      poll(waiting.data(), waiting.size(), static_cast<int>(std::min(left, 1000.0) * 1000) + 1);
      for (const pollfd& ready : waiting)
        if (ready.revents != 0) receive_from(ready.fd);
    }
  }

  /// The reply of a child that has closed its pipe, or its failure thrown.
  std::string reply(std::size_t worker, const std::string& file) {
    Child& child = all_[worker];
    const int status = wait_for(child);
    Frame frame{};
    if (child.received.size() >= sizeof frame) {
      std::memcpy(&frame, child.received.data(), sizeof frame);
      std::string bytes = child.received.substr(sizeof frame);
      if (frame.bytes == bytes.size()) {
        if (frame.kind == 'r') return bytes;
        if (frame.kind == 'm')
          throw Error(ExitCode::data, "reading needs more memory than is allowed", file, kMoreMemory);
        throw unpack_error(bytes);
      }
    }
    throw died_of(WIFSIGNALED(status) ? WTERMSIG(status) : 0, file);
  }

 private:
  static Error cannot_start(const std::string& file) {
    const char* const remedy = errno == EMFILE || errno == ENFILE
                                   ? "raise the limit on open files (`ulimit -n`)"
                                   : "raise the limit on processes or free some memory";
    return Error(ExitCode::data, std::string("cannot start a process to read the file: ") + strerror(errno),
                 file, remedy);
  }

  /// What it means that a child ended without a reply.
  static Error died_of(int signal, const std::string& file) {
    const std::string how = signal != 0 ? std::string(" (") + strsignal(signal) + ")" : "";
    if (signal == SIGKILL)
      return Error(ExitCode::data, "the process that reads the file was killed" + how, file,
                   "the machine may have run out of memory: free some, and try again");
    rlimit memory{};
    if (getrlimit(RLIMIT_AS, &memory) == 0 && memory.rlim_cur != RLIM_INFINITY)
      return Error(
          ExitCode::data,
          "decoding the file crashed" + how + ": it is damaged, or the " +
              std::to_string(memory.rlim_cur >> 20) + " MiB that this process may use are too little",
          file, "raise the limit (`ulimit -v`); if that does not help, get a fresh copy of the file");
    return Error(ExitCode::data, "the file is damaged: decoding it crashed" + how, file,
                 "get a fresh copy of the file");
  }

  static int wait_for(Child& child) {
    int status = 0;
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    child.pid = -1;
    return status;
  }

  void receive_from(int pipe) {
    for (Child& child : all_) {
      if (child.pipe != pipe) continue;
      char buffer[4096];
      const ssize_t n = read(pipe, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) return;
      if (n > 0) child.received.append(buffer, static_cast<std::size_t>(n));
      if (n <= 0 || child.received.size() > sizeof(Frame) + kLongestReply) {
        close(pipe);
        child.pipe = -1;
      }
    }
  }

  Progress progress_;
  std::vector<Child> all_;
};

}  // namespace

AddressSpaceLimit::AddressSpaceLimit(std::int64_t bytes) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  rlimit now{};
  const std::uint64_t used = process_memory().address_space;
  if (used == 0 || getrlimit(RLIMIT_AS, &now) != 0) return;
  before_ = now.rlim_cur;
  now.rlim_cur = std::min(used + static_cast<rlim_t>(bytes), now.rlim_cur);
  setrlimit(RLIMIT_AS, &now);
#else
  static_cast<void>(bytes);
#endif
}

AddressSpaceLimit::~AddressSpaceLimit() {
  rlimit now{};
  if (before_ == 0 || getrlimit(RLIMIT_AS, &now) != 0) return;
  now.rlim_cur = before_;
  setrlimit(RLIMIT_AS, &now);
}

std::vector<std::string> run_fenced(int workers, const FenceLimits& limits, const std::string& file,
                                    const std::function<std::string(int)>& job) {
  Children children(file);
  for (int worker = 0; worker < workers; ++worker) children.start(worker, limits, file, job);
  if (!children.receive(limits.seconds)) {
    char time[32];
    std::snprintf(time, sizeof time, "%.3g s", limits.seconds);
    throw Error(ExitCode::data,
                std::string("the file is damaged or its disk stalls: nothing was read for ") + time, file,
                "get a fresh copy of the file, or put it on a faster disk; if its chunks are large or tiny, "
                "`h5repack -l CHUNK=...` helps");
  }
  std::vector<std::string> replies;
  for (int worker = 0; worker < workers; ++worker)
    replies.push_back(children.reply(static_cast<std::size_t>(worker), file));
  return replies;
}

void report_progress() {
  if (progress_of_job != nullptr) progress_of_job->fetch_add(1, std::memory_order_relaxed);
}

// A child gives descriptor 2 another meaning.
SharedMemory::SharedMemory() : file_(above_standard_descriptors(memfd_create("r2pac-data", MFD_CLOEXEC))) {
  if (file_ < 0)
    throw Error(ExitCode::data, std::string("cannot make shared memory to read into: ") + strerror(errno));
}

SharedMemory::~SharedMemory() {
  if (block_) munmap(block_, static_cast<std::size_t>(bytes_));
  close(file_);
}

std::byte* SharedMemory::map(std::int64_t bytes) {
  struct stat now {};
  const bool sized = fstat(file_, &now) == 0 && (now.st_size >= bytes || ftruncate(file_, bytes) == 0);
  void* block =
      sized ? mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0)
            : MAP_FAILED;
  if (block == MAP_FAILED)
    throw Error(ExitCode::data, "cannot get " + std::to_string(bytes) +
                                    " bytes of shared memory to read into: " + strerror(errno));
  block_ = static_cast<std::byte*>(block);
  bytes_ = bytes;
  return block_;
}

void SharedMemory::release(std::int64_t first, std::int64_t bytes) {
  const std::int64_t page = sysconf(_SC_PAGESIZE);
  const std::int64_t begin = (first + page - 1) / page * page, end = (first + bytes) / page * page;
  if (begin < end) madvise(block_ + begin, static_cast<std::size_t>(end - begin), MADV_REMOVE);
}

}  // namespace r2pac
