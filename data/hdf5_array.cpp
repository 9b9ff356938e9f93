#include "data/hdf5_array.h"

namespace r2pac::hdf5 {
namespace {

constexpr hsize_t kPieceRows = 16384;  // a piece is at least so many rows, or a chunk

bool is_one_of(hid_t type, std::initializer_list<hid_t> accepted) {
  return std::any_of(accepted.begin(), accepted.end(), [&](hid_t a) { return H5Tequal(type, a) > 0; });
}

bool is_integer(hid_t type) {
  return is_byte(type) || is_one_of(type, {H5T_STD_I16LE, H5T_STD_I16BE, H5T_STD_U16LE, H5T_STD_U16BE,
                                           H5T_STD_I32LE, H5T_STD_I32BE, H5T_STD_U32LE, H5T_STD_U32BE,
                                           H5T_STD_I64LE, H5T_STD_I64BE, H5T_STD_U64LE, H5T_STD_U64BE});
}

bool link_exists(hid_t group, const std::string& name) {
  return check(H5Lexists(group, name.c_str(), H5P_DEFAULT)) > 0;
}

/// Throws unless a hard link leads to an object of that type. `label` is the array that is wanted.
void check_object(hid_t group, const std::string& name, H5O_type_t type, const std::string& label) {
  H5L_info_t link;
  check(H5Lget_info(group, name.c_str(), &link, H5P_DEFAULT));
  if (link.type != H5L_TYPE_HARD)
    throw array_fault(label,
                      link.type == H5L_TYPE_SOFT       ? "is a soft link"
                      : link.type == H5L_TYPE_EXTERNAL ? "is an external link, to another file"
                                                       : "is a link of an unknown kind",
                      "put the array itself into the file");
  H5O_info_t object;
  check(H5Oget_info_by_name2(group, name.c_str(), &object, H5O_INFO_BASIC, H5P_DEFAULT));
  if (object.type == type) return;
  if (type == H5O_TYPE_GROUP) throw array_fault(label, "is not a group", "give it the layout of its kind");
  throw array_fault(label, "is a group or a type, not an array", "put the array itself there");
}

void check_size(StoredArray& array, ArrayKind kind) {
  const Handle space(H5Dget_space(array.dataset));
  const int rank = H5Sget_simple_extent_ndims(space);
  const bool simple = H5Sget_simple_extent_type(space) == H5S_SIMPLE;
  if (simple && (rank == 1 || rank == 2)) check(H5Sget_simple_extent_dims(space, array.size, nullptr));
  check_extent(array.name, kind, simple ? rank : 0, array.size[0], array.size[1]);
  array.rank = rank;
  array.chunk[1] = array.size[1];
}

/// Only data inside this very file, through filters that the library brings along.
void check_storage(StoredArray& array) {
  const Handle settings(H5Dget_create_plist(array.dataset));
  const H5D_layout_t layout = check(H5Pget_layout(settings));
  if (layout == H5D_VIRTUAL)
    throw array_fault(array.name, "is a virtual data set, whose data lie in other files",
                      "copy it into one file with `h5repack -l CONTI`");
  if (check(H5Pget_external_count(settings)) > 0)
    throw array_fault(array.name, "keeps its data in an external file",
                      "copy it into one file with `h5repack -l CONTI`");
  const int filters = check(H5Pget_nfilters(settings));
  for (unsigned i = 0; i < static_cast<unsigned>(filters); ++i) {
    unsigned flags = 0, info = 0;
    std::size_t values = 0;
    const H5Z_filter_t id = H5Pget_filter2(settings, i, &flags, &values, nullptr, 0, nullptr, &info);
    if (id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32 &&
        id != H5Z_FILTER_SZIP)
      throw array_fault(array.name,
                        "is packed with filter " + std::to_string(id) + ", which would need a plug-in",
                        "repack the file with `h5repack -f GZIP=4`");
  }
  array.chunked = layout == H5D_CHUNKED;
  if (array.chunked) check(H5Pget_chunk(settings, array.rank, array.chunk));
  if (array.chunk[0] == 0 || array.chunk[1] == 0) throw Failure("chunks of no size");
}

Error cannot_open(const std::string& name, const Failure& failure) {
  return array_fault(name, std::string("is damaged and cannot be opened (HDF5: ") + failure.what() + ")",
                     "get a fresh copy of the file");
}

StoredArray open_named(hid_t group, const std::string& name, const std::string& label, ArrayKind kind,
                       const std::string& missing) try {
  if (const std::size_t slash = name.find('/'); slash != std::string::npos) {
    const std::string outer = name.substr(0, slash);
    if (!link_exists(group, outer)) throw array_fault(label, "is missing", missing);
    check_object(group, outer, H5O_TYPE_GROUP, label);
    return open_named(Handle(H5Gopen2(group, outer.c_str(), H5P_DEFAULT)), name.substr(slash + 1), label,
                      kind, missing);
  }
  if (name.empty() || !link_exists(group, name)) throw array_fault(label, "is missing", missing);
  check_object(group, name, H5O_TYPE_DATASET, label);
  StoredArray array;
  array.name = label;
  array.dataset = Handle(H5Dopen2(group, name.c_str(), H5P_DEFAULT));
  check_size(array, kind);
  check_storage(array);
  return array;
} catch (const Failure& failure) {
  throw cannot_open(label, failure);
}

}  // namespace

Handle open_file(const std::string& path) {
  H5PLset_loading_state(0);
  const Handle access(H5Pcreate(H5P_FILE_ACCESS));
  check(H5Pset_file_locking(access, true, true));  // network file systems may know no locks
  return Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access));
}

