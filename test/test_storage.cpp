// Files that survive crashes: atomic writes, the log of lines, generations of checkpoints.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <random>
#include <sstream>

#include "storage/atomic_file.h"
#include "storage/generations.h"
#include "storage/json.h"
#include "storage/line_log.h"
#include "test/scratch_folder.h"

using namespace r2pac;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator{}));
}

/// What an action throws, as "code|what|where".
template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.code())) + "|" + error.what() + "|" + error.where();
  }
  return "no error";
}

/// While it lives, no file may grow beyond `bytes`; writing on gives EFBIG instead of a signal.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

/// A checkpoint whose whole content follows from its number.
constexpr std::size_t kValues = 20000;
std::vector<double> values_of(std::uint64_t number) {
  std::vector<double> values(kValues);
  for (std::size_t i = 0; i < kValues; ++i)
    values[i] = static_cast<double>(number) + 1e-6 * static_cast<double>(i);
  return values;
}

void save_number(const fs::path& folder, std::uint64_t number) {
  const std::vector<double> values = values_of(number);
  SafetensorsWriter writer;
  writer.metadata("number", std::to_string(number));
  writer.add<double>("values", {kValues}, values);
  save_generation(folder, number, writer);
}

bool holds_number(const LoadedGeneration& loaded) {
  const auto values = loaded.file.get<double>("values", {kValues});
  return loaded.file.metadata("number") == std::to_string(loaded.generation.number) &&
         std::vector<double>(values.begin(), values.end()) == values_of(loaded.generation.number);
}

void flip_bit(const fs::path& path, std::streamoff byte) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(byte);
  const int old = file.get();
  file.seekp(byte);
  file.put(static_cast<char>(old ^ 4));
}

}  // namespace

TEST_CASE("an atomic write replaces the file, parts in order, and leaves nothing else") {
  const ScratchFolder scratch;
  const fs::path path = scratch.path / "file";
  write_file_atomically(path, "old and long");
  CHECK(text_of(path) == "old and long");
  const std::string a = "one ", b, c = "two";
  const std::span<const std::byte> parts[] = {std::as_bytes(std::span(a)), std::as_bytes(std::span(b)),
                                              std::as_bytes(std::span(c))};
  write_file_atomically(path, parts);
  CHECK(text_of(path) == "one two");
  CHECK(entries(scratch.path) == 1);
}

TEST_CASE("an atomic write does not touch the bytes that an open reader sees") {
  const ScratchFolder scratch;
  const fs::path path = scratch.path / "file";
  write_file_atomically(path, "first");
  std::ifstream reader(path);
  write_file_atomically(path, "other");
  std::string seen;
  reader >> seen;
  CHECK(seen == "first");
}

TEST_CASE("an atomic write through a symbolic link replaces its target and keeps the link") {
  const ScratchFolder scratch;
  write_file_atomically(scratch.path / "target", "old");
  fs::create_symlink("target", scratch.path / "link");
  write_file_atomically(scratch.path / "link", "new");
  CHECK(fs::is_symlink(scratch.path / "link"));
  CHECK(text_of(scratch.path / "target") == "new");
}

TEST_CASE("a failed atomic write names file, reason and bytes, and keeps the old file") {
  const ScratchFolder scratch;
  const fs::path path = scratch.path / "file";
  write_file_atomically(path, "old");
  std::string error;
  {
    const FileSizeLimit limit(1000);
    error = error_of([&] { write_file_atomically(path, std::string(5000, 'x')); });
  }
  CHECK_THAT(error, Contains("8|") && Contains("File too large") && Contains("5000 bytes wanted") &&
                        Contains("bytes free") && Contains(path.string()));
  CHECK(text_of(path) == "old");
  CHECK(entries(scratch.path) == 1);

  CHECK_THAT(error_of([&] { write_file_atomically(scratch.path / "none" / "file", "x"); }),
             Contains("8|") && Contains("No such file"));
  CHECK_THAT(error_of([&] { write_file_atomically(scratch.path, "x"); }), Contains("8|cannot replace"));
  CHECK_THAT(error_of([&] { write_file_atomically("/dev/full", "x"); }), Contains("8|cannot replace"));
}

TEST_CASE("read_file returns the bytes, and refuses what it should") {
  const ScratchFolder scratch;
  const fs::path path = scratch.path / "file";
  write_file_atomically(path, "12345");
  CHECK(read_file(path, 5, ExitCode::data).size() == 5);
  CHECK_THAT(error_of([&] { read_file(path, 4, ExitCode::data); }), Contains("3|") && Contains("limit of 4"));
  CHECK_THAT(error_of([&] { read_file(scratch.path / "none", 4, ExitCode::checkpoint); }),
             Contains("5|") && Contains("No such file"));
  CHECK_THAT(error_of([&] { read_file(scratch.path, 4, ExitCode::checkpoint); }), Contains("not a regular"));
  REQUIRE(::mkfifo((scratch.path / "pipe").c_str(), 0600) == 0);
  CHECK_THAT(error_of([&] { read_file(scratch.path / "pipe", 4, ExitCode::checkpoint); }),
             Contains("not a regular"));
}

