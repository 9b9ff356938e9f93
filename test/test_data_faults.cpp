// Files of every accepted and every refused kind, made by hand through the HDF5 C API.
#include <hdf5.h>

#include <catch2/catch.hpp>
#include <functional>
#include <map>

#include "data/dataset.h"
#include "test/data_support.h"

using namespace r2pac;

namespace {

constexpr hsize_t kRows = 30;

DsrlColumns good_columns() { return make_columns({{20, false}, {10, true}}); }

/// Makes one array in an open file.
using MakeArray = std::function<void(hid_t file, const char* name)>;

/// An array of zeros (or of `value` where the type is float64) of any type, shape and creation settings.
void make_array(hid_t file, const char* name, hid_t type, std::vector<hsize_t> size,
                hid_t settings = H5P_DEFAULT, const std::vector<double>& values = {}) {
  const hid_t space = H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr);
  const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, settings, H5P_DEFAULT);
  REQUIRE(dataset >= 0);
  if (!values.empty())
    REQUIRE(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
  H5Dclose(dataset);
  H5Sclose(space);
}

/// The good file with some arrays taken out and made anew. An empty function leaves the array out.
void make_file(const std::string& path, const std::map<std::string, MakeArray>& replaced) {
  write_dsrl(path, good_columns());
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  REQUIRE(file >= 0);
  for (const auto& [name, make] : replaced) {
    REQUIRE(H5Ldelete(file, name.c_str(), H5P_DEFAULT) >= 0);
    if (make) make(file, name.c_str());
  }
  REQUIRE(H5Fclose(file) >= 0);
}