std::int64_t stored_bytes(hid_t file) {
  hsize_t stored = 0;
  check(H5Fget_filesize(file, &stored));
  return static_cast<std::int64_t>(stored);
}

bool contains(hid_t group, const std::string& name) {
  const std::size_t slash = name.find('/');
  const std::string first = name.substr(0, slash);
  if (first.empty() || !link_exists(group, first)) return false;
  if (slash == std::string::npos) return true;
  H5L_info_t link;
  check(H5Lget_info(group, first.c_str(), &link, H5P_DEFAULT));
  if (link.type != H5L_TYPE_HARD) return true;  // opening it says why not
  H5O_info_t object;
  check(H5Oget_info_by_name2(group, first.c_str(), &object, H5O_INFO_BASIC, H5P_DEFAULT));
  return object.type == H5O_TYPE_GROUP &&
         contains(Handle(H5Gopen2(group, first.c_str(), H5P_DEFAULT)), name.substr(slash + 1));
}

StoredArray open_array(hid_t group, const std::string& name, ArrayKind kind, const std::string& missing) {
  return open_named(group, name, name, kind, missing);
}

bool is_float(hid_t type) {
  return is_one_of(type, {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE});
}

bool is_byte(hid_t type) { return is_one_of(type, {H5T_STD_I8LE, H5T_STD_U8LE, H5T_STD_I8BE, H5T_STD_U8BE}); }

bool is_h5py_boolean(hid_t type) {
  if (H5Tget_class(type) != H5T_ENUM || H5Tget_nmembers(type) != 2 || !is_byte(Handle(H5Tget_super(type))))
    return false;
  signed char no = -1, yes = -1;
  return H5Tenum_valueof(type, "FALSE", &no) >= 0 && H5Tenum_valueof(type, "TRUE", &yes) >= 0 && no == 0 &&
         yes == 1;
}

void check_written(const StoredArray& array, hsize_t row, hsize_t rows, hsize_t column) {
  const hsize_t step = array.chunked ? array.chunk[0] : array.size[0];
  for (hsize_t first = row; first < row + rows; first += step) {
    const hsize_t place[2] = {first, column};
    hsize_t stored = 0;
    if (!array.chunked)
      stored = H5Dget_storage_size(array.dataset);
    else if (H5Dget_chunk_storage_size(array.dataset, place, &stored) < 0)
      stored = 0;
    if (stored == 0)
      throw array_fault(
          array.name, "is incomplete: from row " + std::to_string(first) + " on, something was never written",
          "make the data set again, or get a fresh copy of the file");
  }
}

hsize_t piece_rows(const StoredArray& array) {
  const hsize_t chunk = std::min(array.chunk[0], array.size[0]);
  return (kPieceRows + chunk - 1) / chunk * chunk;
}

Error damaged_rows(const StoredArray& array, hsize_t row, hsize_t rows, const Failure& failure) {
  return array_fault(array.name,
                     "is damaged: rows " + std::to_string(row) + " to " + std::to_string(row + rows - 1) +
                         " cannot be decoded (HDF5: " + failure.what() + ")",
                     "get a fresh copy of the file");
}

Handle open_group(hid_t parent, const std::string& name) try {
  check_object(parent, name, H5O_TYPE_GROUP, name);
  return Handle(H5Gopen2(parent, name.c_str(), H5P_DEFAULT));
} catch (const Failure& failure) {
  throw cannot_open(name, failure);
}

NumberArray Group::read(const std::string& name, ArrayKind kind) const {
  const StoredArray array = open_named(group_, name, prefix_ + name, kind, "it is needed for this layout");
  const Handle type(H5Dget_type(array.dataset));
  const bool boolean = is_h5py_boolean(type);
  if (!boolean && !is_float(type) && !is_integer(type))
    throw array_fault(array.name, "is not made of numbers", "store it as float32 or float64");
  NumberArray numbers{static_cast<std::int64_t>(array.size[0]),
                      static_cast<std::int64_t>(array.size[1]),
                      {},
                      !is_float(type)};
  const std::int64_t count = numbers.rows * numbers.columns;
  budget_.claim(count * std::int64_t{sizeof(float)});
  numbers.values.resize(static_cast<std::size_t>(count));
  const auto put = [&](hsize_t row, hsize_t column, auto value) {
    numbers.values[row * array.size[1] + column] = static_cast<float>(value);
  };
  const hsize_t step = piece_rows(array);
  for (hsize_t row = 0; row < array.size[0]; row += step) {
    const hsize_t rows = std::min(step, array.size[0] - row);
    try {
      if (boolean)
        read_rows<signed char>(array, H5T_NATIVE_SCHAR, row, rows, put);
      else
        read_rows<float>(array, H5T_NATIVE_FLOAT, row, rows, put);
    } catch (const Failure& failure) {
      throw damaged_rows(array, row, rows, failure);
    }
  }
  return numbers;
}

}  // namespace r2pac::hdf5
