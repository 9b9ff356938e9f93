// Arrays of an untrusted HDF5 file: only what lies inside the file itself is opened, and only through filters
// that the library brings along. Internal to this folder; used inside the fence.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "data/array_file.h"
#include "data/fence.h"
#include "data/hdf5_handle.h"

namespace r2pac::hdf5 {

/// Opens a file to read, with plug-ins switched off. Throws Failure.
Handle open_file(const std::string& path);
std::int64_t stored_bytes(hid_t file);

/// An array that was opened, with its storage. Rank, extent and storage have been checked.
struct StoredArray {
  std::string name;  // as messages call it
  Handle dataset;
  hsize_t size[2] = {0, 1};   // rows, columns
  hsize_t chunk[2] = {1, 1};  // of storage; one row when it is contiguous
  bool chunked = false;
  int rank = 1;
};

/// Whether every part of a name, "infos/cost", is there.
bool contains(hid_t group, const std::string& name);

/// Opens array `name`, which may lie in groups. `missing` is the remedy if it is not there. Throws
/// array_fault for soft and external links, virtual and external storage, plug-in filters, other objects,
/// damage, and what check_extent refuses.
StoredArray open_array(hid_t group, const std::string& name, ArrayKind kind, const std::string& missing);

/// IEEE single or double precision, of either byte order.
bool is_float(hid_t type);
bool is_byte(hid_t type);
/// The boolean of h5py: an enumeration {FALSE = 0, TRUE = 1} over one byte.
bool is_h5py_boolean(hid_t type);

/// HDF5 reads zeros where nothing was ever written, and where a damaged index no longer finds it: throws
/// array_fault for such rows.
void check_written(const StoredArray& array, hsize_t row, hsize_t rows, hsize_t column);

/// Decodes rows [row, row + rows) and calls put(row, column, value) for each number. Whole chunks of columns
/// go to a small buffer first: HDF5 copies a chunk that is contiguous on both sides at once, but scatters
/// single numbers slowly. Throws Failure and array_fault.
template <class Stored, class Put>
void read_rows(const StoredArray& array, hid_t memory_type, hsize_t row, hsize_t rows, Put put) {
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

/// Whole chunks that together have so many rows that a call of the library is worth while.
hsize_t piece_rows(const StoredArray& array);

/// "is damaged: rows A to B cannot be decoded (HDF5: reason)"
Error damaged_rows(const StoredArray& array, hsize_t row, hsize_t rows, const Failure& failure);

/// The arrays below one group of a file as an ArrayFile.
class Group : public ArrayFile {
 public:
  /// prefix  what messages put before a name, "episode_3/"
  Group(hid_t group, Budget& budget, std::string prefix = "")
      : group_(group), budget_(budget), prefix_(std::move(prefix)) {}
  bool contains(const std::string& name) const override { return hdf5::contains(group_, name); }
  NumberArray read(const std::string& name, ArrayKind kind) const override;

 private:
  hid_t group_;
  Budget& budget_;
  std::string prefix_;
};

/// Opens a group that a hard link leads to. Throws array_fault otherwise.
Handle open_group(hid_t parent, const std::string& name);

}  // namespace r2pac::hdf5