TEST_CASE("the line log appends whole lines and can be cut back by place or by content") {
  const ScratchFolder scratch;
  const fs::path path = scratch.path / "log";
  {
    LineLog log(path);
    log.append("1 a");
    log.append("2 b");
    const std::uint64_t after_two = log.size();
    log.append("3 c");
    log.append("4 d");
    log.sync();
    CHECK(log.size() == fs::file_size(path));
    log.truncate_after([](std::string_view line) { return line[0] < '4'; });
    CHECK(text_of(path) == "1 a\n2 b\n3 c\n");
    log.truncate_after(after_two);
    log.append("3 again");
    CHECK(text_of(path) == "1 a\n2 b\n3 again\n");
    CHECK_THAT(error_of([&] { log.truncate_after(5); }), Contains("8|no line") && Contains("byte 5"));
    CHECK_THAT(error_of([&] { log.truncate_after(1000); }), Contains("1000 were recorded"));
    log.truncate_after(0);
    log.append("only");
  }
  std::ofstream(path, std::ios::app) << "torn";
  LineLog log(path);
  CHECK(text_of(path) == "only\n");
  log.append("next");
  CHECK(text_of(path) == "only\nnext\n");
}

TEST_CASE("a line that does not fit leaves the log as it was") {
  const ScratchFolder scratch;
  const fs::path path = scratch.path / "log";
  LineLog log(path);
  log.append("first");
  std::string error;
  {
    const FileSizeLimit limit(20);
    error = error_of([&] { log.append(std::string(100, 'x')); });
  }
  CHECK_THAT(error, Contains("8|") && Contains("File too large") && Contains("101 bytes wanted"));
  CHECK(text_of(path) == "first\n");
  log.append("second");
  CHECK(text_of(path) == "first\nsecond\n");

  LineLog full("/dev/full");
  CHECK_THAT(error_of([&] { full.append("x"); }), Contains("8|") && Contains("No space left"));
}

TEST_CASE("two generations are kept, and a given-up future and leftovers are removed") {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path / "checkpoints";
  CHECK(list_generations(folder).empty());
  CHECK_FALSE(newest_valid_generation(folder));
  for (const std::uint64_t number : {10, 20, 30}) save_number(folder, number);
  CHECK(list_generations(folder).size() == 2);
  CHECK(generation_path(folder, 30).filename() == "step-000000030.safetensors");
  CHECK(newest_valid_generation(folder)->generation.number == 30);

  std::ofstream(folder / "step-000000031.safetensors.writing-1-0") << "torn";
  std::ofstream(folder / "step-31.safetensors") << "not ours";
  std::ofstream(folder / "notes") << "the user's";
  save_number(folder, 25);  // resumed from 20
  const auto left = list_generations(folder);
  REQUIRE(left.size() == 2);
  CHECK(left[0].number == 25);
  CHECK(left[1].number == 20);
  CHECK(entries(folder) == 4);
  CHECK(fs::exists(folder / "notes"));
  save_number(folder, 12345678901);
  CHECK(newest_valid_generation(folder)->generation.number == 12345678901);
}

TEST_CASE("a damaged newest generation falls back to the older with one warning") {
  const ScratchFolder scratch;
  save_number(scratch.path, 1);
  save_number(scratch.path, 2);
  std::vector<std::string> warnings;
  const auto warn = [&](const std::string& text) { warnings.push_back(text); };
  CHECK(newest_valid_generation(scratch.path, {}, warn)->generation.number == 2);
  CHECK(warnings.empty());

  flip_bit(generation_path(scratch.path, 2), 5000);
  const auto loaded = newest_valid_generation(scratch.path, {}, warn);
  REQUIRE(loaded);
  CHECK(loaded->generation.number == 1);
  CHECK(holds_number(*loaded));
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], Contains("step-000000002") && Contains("checksum"));

  fs::resize_file(generation_path(scratch.path, 1), 100);
  CHECK_THAT(error_of([&] { newest_valid_generation(scratch.path, {}, warn); }),
             Contains("5|none of the 2 checkpoints") && Contains("checksum"));
  CHECK(warnings.size() == 3);
}

TEST_CASE("the caller's validation takes part in the choice, and its other errors pass through") {
  const ScratchFolder scratch;
  save_number(scratch.path, 1);
  save_number(scratch.path, 2);
  int warnings = 0;
  const auto loaded = newest_valid_generation(
      scratch.path,
      [](const SafetensorsFile& file) {
        if (file.metadata("number") == "2") throw Error(ExitCode::checkpoint, "weights are missing");
      },
      [&](const std::string&) { ++warnings; });
  CHECK(loaded->generation.number == 1);
  CHECK(warnings == 1);
  CHECK_THAT(error_of([&] {
               newest_valid_generation(scratch.path, [](const SafetensorsFile&) {
                 throw Error(ExitCode::settings, "other settings");
               });
             }),
             Contains("4|other settings"));
}