std::vector<double> widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }
std::vector<double> widened(const std::vector<std::uint8_t>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("every accepted type and shape gives the same columns") {
  const ScratchFolder folder;
  const DsrlColumns good = good_columns();
  const std::string path = folder / "variant.hdf5";
  const std::string fingerprint = make_dataset(good, path).fingerprint;
  const auto numbers = [](hid_t type, std::vector<hsize_t> size, const std::vector<float>& values) {
    return [=](hid_t file, const char* name) {
      make_array(file, name, type, size, H5P_DEFAULT, widened(values));
    };
  };
  const auto flags = [](hid_t type, std::vector<hsize_t> size, const std::vector<std::uint8_t>& values) {
    return [=](hid_t file, const char* name) {
      make_array(file, name, type, size, H5P_DEFAULT, widened(values));
    };
  };
  for (const hid_t type : {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE})
    for (const bool column : {false, true}) {
      const std::vector<hsize_t> size = column ? std::vector<hsize_t>{kRows, 1} : std::vector<hsize_t>{kRows};
      make_file(path, {{"observations", numbers(type, {kRows, 3}, good.observations)},
                       {"next_observations", numbers(type, {kRows, 3}, good.next_observations)},
                       {"actions", numbers(type, {kRows, 2}, good.actions)},
                       {"rewards", numbers(type, size, good.rewards)},
                       {"costs", numbers(type, size, good.costs)},
                       {"terminals", flags(type, size, good.terminals)},
                       {"timeouts", flags(type, size, good.timeouts)}});
      CHECK(load_dataset(path).fingerprint == fingerprint);
    }
  for (const hid_t type : {H5T_STD_I8LE, H5T_STD_U8LE}) {
    make_file(path, {{"terminals", flags(type, {kRows}, good.terminals)},
                     {"timeouts", flags(type, {kRows, 1}, good.timeouts)},
                     {"costs", numbers(H5T_IEEE_F64BE, {kRows}, good.costs)}});
    CHECK(load_dataset(path).fingerprint == fingerprint);
  }
  SECTION("integers of every size, half precision and bits") {
    std::vector<float> whole(kRows);
    for (std::size_t i = 0; i < kRows; ++i) whole[i] = static_cast<float>(i % 5);
    DsrlColumns counted = good;
    counted.costs = whole;
    const std::string expected = make_dataset(counted, path).fingerprint;
    const hid_t half = H5Tcopy(H5T_IEEE_F32BE);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    for (const hid_t type :
         {H5T_STD_I8LE, H5T_STD_U16BE, H5T_STD_I32LE, H5T_STD_U32BE, H5T_STD_I64LE, H5T_STD_U64BE, half}) {
      make_file(path, {{"costs", numbers(type, {kRows, 1}, whole)},
                       {"terminals", flags(type, {kRows}, good.terminals)},
                       {"timeouts", flags(type, {kRows, 1}, good.timeouts)}});
      CHECK(load_dataset(path).fingerprint == expected);
    }
    H5Tclose(half);
  }
  SECTION("filters of the library, odd chunks, more arrays than seven, a user block") {
    const auto filtered = [&](hid_t file, const char* name) {
      const hid_t settings = H5Pcreate(H5P_DATASET_CREATE);
      const hsize_t chunk[2] = {7, 2};
      H5Pset_chunk(settings, 2, chunk);
      H5Pset_shuffle(settings);
      H5Pset_deflate(settings, 9);
      H5Pset_fletcher32(settings);
      make_array(file, name, H5T_IEEE_F64BE, {kRows, 3}, settings, widened(good.observations));
      make_array(file, "extra", H5T_STD_I64LE, {4, 4, 4});
      H5Pclose(settings);
    };
    make_file(path, {{"observations", filtered}});
    CHECK(load_dataset(path).fingerprint == fingerprint);
    write_dsrl(path, good);
    write_bytes(folder / "block.hdf5", std::string(512, ' ') + bytes_of_file(path));
    CHECK(load_dataset(folder / "block.hdf5").fingerprint == fingerprint);
  }
  SECTION("a later file format") {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    numbers(H5T_IEEE_F32LE, {kRows, 3}, good.observations)(file, "observations");
    numbers(H5T_IEEE_F32LE, {kRows, 3}, good.next_observations)(file, "next_observations");
    numbers(H5T_IEEE_F32LE, {kRows, 2}, good.actions)(file, "actions");
    numbers(H5T_IEEE_F32LE, {kRows}, good.rewards)(file, "rewards");
    numbers(H5T_IEEE_F32LE, {kRows}, good.costs)(file, "costs");
    flags(H5T_STD_I8LE, {kRows}, good.terminals)(file, "terminals");
    flags(H5T_STD_I8LE, {kRows}, good.timeouts)(file, "timeouts");
    H5Fclose(file);
    H5Pclose(access);
    CHECK(load_dataset(path).fingerprint == fingerprint);
    const std::string whole = bytes_of_file(path);
    write_bytes(path, whole.substr(0, whole.size() - 1));
    CHECK_THAT(refusal(path),
               Catch::Contains("truncated: it says " + std::to_string(whole.size()) + " bytes"));
  }
}

TEST_CASE("what is not an HDF5 file, or not all of one") {
  const ScratchFolder folder;
  CHECK_THAT(refusal(folder / "missing.hdf5"), Catch::Contains("No such file"));
  CHECK_THAT(refusal(folder / ""), Catch::Contains("directory"));
  write_bytes(folder / "empty.hdf5", "");
  CHECK_THAT(refusal(folder / "empty.hdf5"), Catch::Contains("empty"));
  write_bytes(folder / "text.hdf5", "observation,action\n1,2\n");
  CHECK_THAT(refusal(folder / "text.hdf5"), Catch::Contains("not an HDF5 file"));
  CHECK_THAT(refusal("/dev/null"), Catch::Contains("not a regular file"));

  write_dsrl(folder / "whole.hdf5", good_columns());
  const std::string whole = bytes_of_file(folder / "whole.hdf5");
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}}) {
    write_bytes(folder / "cut.hdf5", whole.substr(0, size));
    CHECK_THAT(refusal(folder / "cut.hdf5"), Catch::Contains("not an HDF5 file"));
  }
  for (const std::size_t size : {std::size_t{8}, std::size_t{40}, std::size_t{63}}) {
    write_bytes(folder / "cut.hdf5", whole.substr(0, size));
    CHECK_THAT(refusal(folder / "cut.hdf5"), Catch::Contains("inside its header"));
  }
  for (const std::size_t size : {std::size_t{64}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_bytes(folder / "cut.hdf5", whole.substr(0, size));
    CHECK(refusal(folder / "cut.hdf5") == "the file is truncated: it says " + std::to_string(whole.size()) +
                                              " bytes, it has " + std::to_string(size));
  }
  CHECK(no_child_left());
}

