// Every system call of a save made to fail in turn. The linker sends the calls of r2pac_storage through here.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdarg>
#include <cstring>

#include "storage/generations.h"
#include "test/scratch_folder.h"

using namespace r2pac;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

enum class Call { open, write, short_write, fsync, rename, close };

struct Fault {
  Call call = Call::open;
  int error_number = 0;
  int countdown = -1;  ///< fails the call that finds it at 0; negative: nothing fails
  bool met = false;

  bool now(Call made) {
    if (made != call || countdown < 0 || countdown-- > 0) return false;
    met = true;
    errno = error_number;
    return true;
  }
} fault;

}  // namespace

extern "C" {
int __real_open(const char* path, int flags, ...);
ssize_t __real_write(int fd, const void* bytes, size_t count);
int __real_fsync(int fd);
int __real_rename(const char* from, const char* to);
int __real_close(int fd);

int __wrap_open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const auto mode = va_arg(list, mode_t);
  va_end(list);
  return fault.now(Call::open) ? -1 : __real_open(path, flags, mode);
}
ssize_t __wrap_write(int fd, const void* bytes, size_t count) {
  if (fault.now(Call::write)) return -1;
  if (fault.now(Call::short_write)) count = (count + 1) / 2;
  return __real_write(fd, bytes, count);
}
int __wrap_fsync(int fd) { return fault.now(Call::fsync) ? -1 : __real_fsync(fd); }
int __wrap_rename(const char* from, const char* to) {
  return fault.now(Call::rename) ? -1 : __real_rename(from, to);
}
int __wrap_close(int fd) {
  const int result = __real_close(fd);
  return fault.now(Call::close) ? -1 : result;
}
}

namespace {

constexpr std::size_t kValues = 1000;

void save(const fs::path& folder, std::uint64_t number) {
  const std::vector<double> values(kValues, static_cast<double>(number));
  SafetensorsWriter writer;
  writer.add<double>("a", {kValues}, values);
  writer.add<double>("b", {kValues}, values);
  save_generation(folder, number, writer);
}

std::uint64_t newest(const fs::path& folder) {
  const auto loaded = newest_valid_generation(folder);
  if (!loaded) return 0;
  for (const char* name : {"a", "b"})
    for (const double value : loaded->file.get<double>(name, {kValues}))
      if (value != static_cast<double>(loaded->generation.number)) return 0;
  return loaded->generation.number;
}

bool has_temporary(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() != ".safetensors") return true;
  return false;
}

/// Fails the k-th such call of a save, for every k there is, and checks what is left. Returns how many there
/// were.
int fail_each(Call call, int error_number, bool should_recover) {
  for (int k = 0;; ++k) {
    const ScratchFolder scratch;
    save(scratch.path, 1);
    fault = {.call = call, .error_number = error_number, .countdown = k, .met = false};
    std::string message;
    try {
      save(scratch.path, 2);
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::disk);
      CHECK_THAT(error.where(), Contains(scratch.path.string()));
      message = error.what();
    }
    fault.countdown = -1;
    const bool met = fault.met;
    INFO("call " << static_cast<int>(call) << ", time " << k << ", " << std::strerror(error_number));
    if (met && !should_recover)
      CHECK_THAT(message,
                 Contains(std::strerror(error_number)) && Contains("bytes wanted") && Contains("free"));
    else
      CHECK(message.empty());
    CHECK_FALSE(has_temporary(scratch.path));
    const std::uint64_t found = newest(scratch.path);
    CHECK((found == 2 || (found == 1 && met && !should_recover)));
    save(scratch.path, 3);
    CHECK(newest(scratch.path) == 3);
    if (!met) return k;
  }
}

}  // namespace

TEST_CASE("a save in which any one call fails leaves the old checkpoint or the new one") {
  for (const int error_number : {EIO, ENOSPC, EDQUOT}) {
    CHECK(fail_each(Call::open, error_number, false) == 2);   // temporary file, folder
    CHECK(fail_each(Call::write, error_number, false) == 3);  // header and two tensors
    CHECK(fail_each(Call::fsync, error_number, false) == 2);  // file, folder
    CHECK(fail_each(Call::rename, error_number, false) == 1);
  }
}

TEST_CASE("interrupted and short calls are carried on with") {
  CHECK(fail_each(Call::open, EINTR, true) == 2);
  CHECK(fail_each(Call::write, EINTR, true) == 3);
  CHECK(fail_each(Call::short_write, 0, true) == 3);
  CHECK(fail_each(Call::fsync, EINTR, true) == 2);
}

TEST_CASE("a write error that only closing reports is not missed") {
  // The last close is that of the folder, which has nothing to write: only the first may fail the save.
  const ScratchFolder scratch;
  save(scratch.path, 1);
  fault = {.call = Call::close, .error_number = EIO, .countdown = 0, .met = false};
  CHECK_THROWS_WITH(save(scratch.path, 2), Contains("Input/output error") && Contains("closing"));
  CHECK(newest(scratch.path) == 1);
  CHECK_FALSE(has_temporary(scratch.path));
}
