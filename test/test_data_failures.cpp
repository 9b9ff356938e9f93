// Whole files that cannot be read all the same: each says why, and none is called damaged.
#include <hdf5.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <functional>

#include "test/data_support.h"
#include "test/program.h"

using namespace r2pac;

namespace {

DsrlColumns good_columns() { return make_columns({{20, false}, {10, true}}); }

struct Told {
  std::string what, todo;
};

Told told(const std::string& path) {
  try {
    read_dsrl(path);
    return {};
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::data);
    CHECK(error.where() == path);
    return {error.what(), error.todo()};
  }
}

/// A file in the latest format, which has a mark for writers and checksums; `writing` sees it while it is
/// open.
void write_latest(const std::string& path, const std::function<void(hid_t)>& writing = {}) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  REQUIRE(file >= 0);
  const DsrlColumns c = good_columns();
  const auto put = [&](const char* name, hid_t type, const void* values, std::vector<hsize_t> size) {
    const hid_t space = H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr);
    const hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    REQUIRE(H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(array);
    H5Sclose(space);
  };
  put("observations", H5T_NATIVE_FLOAT, c.observations.data(), {30, 3});
  put("next_observations", H5T_NATIVE_FLOAT, c.next_observations.data(), {30, 3});
  put("actions", H5T_NATIVE_FLOAT, c.actions.data(), {30, 2});
  put("rewards", H5T_NATIVE_FLOAT, c.rewards.data(), {30});
  put("costs", H5T_NATIVE_FLOAT, c.costs.data(), {30});
  put("terminals", H5T_NATIVE_UINT8, c.terminals.data(), {30});
  put("timeouts", H5T_NATIVE_UINT8, c.timeouts.data(), {30});
  if (writing) writing(file);
  H5Fclose(file);
  H5Pclose(access);
}

}  // namespace

TEST_CASE("a writer that died has left its mark") {
  const ScratchFolder folder;
  write_latest(folder / "x", [&](hid_t file) {
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    REQUIRE(H5Fstart_swmr_write(file) >= 0);
    write_bytes(folder / "died.hdf5", bytes_of_file(folder / "x"));
  });
  const Told error = told(folder / "died.hdf5");
  CHECK_THAT(error.what, Catch::Contains("still open for writing, or its writer died"));
  CHECK_THAT(error.todo, Catch::Contains("h5clear -s"));
  CHECK(told(folder / "x").what.empty());
}

TEST_CASE("a program that writes it now holds a lock") {
  const ScratchFolder folder;
  const std::string path = folder / "open.hdf5";
  write_dsrl(path, good_columns());
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);  // locks exclusively
  REQUIRE(file >= 0);
  const ProgramResult locked = run_program({"data", "info", path});
  CHECK(locked.status == static_cast<int>(ExitCode::data));
  CHECK_THAT(locked.err, Catch::Contains("another program has it open for writing"));
  H5Fclose(file);
  CHECK(told(path).what.empty());
}

TEST_CASE("a version that the library does not know is a newer format") {
  const ScratchFolder folder;
  const std::string path = folder / "newer.hdf5";
  write_latest(path);
  std::string bytes = bytes_of_file(path);
  bytes[8] = 9;  // of the superblock
  write_bytes(path, bytes);
  const Told error = told(path);
  CHECK_THAT(error.what, Catch::Contains("newer format than HDF5 " + hdf5_version() + " reads"));
  CHECK_THAT(error.todo, Catch::Contains("libver=(\"earliest\", \"v110\")"));
}

TEST_CASE("a file of another kind is called by its name") {
  const ScratchFolder folder;
  struct Case {
    std::string bytes, what, todo;
  };
  for (const Case& c :
       {Case{"PK\x03\x04 and so on", "zip archive", "data convert"},
        Case{"\x93NUMPY\x01", "single NumPy array", "numpy.savez"},
        Case{"\x80\x04\x95", "Python pickle", "numpy.savez"},
        Case{"MATLAB 5.0 MAT-file", "MATLAB file of version 5", "-v7.3"},
        Case{"PAR1 and so on", "Parquet", "to_csv"}, Case{"\x1f\x8b\x08", "gzip", "gunzip"},
        Case{"<!DOCTYPE html>\n<html>", "web page", "repeat it"},
        Case{"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS", "git lfs pull"},
        Case{"obs_0,action_0\n0.5,0.25\n", "text, not an HDF5 file", "data convert"},
        Case{std::string(100, '\xEE'), "not an HDF5 file", "data convert"}}) {
    write_bytes(folder / "file", c.bytes);
    const Told error = told(folder / "file");
    CHECK_THAT(error.what, Catch::Contains(c.what));
    CHECK_THAT(error.todo, Catch::Contains(c.todo));
  }
}

#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // these need memory and descriptors of their own
TEST_CASE("too few descriptors and too little memory are no damage") {
  const ScratchFolder folder;
  const std::string path = folder / "whole.hdf5";
  write_dsrl(path, make_columns({{20000, false}, {20000, true}}));
  const auto with_limit = [&](__rlimit_resource resource, rlim_t value) {
    rlimit before{};
    getrlimit(resource, &before);
    const rlimit small{std::min(value, before.rlim_max), before.rlim_max};
    setrlimit(resource, &small);
    const ProgramResult result = run_program({"data", "check", path});
    setrlimit(resource, &before);
    return result;
  };
  int read = 0, refused = 0;
  const auto judge = [&](const ProgramResult& result, rlim_t value) {
    INFO(value << ": " << result.status << " " << result.out << result.err);
    if (result.status == 127) return;  // the program's loader had too few: what starts us may leave some open
    CHECK((result.status == 0 || result.status == 3));
    read += result.status == 0;
    refused += result.status == 3;
    const bool honest = result.out.find("is damaged") == std::string::npos ||
                        result.out.find("too little") != std::string::npos;
    CHECK(honest);
  };
  for (rlim_t descriptors = 4; descriptors <= 12; ++descriptors)
    judge(with_limit(RLIMIT_NOFILE, descriptors), descriptors);
  CHECK(read > 0);
  CHECK(refused > 0);
}
#endif