TEST_CASE("arrays that are missing or do not fit, each with its message") {
  const ScratchFolder folder;
  const std::string path = folder / "bad.hdf5";
  const auto array = [](hid_t type, std::vector<hsize_t> size) -> MakeArray {
    return [=](hid_t file, const char* name) { make_array(file, name, type, size); };
  };
  struct Case {
    std::map<std::string, MakeArray> replaced;
    std::string message;
  };
  const MakeArray none;
  const hid_t number = H5T_IEEE_F32LE;
  for (const Case& c : {
           Case{{{"costs", none}}, "array `costs` is missing"},
           Case{{{"costs", none}, {"rewards", none}}, "array `rewards` is missing; array `costs` is missing"},
           Case{{{"costs", array(number, {29})}}, "array `costs` has 29 rows, `observations` has 30"},
           Case{{{"costs", array(number, {29})}, {"timeouts", array(number, {31})}},
                "array `costs` has 29 rows, `observations` has 30; array `timeouts` has 31 rows, "
                "`observations` has 30"},
           Case{{{"next_observations", array(number, {30, 4})}},
                "array `next_observations` has 4 columns, `observations` has 3"},
           Case{{{"actions", array(number, {30})}}, "array `actions` has 1 dimensions"},
           Case{{{"observations", array(number, {30, 3, 1})}}, "array `observations` has 3 dimensions"},
           Case{{{"rewards", array(number, {30, 2})}}, "array `rewards` has 2 columns"},
           Case{{{"actions", array(number, {0, 2})}}, "array `actions` is empty"},
           Case{{{"actions", array(H5T_STD_I32LE, {30, 2})}},
                "array `actions` is made of whole numbers: these are discrete actions"},
           Case{{{"costs", array(H5T_C_S1, {30})}}, "array `costs` is made of text, not of numbers"},
           Case{{{"terminals", array(H5T_C_S1, {30})}}, "array `terminals` is made of text, not of numbers"},
           Case{{{"rewards", array(H5T_NATIVE_LDOUBLE, {30})}},
                "array `rewards` is made of numbers of 16 bytes in an uncommon format"},
           Case{{{"rewards", array(number, {1, 30})}},
                "array `rewards` has 1 row and 30 columns: it is transposed, as MATLAB writes"},
           Case{{{"timeouts",
                  [](hid_t file, const char*name) {
                    H5Gclose(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
                  }}},
                "array `timeouts` is a group or a type, not an array"},
       }) {
    make_file(path, c.replaced);
    CHECK(refusal(path) == c.message);
  }
  // Flags with other values, as bytes and as numbers.
  for (const double value : {2.0, 0.5}) {
    const hid_t type = value == 2.0 ? H5T_STD_U8LE : H5T_IEEE_F32LE;
    std::vector<double> values(kRows, 0.0);
    values[17] = value;
    make_file(path, {{"timeouts", [&](hid_t file, const char* name) {
                        make_array(file, name, type, {kRows}, H5P_DEFAULT, values);
                      }}});
    CHECK_THAT(refusal(path),
               Catch::Contains("array `timeouts` has the value " + std::to_string(value) + " in row 17"));
  }
}

TEST_CASE("an enumeration that is no boolean is refused") {
  const ScratchFolder folder;
  const hid_t type = H5Tenum_create(H5T_STD_I8LE);
  const signed char low = 0, high = 1;
  H5Tenum_insert(type, "TRUE", &low);  // the wrong way round
  H5Tenum_insert(type, "FALSE", &high);
  make_file(folder / "enum.hdf5",
            {{"terminals", [&](hid_t file, const char* name) { make_array(file, name, type, {kRows}); }}});
  H5Tclose(type);
  CHECK(refusal(folder / "enum.hdf5") == "array `terminals` is made of an enumeration, not of numbers");
}

TEST_CASE("data that lie elsewhere are refused, even when they are there") {
  const ScratchFolder folder;
  const std::string path = folder / "links.hdf5", other = folder / "other.hdf5";
  write_dsrl(other, good_columns());
  SECTION("soft link") {
    make_file(path, {{"costs", [](hid_t file, const char* name) {
                        H5Lcreate_soft("/rewards", file, name, H5P_DEFAULT, H5P_DEFAULT);
                      }}});
    CHECK(refusal(path) == "array `costs` is a soft link");
  }
  SECTION("external link") {
    make_file(path, {{"costs", [&](hid_t file, const char* name) {
                        H5Lcreate_external(other.c_str(), "/costs", file, name, H5P_DEFAULT, H5P_DEFAULT);
                      }}});
    CHECK(refusal(path) == "array `costs` is an external link, to another file");
  }
  SECTION("virtual data set") {
    make_file(path, {{"costs", [&](hid_t file, const char* name) {
                        const hsize_t size[1] = {kRows};
                        const hid_t space = H5Screate_simple(1, size, nullptr),
                                    settings = H5Pcreate(H5P_DATASET_CREATE);
                        H5Pset_virtual(settings, space, other.c_str(), "/costs", space);
                        make_array(file, name, H5T_IEEE_F32LE, {kRows}, settings);
                        H5Pclose(settings);
                        H5Sclose(space);
                      }}});
    CHECK_THAT(refusal(path), Catch::Contains("array `costs` is a virtual data set"));
  }
  SECTION("external storage") {
    write_bytes(folder / "raw.bin", std::string(kRows * 4, '\0'));
    make_file(path, {{"costs", [&](hid_t file, const char* name) {
                        const hid_t settings = H5Pcreate(H5P_DATASET_CREATE);
                        H5Pset_external(settings, (folder / "raw.bin").c_str(), 0, kRows * 4);
                        make_array(file, name, H5T_IEEE_F32LE, {kRows}, settings);
                        H5Pclose(settings);
                      }}});
    CHECK(refusal(path) == "array `costs` keeps its data in an external file");
  }
}

TEST_CASE("filters that need a plug-in are refused") {
  const ScratchFolder folder;
  // A filter that this process knows while it makes the file; 32015 is Zstandard's number.
  constexpr H5Z_filter_t kFilter = 32015;
  const H5Z_class2_t filter{
      H5Z_CLASS_T_VERS,
      kFilter,
      1,
      1,
      "test",
      nullptr,
      nullptr,
      [](unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*, void**) { return bytes; }};
  REQUIRE(H5Zregister(&filter) >= 0);
  make_file(folder / "plugin.hdf5", {{"costs", [](hid_t file, const char* name) {
                                        const hid_t settings = H5Pcreate(H5P_DATASET_CREATE);
                                        const hsize_t chunk[1] = {10};
                                        H5Pset_chunk(settings, 1, chunk);
                                        H5Pset_filter(settings, kFilter, H5Z_FLAG_MANDATORY, 0, nullptr);
                                        make_array(file, name, H5T_IEEE_F32LE, {kRows}, settings);
                                        H5Pclose(settings);
                                      }}});
  H5Zunregister(kFilter);
  CHECK(refusal(folder / "plugin.hdf5") ==
        "array `costs` is packed with filter 32015, which would need a plug-in");
}

TEST_CASE("files that claim too much are refused before anything is allocated") {
  const ScratchFolder folder;
  const std::string path = folder / "huge.hdf5";
  // Chunks that were never written take no room in the file.
  const auto claim = [](hsize_t rows, hsize_t columns) -> MakeArray {
    return [=](hid_t file, const char* name) {
      const hid_t settings = H5Pcreate(H5P_DATASET_CREATE);
      const std::vector<hsize_t> size =
          columns == 0 ? std::vector<hsize_t>{rows} : std::vector<hsize_t>{rows, columns};
      const hsize_t chunk[2] = {1000, 1};
      H5Pset_chunk(settings, static_cast<int>(size.size()), chunk);
      make_array(file, name, H5T_IEEE_F32LE, size, settings);
      H5Pclose(settings);
    };
  };
  const auto all = [&](hsize_t rows) -> std::map<std::string, MakeArray> {
    return {{"observations", claim(rows, 3)}, {"next_observations", claim(rows, 3)},
            {"actions", claim(rows, 2)},      {"rewards", claim(rows, 0)},
            {"costs", claim(rows, 0)},        {"terminals", claim(rows, 0)},
            {"timeouts", claim(rows, 0)}};
  };
  make_file(path, all(4000000000));
  CHECK_THAT(refusal(path), Catch::Contains("bytes are allowed") || Catch::Contains("are allowed"));
  ReadLimits much;
  much.bytes = std::int64_t{1} << 50;
  CHECK_THAT(refusal(path, much), Catch::Contains("more than a thousand times the size of the file"));
  make_file(path, all(hsize_t{1} << 40));
  CHECK_THAT(refusal(path, much), Catch::Contains("claims 1099511627776 rows"));

  write_dsrl(path, good_columns());
  ReadLimits little;
  little.bytes = 100;
  CHECK_THAT(refusal(path, little), Catch::Contains("100 are allowed"));
}

TEST_CASE("chunks count as memory: far larger than the array they are refused") {
  const ScratchFolder folder;
  const auto with_chunks = [&](hsize_t rows) {
    make_file(
        folder / "chunks.hdf5",
        {{"costs", [&](hid_t file, const char* name) {
            const hid_t settings = H5Pcreate(H5P_DATASET_CREATE);
            const hsize_t chunk[1] = {rows}, size[1] = {kRows}, most[1] = {H5S_UNLIMITED};
            H5Pset_chunk(settings, 1, chunk);
            H5Pset_deflate(settings, 9);
            const hid_t space = H5Screate_simple(1, size, most);
            const hid_t dataset =
                H5Dcreate2(file, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, settings, H5P_DEFAULT);
            const std::vector<float> zeros(kRows);
            CHECK(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros.data()) >= 0);
            H5Dclose(dataset);
            H5Sclose(space);
            H5Pclose(settings);
          }}});
    return refusal(folder / "chunks.hdf5");
  };
  CHECK(with_chunks(1 << 20).empty());
  CHECK_THAT(with_chunks(100 << 20), Catch::Contains("array `costs` is stored in chunks of 419430400 bytes"));
}

