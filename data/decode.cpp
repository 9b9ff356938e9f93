#include "data/decode.h"

#include <algorithm>
#include <vector>

#include "data/hdf5_array.h"

namespace r2pac {
namespace {

using hdf5::Handle;
using hdf5::StoredArray;

constexpr char kAllSeven[] =
    "a DSRL file has observations, next_observations, actions, rewards, costs, terminals and timeouts";

Error fault(const ArraySpec& array, const std::string& what, const std::string& todo) {
  return array_fault(array.name, what, todo);
}

struct OpenArray {
  const ArraySpec* spec;
  StoredArray stored;
  bool flag_as_number = false;  // a flag that is stored as a float
};

void check_type(OpenArray& array) {
  const Handle type(H5Dget_type(array.stored.dataset));
  if (array.spec->flag) {
    array.flag_as_number = hdf5::is_float(type);
    if (!array.flag_as_number && !hdf5::is_byte(type) && !hdf5::is_h5py_boolean(type))
      throw fault(*array.spec, "is not made of flags", "store it as boolean, int8, uint8 or float");
  } else if (!hdf5::is_float(type)) {
    throw fault(*array.spec, "is not made of floating-point numbers", "store it as float32 or float64");
  }
}

OpenArray open_array(hid_t file, const ArraySpec& spec) {
  OpenArray array{&spec, hdf5::open_array(file, spec.name,
                                          spec.matrix() ? ArrayKind::matrix : ArrayKind::vector, kAllSeven)};
  check_type(array);
  return array;
}

// ---- all seven together -------------------------------------------------------------------------

/// Throws one Error for all faults found: the texts joined, the remedy of the first.
void throw_faults(const std::vector<Error>& faults) {
  if (faults.empty()) return;
  std::string what = faults[0].what();
  for (std::size_t i = 1; i < faults.size(); ++i) what += std::string("; ") + faults[i].what();
  throw Error(ExitCode::data, what, {}, faults[0].todo());
}

std::vector<OpenArray> open_arrays(hid_t file) {
  std::vector<OpenArray> arrays;
  std::vector<Error> faults;
  for (const ArraySpec& spec : kArrays) try {
      arrays.push_back(open_array(file, spec));
    } catch (const Error& error) {
      faults.push_back(error);
    }
  throw_faults(faults);
  const StoredArray& observations = arrays[0].stored;
  for (const OpenArray& array : arrays)
    if (array.stored.size[0] != observations.size[0])
      faults.push_back(fault(*array.spec,
                             "has " + std::to_string(array.stored.size[0]) + " rows, `observations` has " +
                                 std::to_string(observations.size[0]),
                             "all seven arrays must have the same number of rows"));
  if (arrays[1].stored.size[1] != observations.size[1])
    faults.push_back(fault(*arrays[1].spec,
                           "has " + std::to_string(arrays[1].stored.size[1]) +
                               " columns, `observations` has " + std::to_string(observations.size[1]),
                           "both must have the width of an observation"));
  throw_faults(faults);
  return arrays;
}

// ---- decoding -----------------------------------------------------------------------------------

std::uint8_t as_flag(float value, const ArraySpec& spec, hsize_t row) {
  if (value != 0.0f && value != 1.0f)
    throw fault(spec, "has the value " + std::to_string(value) + " in row " + std::to_string(row),
                "flags must be 0 or 1");
  return value != 0.0f;
}

/// Decodes rows [row, row + rows) to their place in `out`, the array's part of the block.
void decode_rows(const OpenArray& array, hsize_t row, hsize_t rows, std::byte* out) {
  const auto put_flag = [&](hsize_t r, hsize_t, auto value) {
    out[r] = std::byte{as_flag(static_cast<float>(value), *array.spec, r)};
  };
  if (array.spec->flag && array.flag_as_number)
    return hdf5::read_rows<float>(array.stored, H5T_NATIVE_FLOAT, row, rows, put_flag);
  if (array.spec->flag)
    return hdf5::read_rows<signed char>(array.stored, H5T_NATIVE_SCHAR, row, rows, put_flag);
  float* const numbers = reinterpret_cast<float*>(out);
  const hsize_t width = array.stored.size[1];
  hdf5::read_rows<float>(
      array.stored, H5T_NATIVE_FLOAT, row, rows,
      [&](hsize_t r, hsize_t column, float value) { numbers[r * width + column] = value; });
}

}  // namespace

ColumnShape decode(const std::string& path, std::int64_t budget, int worker, int workers,
                   const std::function<std::byte*(const ColumnShape&)>& allocate) try {
  const hdf5::Silence silence;
  const Handle file = hdf5::open_file(path);
  const std::vector<OpenArray> arrays = open_arrays(file);
  const ColumnShape shape{static_cast<std::int64_t>(arrays[0].stored.size[0]),
                          static_cast<std::int32_t>(arrays[0].stored.size[1]),
                          static_cast<std::int32_t>(arrays[2].stored.size[1])};
  Budget(budget, hdf5::stored_bytes(file)).claim(offset_of(shape, kArrays.size()));
  std::byte* const block = allocate(shape);

  int piece = 0;
  for (std::size_t a = 0; a < arrays.size(); ++a) {
    const StoredArray& stored = arrays[a].stored;
    const hsize_t step = hdf5::piece_rows(stored);
    for (hsize_t row = 0; row < stored.size[0]; row += step, ++piece) {
      if (piece % workers != worker) continue;
      const hsize_t rows = std::min(step, stored.size[0] - row);
      try {
        decode_rows(arrays[a], row, rows, block + offset_of(shape, a));
      } catch (const hdf5::Failure& failure) {
        throw hdf5::damaged_rows(stored, row, rows, failure);
      }
    }
  }
  return shape;
} catch (const hdf5::Failure& failure) {
  throw Error(ExitCode::data,
              std::string("the file is damaged and cannot be opened (HDF5: ") + failure.what() + ")", path,
              "get a fresh copy of the file");
} catch (const Error& error) {
  throw Error(error.code(), error.what(), path, error.todo());
}

std::string hdf5_version() {
  unsigned major = 0, minor = 0, patch = 0;
  H5get_libversion(&major, &minor, &patch);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

}  // namespace r2pac