TEST_CASE("a checkpoint without checksum is not trusted") {
  const ScratchFolder scratch;
  save_number(scratch.path, 1);
  std::string bare = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}} ";
  std::string bytes(1, static_cast<char>(bare.size()));
  bytes += std::string(7, '\0') + bare + "x";
  write_file_atomically(generation_path(scratch.path, 2), bytes);
  CHECK_FALSE(SafetensorsFile::read(generation_path(scratch.path, 2)).checksummed());
  CHECK(newest_valid_generation(scratch.path)->generation.number == 1);
}

TEST_CASE("a full disk keeps the older generations") {
  const ScratchFolder scratch;
  save_number(scratch.path, 1);
  save_number(scratch.path, 2);
  std::string error;
  {
    const FileSizeLimit limit(50000);
    error = error_of([&] { save_number(scratch.path, 3); });
  }
  CHECK_THAT(error, Contains("8|") && Contains("File too large") && Contains("step-000000003"));
  CHECK(entries(scratch.path) == 2);
  CHECK(holds_number(*newest_valid_generation(scratch.path)));
  save_number(scratch.path, 3);
  CHECK(newest_valid_generation(scratch.path)->generation.number == 3);
}

TEST_CASE("killed at any instant, the newest checkpoint is whole and no older than the last one saved") {
  const ScratchFolder scratch;
  // Shared with the child: the last number whose save returned.
  void* page = ::mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  auto& saved = *new (page) std::atomic<std::uint64_t>(0);
  std::mt19937 random(20240229);
  std::uniform_int_distribution<int> microseconds(0, 20000);
  int warnings = 0;
  for (int kill = 0; kill < 50; ++kill) {
    const std::uint64_t before = saved;
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        for (std::uint64_t number = saved + 1;; ++number) {
          save_number(scratch.path, number);
          saved = number;
        }
      } catch (...) {
        ::_exit(1);
      }
    }
    REQUIRE(child > 0);
    // However slow the disk, every child gets one save done; the instant after that is left to chance.
    for (int wait = 0; saved == before && wait < 100000; ++wait) ::usleep(100);
    ::usleep(static_cast<useconds_t>(microseconds(random)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    const auto loaded = newest_valid_generation(scratch.path, {}, [&](const std::string&) { ++warnings; });
    REQUIRE(loaded);
    // The save that was under way may have got as far as its rename.
    REQUIRE((loaded->generation.number == saved || loaded->generation.number == saved + 1));
    REQUIRE(holds_number(*loaded));
    saved = loaded->generation.number;
  }
  CHECK(saved >= 50);
  CHECK(warnings == 0);
  save_number(scratch.path, saved + 1);
  CHECK(entries(scratch.path) == 2);
  ::munmap(page, sizeof saved);
}

TEST_CASE("JSON is read within its limits and told apart from what is none") {
  const auto fault = [](const std::string& text, const JsonLimits& limits = {}) -> std::string {
    try {
      read_json(text, limits);
    } catch (const JsonFault& error) {
      return error.what();
    }
    return "none";
  };
  const auto nested = [](std::size_t depth, const char* open, const char* close) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += open;
    for (std::size_t i = 0; i < depth; ++i) text += close;
    return text;
  };
  CHECK(read_json(" {\"a\": [1, -2, 3.5, null, true, \"x\"]} ").dump() ==
        R"({"a":[1,-2,3.5,null,true,"x"]})");
  CHECK(fault(nested(8, "[", "]")) == "none");
  CHECK(fault(nested(9, "[", "]")) == "is nested too deeply");
  CHECK(fault(nested(1000000, "[", ""), {.bytes = 1 << 20}) == "is nested too deeply");
  CHECK(fault("{\"a\":{\"a\":[{}]}}", {.depth = 3}) == "is nested too deeply");
  CHECK(fault("{\"a\":{\"a\":[0]}}", {.depth = 3}) == "none");
  CHECK(fault("[1,2,3]", {.values = 4}) == "none");  // the list counts, too
  CHECK(fault("[1,2,3]", {.values = 3}) == "holds more than 3 values");
  CHECK(fault("[[],[],{}]", {.values = 3}) == "holds more than 3 values");
  CHECK(fault(std::string(20, ' ') + "1", {.bytes = 20}) == "has 21 bytes, more than 20");
  CHECK(fault("1e400") == "holds a number that is out of range");
  CHECK(fault(std::string("1\0", 2)) == "holds a zero byte");
  for (const char* text :
       {"", " ", "{", "[1,]", "NaN", "Infinity", "[1] [2]", "{'a':1}", "\"\xff\"", "\"\x1b\"", "01"})
    CHECK(fault(text) == "is not JSON");
}
