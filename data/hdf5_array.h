// Arrays of an untrusted HDF5 file: only what lies inside the file itself is opened, and only through filters
// that the library brings along. Internal to this folder; used inside the fence.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "data/array_file.h"
#include "data/fence.h"
#include "data/hdf5_type.h"

namespace r2pac::hdf5 {

/// Opens a file to read, with plug-ins switched off. Throws Failure.
Handle open_file(const std::string& path);
std::int64_t stored_bytes(hid_t file);

/// An array that was opened, with its storage. Rank, extent, type and storage have been checked.
struct StoredArray {
  std::string name;  // as messages call it
  Handle dataset;
  hsize_t size[2] = {0, 1};   // rows, columns
  hsize_t chunk[2] = {1, 1};  // of storage; one row when it is contiguous
  bool chunked = false;
  int rank = 1;
  NumberType type;
};

/// Whether every part of a name, "infos/cost", is there.
bool contains(hid_t group, const std::string& name);
bool is_group(hid_t parent, const std::string& name);

/// The names in a group that are `prefix` and a number: in the order of these numbers.
std::vector<std::pair<std::int64_t, std::string>> numbered_names(hid_t group, const std::string& prefix);

/// Opens array `name`, which may lie in groups. `missing` is the remedy if it is not there. Throws
/// array_fault for soft and external links, virtual and external storage, plug-in filters, chunks much larger
/// than the array, other objects, damage, and what check_extent and number_type refuse.
StoredArray open_array(hid_t group, const std::string& name, ArrayKind kind, const std::string& missing);

/// HDF5 reads zeros where nothing was ever written, and where a damaged index no longer finds it: throws
/// array_fault for such rows.
void check_written(const StoredArray& array, hsize_t row, hsize_t rows, hsize_t column);

/// Decodes rows [row, row + rows) and calls put(row, column, value) for each number. Whole chunks of columns
/// go to a small buffer first: HDF5 copies a chunk that is contiguous on both sides at once, but scatters
/// single numbers slowly. Throws Failure and array_fault.
template <class Stored, class Put>
void read_rows_as(const StoredArray& array, hid_t memory_type, hsize_t row, hsize_t rows, Put put) {
  const Handle file_space(H5Dget_space(array.dataset));
  std::vector<Stored> buffer;
  const hsize_t width = array.size[1];
  for (hsize_t column = 0; column < width; column += array.chunk[1]) {
    const hsize_t first[2] = {row, column}, count[2] = {rows, std::min(array.chunk[1], width - column)};
    check_written(array, row, rows, column);
    const Handle memory_space(H5Screate_simple(array.rank, count, nullptr));
    check(H5Sselect_hyperslab(file_space, H5S_SELECT_SET, first, nullptr, count, nullptr));
    buffer.resize(rows * count[1]);
    check(H5Dread(array.dataset, memory_type, memory_space, file_space, H5P_DEFAULT, buffer.data()));
    report_progress();
    for (hsize_t i = 0; i < rows; ++i)
      for (hsize_t c = 0; c < count[1]; ++c) put(row + i, column + c, buffer[i * count[1] + c]);
  }
}

/// The same for an array of any accepted type: the values are doubles where `type.memory` is wide, and fit
/// into a float otherwise. Failures are thrown as array_fault with the rows.
template <class Put>
void read_rows(const StoredArray& array, hsize_t row, hsize_t rows, Put put);

/// Whole chunks that together have so many rows that a call of the library is worth while.
hsize_t piece_rows(const StoredArray& array);

/// What the library takes to read, besides chunks.
inline constexpr std::int64_t kLibraryBytes = std::int64_t{64} << 20;

/// Memory that decoding a piece takes besides the place of its numbers: the packed and the unpacked chunk,
/// and the piece before it is put there.
std::int64_t working_bytes(const StoredArray& array);

/// "array x: rows A to B cannot be decoded", or what else the failure means.
Error rows_failure(const StoredArray& array, hsize_t row, hsize_t rows, const Failure& failure);

/// The arrays below one group of a file as an ArrayFile.
class Group : public ArrayFile {
 public:
  /// prefix  what messages put before a name, "episode_3/". turned  arrays are stored transposed, as MATLAB
  /// writes them, and are turned back
  Group(hid_t group, Budget& budget, std::string prefix = "", bool turned = false)
      : group_(group), budget_(budget), prefix_(std::move(prefix)), turned_(turned) {}
  bool contains(const std::string& name) const override { return hdf5::contains(group_, name); }
  NumberArray read(const std::string& name, ArrayKind kind) const override;
  std::vector<std::string> names() const override;
  ArrayExtent extent(const std::string& name) const override;

 private:
  hid_t group_;
  Budget& budget_;
  std::string prefix_;
  bool turned_;
};

/// A single number or boolean. Throws array_fault.
double read_scalar(hid_t group, const std::string& name);

/// Opens a group that hard links lead to. Throws array_fault otherwise.
Handle open_group(hid_t parent, const std::string& name);

template <class Put>
void read_rows(const StoredArray& array, hsize_t row, hsize_t rows, Put put) try {
  switch (array.type.memory) {
    case Memory::signed_byte:
      return read_rows_as<signed char>(array, H5T_NATIVE_SCHAR, row, rows, put);
    case Memory::bits:
      return read_rows_as<unsigned char>(array, H5T_NATIVE_B8, row, rows, put);
    case Memory::single:
      return read_rows_as<float>(array, H5T_NATIVE_FLOAT, row, rows, put);
    case Memory::wide:
      return read_rows_as<double>(array, H5T_NATIVE_DOUBLE, row, rows, put);
  }
} catch (const Failure& failure) {
  throw rows_failure(array, row, rows, failure);
}

}  // namespace r2pac::hdf5
