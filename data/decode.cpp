#include "data/decode.h"

#include <algorithm>
#include <vector>

#include "data/hdf5_handle.h"

namespace r2pac {
namespace {

using hdf5::Handle;

constexpr std::int64_t kMostRows = (std::int64_t{1} << 32) - 1;  // window starts are 32-bit
constexpr std::int64_t kMostColumns = 1 << 20;
constexpr std::int64_t kSuspiciousBytes = std::int64_t{4} << 30;  // with a ratio above
constexpr std::int64_t kMostExpansion = 1000;                     // gzip's limit on honest data is about 1030
constexpr hsize_t kPieceRows = 16384;  // a piece is at least so many rows, or a chunk

std::string quoted(const ArraySpec& array) { return std::string("array `") + array.name + "`"; }

Error fault(const ArraySpec& array, const std::string& what, const std::string& todo) {
  return Error(ExitCode::data, quoted(array) + " " + what, {}, todo);
}

struct OpenArray {
  const ArraySpec* spec;
  Handle dataset;
  hsize_t size[2] = {0, 1};   // rows, columns
  hsize_t chunk[2] = {1, 1};  // of storage; one row when it is contiguous
  bool chunked = false;
  int rank = 1;
  bool flag_as_number = false;  // a flag that is stored as a float
};

// ---- what we accept -----------------------------------------------------------------------------

bool is_one_of(hid_t type, std::initializer_list<hid_t> accepted) {
  return std::any_of(accepted.begin(), accepted.end(), [&](hid_t a) { return H5Tequal(type, a) > 0; });
}

bool is_float(hid_t type) {
  return is_one_of(type, {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE});
}

bool is_byte(hid_t type) { return is_one_of(type, {H5T_STD_I8LE, H5T_STD_U8LE, H5T_STD_I8BE, H5T_STD_U8BE}); }

/// The boolean of h5py: an enumeration {FALSE = 0, TRUE = 1} over one byte.
bool is_h5py_boolean(hid_t type) {
  if (H5Tget_class(type) != H5T_ENUM || H5Tget_nmembers(type) != 2 || !is_byte(Handle(H5Tget_super(type))))
    return false;
  signed char no = -1, yes = -1;
  return H5Tenum_valueof(type, "FALSE", &no) >= 0 && H5Tenum_valueof(type, "TRUE", &yes) >= 0 && no == 0 &&
         yes == 1;
}

void check_type(OpenArray& array) {
  const Handle type(H5Dget_type(array.dataset));
  if (array.spec->flag) {
    array.flag_as_number = is_float(type);
    if (!array.flag_as_number && !is_byte(type) && !is_h5py_boolean(type))
      throw fault(*array.spec, "is not made of flags", "store it as boolean, int8, uint8 or float");
  } else if (!is_float(type)) {
    throw fault(*array.spec, "is not made of floating-point numbers", "store it as float32 or float64");
  }
}

/// Only data inside this very file, through filters that the library brings along.
void check_storage(OpenArray& array) {
  const Handle settings(H5Dget_create_plist(array.dataset));
  const H5D_layout_t layout = hdf5::check(H5Pget_layout(settings));
  if (layout == H5D_VIRTUAL)
    throw fault(*array.spec, "is a virtual data set, whose data lie in other files",
                "copy it into one file with `h5repack -l CONTI`");
  if (hdf5::check(H5Pget_external_count(settings)) > 0)
    throw fault(*array.spec, "keeps its data in an external file",
                "copy it into one file with `h5repack -l CONTI`");
  const int filters = hdf5::check(H5Pget_nfilters(settings));
  for (unsigned i = 0; i < static_cast<unsigned>(filters); ++i) {
    unsigned flags = 0, info = 0;
    std::size_t values = 0;
    const H5Z_filter_t id = H5Pget_filter2(settings, i, &flags, &values, nullptr, 0, nullptr, &info);
    if (id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32 &&
        id != H5Z_FILTER_SZIP)
      throw fault(*array.spec, "is packed with filter " + std::to_string(id) + ", which would need a plug-in",
                  "repack the file with `h5repack -f GZIP=4`");
  }
  array.chunked = layout == H5D_CHUNKED;
  if (array.chunked) hdf5::check(H5Pget_chunk(settings, array.rank, array.chunk));
  if (array.chunk[0] == 0 || array.chunk[1] == 0) throw hdf5::Failure("chunks of no size");
}

void check_size(OpenArray& array) {
  const Handle space(H5Dget_space(array.dataset));
  const int rank = H5Sget_simple_extent_ndims(space);
  if (H5Sget_simple_extent_type(space) != H5S_SIMPLE || rank < (array.spec->matrix() ? 2 : 1) || rank > 2)
    throw fault(*array.spec, "has " + std::to_string(rank) + " dimensions",
                array.spec->matrix() ? "it must be [rows, columns]" : "it must be [rows] or [rows, 1]");
  array.rank = rank;
  hdf5::check(H5Sget_simple_extent_dims(space, array.size, nullptr));
  array.chunk[1] = array.size[1];
  if (!array.spec->matrix() && array.size[1] != 1)
    throw fault(*array.spec, "has " + std::to_string(array.size[1]) + " columns",
                "it must be [rows] or [rows, 1]");
  if (array.size[0] == 0 || array.size[1] == 0)
    throw fault(*array.spec, "is empty", "make the data set again");
  if (array.size[0] > kMostRows || array.size[1] > kMostColumns)
    throw fault(
        *array.spec,
        "claims " + std::to_string(array.size[0]) + " rows and " + std::to_string(array.size[1]) + " columns",
        "at most 4294967295 rows and 1048576 columns can be used");
}

OpenArray open_array(hid_t file, const ArraySpec& spec) {
  OpenArray array{&spec, {}};
  try {
    if (hdf5::check(H5Lexists(file, spec.name, H5P_DEFAULT)) == 0)
      throw fault(
          spec, "is missing",
          "a DSRL file has observations, next_observations, actions, rewards, costs, terminals and timeouts");
    H5L_info_t link;
    hdf5::check(H5Lget_info(file, spec.name, &link, H5P_DEFAULT));
    if (link.type != H5L_TYPE_HARD)
      throw fault(spec,
                  link.type == H5L_TYPE_SOFT       ? "is a soft link"
                  : link.type == H5L_TYPE_EXTERNAL ? "is an external link, to another file"
                                                   : "is a link of an unknown kind",
                  "put the array itself at the root of the file");
    H5O_info_t object;
    hdf5::check(H5Oget_info_by_name2(file, spec.name, &object, H5O_INFO_BASIC, H5P_DEFAULT));
    if (object.type != H5O_TYPE_DATASET)
      throw fault(spec, "is a group or a type, not an array", "put the array at the root of the file");
    array.dataset = Handle(H5Dopen2(file, spec.name, H5P_DEFAULT));
    check_size(array);
    check_storage(array);
    check_type(array);
  } catch (const hdf5::Failure& failure) {
    throw fault(spec, std::string("is damaged and cannot be opened (HDF5: ") + failure.what() + ")",
                "get a fresh copy of the file");
  }
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
  const hsize_t rows = arrays[0].size[0];
  for (const OpenArray& array : arrays)
    if (array.size[0] != rows)
      faults.push_back(
          fault(*array.spec,
                "has " + std::to_string(array.size[0]) + " rows, `observations` has " + std::to_string(rows),
                "all seven arrays must have the same number of rows"));
  if (arrays[1].size[1] != arrays[0].size[1])
    faults.push_back(fault(*arrays[1].spec,
                           "has " + std::to_string(arrays[1].size[1]) + " columns, `observations` has " +
                               std::to_string(arrays[0].size[1]),
                           "both must have the width of an observation"));
  throw_faults(faults);
  return arrays;
}

void check_budget(const Shape& shape, std::int64_t budget, hid_t file) {
  hsize_t stored = 0;
  hdf5::check(H5Fget_filesize(file, &stored));
  const std::int64_t bytes = offset_of(shape, kArrays.size());
  const std::string claim = "the arrays claim " + std::to_string(bytes) + " bytes, ";
  if (bytes > budget)
    throw Error(ExitCode::data, claim + std::to_string(budget) + " are allowed", {},
                "use a machine with more memory, or fewer episodes");
  if (bytes > kSuspiciousBytes && bytes / kMostExpansion > static_cast<std::int64_t>(stored))
    throw Error(ExitCode::data, claim + "more than a thousand times the size of the file", {},
                "get a fresh copy of the file");
}

// ---- decoding -----------------------------------------------------------------------------------

std::uint8_t as_flag(float value, const ArraySpec& spec, hsize_t row) {
  if (value != 0.0f && value != 1.0f)
    throw fault(spec, "has the value " + std::to_string(value) + " in row " + std::to_string(row),
                "flags must be 0 or 1");
  return value != 0.0f;
}

/// HDF5 reads zeros where nothing was ever written, and where a damaged index no longer finds it.
void check_written(const OpenArray& array, hsize_t row, hsize_t rows, hsize_t column) {
  const hsize_t step = array.chunked ? array.chunk[0] : array.size[0];
  for (hsize_t first = row; first < row + rows; first += step) {
    const hsize_t place[2] = {first, column};
    hsize_t stored = 0;
    if (!array.chunked)
      stored = H5Dget_storage_size(array.dataset);
    else if (H5Dget_chunk_storage_size(array.dataset, place, &stored) < 0)
      stored = 0;
    if (stored == 0)
      throw fault(*array.spec,
                  "is incomplete: from row " + std::to_string(first) + " on, something was never written",
                  "make the data set again, or get a fresh copy of the file");
  }
}

/// Decodes rows [row, row + rows). Whole chunks of columns go to a small buffer first: HDF5 copies a
/// chunk that is contiguous on both sides at once, but scatters single numbers slowly.
template <class Stored>
void decode_rows(const OpenArray& array, hid_t memory_type, hsize_t row, hsize_t rows, std::byte* out) {
  const Handle file_space(H5Dget_space(array.dataset));
  std::vector<Stored> buffer;
  const hsize_t width = array.size[1];
  for (hsize_t column = 0; column < width; column += array.chunk[1]) {
    const hsize_t first[2] = {row, column}, count[2] = {rows, std::min(array.chunk[1], width - column)};
    check_written(array, row, rows, column);
    const Handle memory_space(H5Screate_simple(array.rank, count, nullptr));
    hdf5::check(H5Sselect_hyperslab(file_space, H5S_SELECT_SET, first, nullptr, count, nullptr));
    buffer.resize(rows * count[1]);
    hdf5::check(H5Dread(array.dataset, memory_type, memory_space, file_space, H5P_DEFAULT, buffer.data()));
    if (array.spec->flag) {
      for (hsize_t i = 0; i < rows; ++i)
        out[row + i] = std::byte{as_flag(static_cast<float>(buffer[i]), *array.spec, row + i)};
    } else {
      float* numbers = reinterpret_cast<float*>(out);
      for (hsize_t i = 0; i < rows; ++i)
        for (hsize_t c = 0; c < count[1]; ++c)
          numbers[(row + i) * width + column + c] = static_cast<float>(buffer[i * count[1] + c]);
    }
  }
}

}  // namespace

Shape decode(const std::string& path, std::int64_t budget, int worker, int workers,
             const std::function<std::byte*(const Shape&)>& allocate) try {
  const hdf5::Silence silence;
  H5PLset_loading_state(0);
  const Handle access(H5Pcreate(H5P_FILE_ACCESS));
  hdf5::check(H5Pset_file_locking(access, true, true));  // network file systems may know no locks
  const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access));
  const std::vector<OpenArray> arrays = open_arrays(file);
  const Shape shape{static_cast<std::int64_t>(arrays[0].size[0]),
                    static_cast<std::int32_t>(arrays[0].size[1]),
                    static_cast<std::int32_t>(arrays[2].size[1])};
  check_budget(shape, budget, file);
  std::byte* const block = allocate(shape);

  int piece = 0;
  for (std::size_t a = 0; a < arrays.size(); ++a) {
    const OpenArray& array = arrays[a];
    std::byte* const out = block + offset_of(shape, a);
    const hsize_t chunk = std::min(array.chunk[0], array.size[0]);
    const hsize_t step = (kPieceRows + chunk - 1) / chunk * chunk;
    for (hsize_t row = 0; row < array.size[0]; row += step, ++piece) {
      if (piece % workers != worker) continue;
      const hsize_t rows = std::min(step, array.size[0] - row);
      try {
        if (array.spec->flag && !array.flag_as_number)
          decode_rows<signed char>(array, H5T_NATIVE_SCHAR, row, rows, out);
        else
          decode_rows<float>(array, H5T_NATIVE_FLOAT, row, rows, out);
      } catch (const hdf5::Failure& failure) {
        throw fault(*array.spec,
                    "is damaged: rows " + std::to_string(row) + " to " + std::to_string(row + rows - 1) +
                        " cannot be decoded (HDF5: " + failure.what() + ")",
                    "get a fresh copy of the file");
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
