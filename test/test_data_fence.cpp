// Damaged files: what crashes, hangs or lies stays behind the fence.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <functional>

#include "data/child_reply.h"
#include "data/fence.h"
#include "test/data_support.h"

using namespace r2pac;

TEST_CASE("a damaged array is named with its rows") {
  const ScratchFolder folder;
  const std::string path = folder / "damaged.hdf5";
  const DsrlColumns columns = make_columns({{20000, false}, {20000, true}});
  write_dsrl(path, columns);
  std::string bytes = bytes_of_file(path);
  // The observations come first and take the first fifth; this is in the middle of a packed chunk.
  for (std::size_t i = bytes.size() / 10; i < bytes.size() / 10 + 1000; ++i)
    bytes[i] = static_cast<char>(0xFF);
  write_bytes(path, bytes);
  CHECK_THAT(refusal(path), Catch::Contains("array `observations` is damaged: rows ") &&
                                Catch::Contains("cannot be decoded"));
  CHECK(no_child_left());
}

TEST_CASE("the fence reports crashes, hangs and errors, and leaves no process behind") {
  const auto message = [](const std::function<std::string(int)>& job, double seconds = 20) -> std::string {
    try {
      return run_fenced(2, {std::int64_t{1} << 28, seconds}, "file", job)[1];
    } catch (const Error& error) {
      CHECK(error.where() == "file");
      return error.what();
    }
  };
  CHECK(message([](int worker) { return std::string(30000, static_cast<char>('a' + worker)); }) ==
        std::string(30000, 'b'));
  CHECK(message([](int) -> std::string { throw Error(ExitCode::data, "said so", "file"); }) == "said so");
  CHECK(message([](int) -> std::string { throw std::runtime_error("odd"); }) == "odd");
  CHECK_THAT(message([](int worker) -> std::string {
               if (worker == 1) raise(SIGSEGV);
               return "";
             }),
             Catch::Contains("damaged") && Catch::Contains("Segmentation fault"));
  CHECK_THAT(message([](int) -> std::string { _exit(0); }), Catch::Contains("damaged"));
  CHECK_THAT(message(
                 [](int) -> std::string {
                   for (;;) pause();
                 },
                 0.2),
             Catch::Contains("nothing was read for 0.2 s"));
  // What gets on may take as long as it needs.
  CHECK(message(
            [](int) -> std::string {
              for (int i = 0; i < 30; ++i) {
                usleep(50000);
                report_progress();
              }
              return "slow";
            },
            0.5) == "slow");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK_THAT(message([](int) { return std::string(std::size_t{1} << 30, 'x'); }),
             Catch::Contains("more memory"));
#endif
  CHECK(no_child_left());
}

TEST_CASE("a child's reply is not trusted") {
  const ColumnShape shape{1000, 7, 2};
  CHECK(unpack_shape(pack_shape(shape) + "notes", 1 << 20, "file") == shape);
  const auto refused = [](const std::string& reply, std::int64_t bytes = std::int64_t{1} << 62) {
    try {
      unpack_shape(reply, bytes, "file");
    } catch (const Error& error) {
      return error.code() == ExitCode::data && error.where() == "file";
    }
    return false;
  };
  const std::int64_t all = offset_of(shape, kArrays.size());
  CHECK(refused(pack_shape(shape), all - 1));
  CHECK_FALSE(refused(pack_shape(shape), all));
  for (const ColumnShape odd : {ColumnShape{0, 7, 2},
                                {-1, 7, 2},
                                {10, 0, 2},
                                {10, 7, -2},
                                {std::int64_t{1} << 62, 1 << 20, 1 << 20},
                                {10, 1 << 30, 2}})
    CHECK(refused(pack_shape(odd)));
  CHECK(refused(""));
  CHECK(refused(pack_shape(shape).substr(1)));

  const Error error = unpack_error(pack_error(Error(ExitCode::disk, "what", "where", "todo")));
  CHECK(error.code() == ExitCode::disk);
  CHECK(error.what() + error.where() + error.todo() == "whatwheretodo");
  // Neither success nor "resumable" comes out of a failure.
  for (const std::string& packed :
       {std::string(1, '\0'), std::string(1, 75), std::string("\x7fx"), std::string()})
    CHECK(unpack_error(packed).code() == ExitCode::data);
  std::string long_text(1 << 20, 'x');
  long_text[0] = 3;
  CHECK(unpack_error(long_text).where().empty());
}

TEST_CASE("random mutants are read or refused, and nothing else happens") {
  const ScratchFolder folder;
  write_dsrl(folder / "whole.hdf5", make_columns({{20, false}, {10, true}}));
  const std::string whole = bytes_of_file(folder / "whole.hdf5");
  const std::string path = folder / "mutant.hdf5";
  ReadLimits limits;
  limits.seconds = 2;
  limits.bytes = std::int64_t{64} << 20;
  int refused = 0;
  for (std::uint32_t round = 0; round < 400; ++round) {
    std::string mutant = whole;
    const auto below = [&](std::uint32_t lane, std::size_t bound) {
      return random_below(2, Purpose::test, round, lane, static_cast<std::uint32_t>(bound));
    };
    // Every other mutant changes a single bit; the rest up to eight bytes. Half of all changes go to the
    // first 2 KB, where the header and the directory of the file are.
    const std::uint32_t changes = round % 2 == 0 ? 1 : 1 + below(0, 8);
    for (std::uint32_t change = 0; change < changes; ++change) {
      const std::size_t at = below(3 * change + 1, below(3 * change + 2, 2) == 0 ? 2048 : whole.size());
      const std::uint32_t value = below(3 * change + 3, 256);
      mutant[at] =
          static_cast<char>(round % 2 == 0 ? mutant[at] ^ (1 << value % 8) : static_cast<int>(value));
    }
    write_bytes(path, mutant);
    refused += !refusal(path, limits).empty();
  }
  CHECK(refused > 40);   // the mutations do reach what is read
  CHECK(refused < 400);  // and not each byte matters
  CHECK(no_child_left());
}