TEST_CASE("an array that was never wholly written is not read as zeros") {
  const ScratchFolder folder;
  const std::string path = folder / "gap.hdf5";
  SECTION("nothing, contiguous") {
    make_file(
        path,
        {{"costs", [](hid_t file, const char* name) { make_array(file, name, H5T_IEEE_F32LE, {kRows}); }}});
    CHECK_THAT(refusal(path), Catch::Contains("array `costs` is incomplete: from row 0 on"));
  }
  SECTION("one chunk of three") {
    make_file(path, {{"costs", [](hid_t file, const char* name) {
                        const hid_t settings = H5Pcreate(H5P_DATASET_CREATE);
                        const hsize_t chunk[1] = {10}, first[1] = {0}, all[1] = {20};
                        H5Pset_chunk(settings, 1, chunk);
                        make_array(file, name, H5T_IEEE_F32LE, {kRows}, settings);
                        const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
                        const hid_t space = H5Dget_space(dataset), memory = H5Screate_simple(1, all, nullptr);
                        H5Sselect_hyperslab(space, H5S_SELECT_SET, first, nullptr, all, nullptr);
                        const float values[20] = {};
                        CHECK(H5Dwrite(dataset, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values) >= 0);
                        H5Sclose(memory);
                        H5Sclose(space);
                        H5Dclose(dataset);
                        H5Pclose(settings);
                      }}});
    CHECK_THAT(refusal(path), Catch::Contains("array `costs` is incomplete: from row 20 on"));
  }
}
