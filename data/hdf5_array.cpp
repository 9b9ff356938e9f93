#include "data/hdf5_array.h"

#include <charconv>
#include <exception>
#include <optional>
#include <type_traits>

#include "data/fence.h"

namespace r2pac::hdf5 {
namespace {

constexpr hsize_t kPieceRows = 16384;                // a piece is at least so many rows, or a chunk,
constexpr hsize_t kPieceNumbers = hsize_t{4} << 20;  // but no more numbers than this, or a chunk
constexpr hsize_t kCommonChunk = hsize_t{64} << 20;  // bytes; larger ones only in arrays of that size
constexpr std::size_t kMostNames = 64;               // of a listing
constexpr int kDeepestListing = 3;

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

ArrayExtent extent_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset));
  hsize_t size[H5S_MAX_RANK] = {0, 1};
  if (H5Sget_simple_extent_type(space) != H5S_SIMPLE) return {};
  const int rank = check(H5Sget_simple_extent_dims(space, size, nullptr));
  return {rank, size[0], rank > 1 ? size[1] : 1};
}

void check_size(StoredArray& array, ArrayKind kind) {
  const ArrayExtent extent = extent_of(array.dataset);
  check_extent(array.name, kind, extent);
  array.rank = extent.dimensions;
  array.size[0] = extent.rows;
  array.chunk[1] = array.size[1] = extent.columns;
}

std::uint64_t chunk_bytes(const StoredArray& array) {
  return array.chunked ? array.chunk[0] * array.chunk[1] * array.type.bytes : 0;
}

/// A chunk is unpacked whole: one that is much larger than the array takes memory for nothing.
void check_chunk(const StoredArray& array) {
  if (array.chunk[0] == 0 || array.chunk[1] == 0) throw Failure("chunks of no size");
  const std::uint64_t contents = array.size[0] * array.size[1] * array.type.bytes;
  if (chunk_bytes(array) > std::max<std::uint64_t>(kCommonChunk, 4 * contents))
    throw array_fault(array.name,
                      "is stored in chunks of " + std::to_string(chunk_bytes(array)) +
                          " bytes, its contents are " + std::to_string(contents),
                      "repack the file with `h5repack -l CONTI`");
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
  check_chunk(array);
}

Error cannot_open(const std::string& name, const Failure& failure) {
  return failure.explain("array `" + name + "`", " and cannot be opened");
}

/// The data set of a name that may lie in groups; `label` is what messages call it.
Handle open_dataset(hid_t group, const std::string& name, const std::string& label,
                    const std::string& missing) {
  if (const std::size_t slash = name.find('/'); slash != std::string::npos) {
    const std::string outer = name.substr(0, slash);
    if (!link_exists(group, outer)) throw array_fault(label, "is missing", missing);
    check_object(group, outer, H5O_TYPE_GROUP, label);
    return open_dataset(Handle(H5Gopen2(group, outer.c_str(), H5P_DEFAULT)), name.substr(slash + 1), label,
                        missing);
  }
  if (name.empty() || !link_exists(group, name)) throw array_fault(label, "is missing", missing);
  check_object(group, name, H5O_TYPE_DATASET, label);
  return Handle(H5Dopen2(group, name.c_str(), H5P_DEFAULT));
}

StoredArray open_named(hid_t group, const std::string& name, const std::string& label, ArrayKind kind,
                       const std::string& missing) try {
  StoredArray array;
  array.name = label;
  array.dataset = open_dataset(group, name, label, missing);
  array.type = number_type(array.dataset, label);
  check_size(array, kind);
  check_storage(array);
  return array;
} catch (const Failure& failure) {
  throw cannot_open(label, failure);
}

/// Calls visit(name) for the links of a group, in the order of their names, until it returns false.
template <class Visit>
void for_links(hid_t group, Visit visit) {
  struct Walk {
    Visit& visit;
    std::exception_ptr thrown;
  } walk{visit, nullptr};
  const auto step = [](hid_t, const char* name, const H5L_info_t*, void* data) -> herr_t {
    Walk& of = *static_cast<Walk*>(data);
    try {
      return of.visit(std::string(name)) ? 0 : 1;
    } catch (...) {  // may not pass through the library
      of.thrown = std::current_exception();
      return 1;
    }
  };
  check(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, step, &walk));
  if (walk.thrown) std::rethrow_exception(walk.thrown);
}

bool is_object(hid_t group, const std::string& name, H5O_type_t type) {
  H5L_info_t link;
  check(H5Lget_info(group, name.c_str(), &link, H5P_DEFAULT));
  if (link.type != H5L_TYPE_HARD) return false;
  H5O_info_t object;
  check(H5Oget_info_by_name2(group, name.c_str(), &object, H5O_INFO_BASIC, H5P_DEFAULT));
  return object.type == type;
}

void list_arrays(hid_t group, const std::string& prefix, int depth, std::vector<std::string>& names) {
  for_links(group, [&](const std::string& name) {
    if (names.size() >= kMostNames) return false;
    if (is_object(group, name, H5O_TYPE_DATASET)) names.push_back(prefix + name);
    if (depth < kDeepestListing && is_object(group, name, H5O_TYPE_GROUP))
      list_arrays(Handle(H5Gopen2(group, name.c_str(), H5P_DEFAULT)), prefix + name + "/", depth + 1, names);
    return true;
  });
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
  return is_object(group, first, H5O_TYPE_GROUP) &&
         contains(Handle(H5Gopen2(group, first.c_str(), H5P_DEFAULT)), name.substr(slash + 1));
}

bool is_group(hid_t parent, const std::string& name) {
  const std::size_t slash = name.find('/');
  const std::string first = name.substr(0, slash);
  if (first.empty() || !link_exists(parent, first) || !is_object(parent, first, H5O_TYPE_GROUP)) return false;
  return slash == std::string::npos ||
         is_group(Handle(H5Gopen2(parent, first.c_str(), H5P_DEFAULT)), name.substr(slash + 1));
}

std::vector<std::pair<std::int64_t, std::string>> numbered_names(hid_t group, const std::string& prefix) {
  std::vector<std::pair<std::int64_t, std::string>> found;
  for_links(group, [&](const std::string& name) {
    std::int64_t number = 0;
    const char* const end = name.data() + name.size();
    if (name.starts_with(prefix) && name.size() > prefix.size() && name[prefix.size()] != '-')
      if (const auto [rest, error] = std::from_chars(name.data() + prefix.size(), end, number);
          error == std::errc() && rest == end)
        found.emplace_back(number, name);
    return true;
  });
  std::sort(found.begin(), found.end());
  return found;
}

StoredArray open_array(hid_t group, const std::string& name, ArrayKind kind, const std::string& missing) {
  return open_named(group, name, name, kind, missing);
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
  const hsize_t wanted = std::clamp<hsize_t>(kPieceNumbers / array.chunk[1], 1, kPieceRows);
  return (wanted + chunk - 1) / chunk * chunk;
}

std::int64_t working_bytes(const StoredArray& array) {
  const hsize_t piece = std::min(piece_rows(array), array.size[0]) * std::min(array.chunk[1], array.size[1]);
  return static_cast<std::int64_t>(2 * chunk_bytes(array) + piece * sizeof(double));
}

Error rows_failure(const StoredArray& array, hsize_t row, hsize_t rows, const Failure& failure) {
  return failure.explain(
      "array `" + array.name + "`",
      ": rows " + std::to_string(row) + " to " + std::to_string(row + rows - 1) + " cannot be decoded");
}

Handle open_group(hid_t parent, const std::string& name) try {
  const std::size_t slash = name.find('/');
  const std::string first = name.substr(0, slash);
  check_object(parent, first, H5O_TYPE_GROUP, first);
  Handle group(H5Gopen2(parent, first.c_str(), H5P_DEFAULT));
  return slash == std::string::npos ? std::move(group) : open_group(group, name.substr(slash + 1));
} catch (const Failure& failure) {
  throw cannot_open(name, failure);
}

NumberArray Group::read(const std::string& name, ArrayKind kind) const {
  const StoredArray array = open_named(group_, name, prefix_ + name, turned_ ? ArrayKind::either : kind,
                                       "it is needed for this layout");
  if (turned_) check_extent(array.name, kind, {2, array.size[1], array.size[0]});
  NumberArray numbers;
  numbers.rows = static_cast<std::int64_t>(array.size[turned_ ? 1 : 0]);
  numbers.columns = static_cast<std::int64_t>(array.size[turned_ ? 0 : 1]);
  numbers.whole_numbers = array.type.whole;
  const auto width = static_cast<std::size_t>(numbers.columns),
             count = static_cast<std::size_t>(numbers.rows) * width;
  budget_.claim(static_cast<std::int64_t>(count * sizeof(float)));
  budget_.require(working_bytes(array));
  numbers.values.resize(count);
  if (array.type.memory == Memory::wide) numbers.rounding.resize(width);
  const auto put = [&](hsize_t row, hsize_t column, auto value) {
    if (turned_) std::swap(row, column);
    if constexpr (std::is_same_v<decltype(value), double>) numbers.rounding[column].add(value);
    numbers.values[row * width + column] = static_cast<float>(value);
  };
  std::optional<AddressSpaceLimit> limit;  // a chunk may unpack to more than it says
  if (array.chunked) limit.emplace(working_bytes(array) + kLibraryBytes);
  const hsize_t step = piece_rows(array);
  for (hsize_t row = 0; row < array.size[0]; row += step)
    read_rows(array, row, std::min(step, array.size[0] - row), put);
  return numbers;
}

std::vector<std::string> Group::names() const {
  std::vector<std::string> names;
  list_arrays(group_, "", 1, names);
  return names;
}

double read_scalar(hid_t group, const std::string& name) try {
  const Handle dataset = open_dataset(group, name, name, "it is needed for this layout");
  number_type(dataset, name);
  const Handle space(H5Dget_space(dataset));
  if (H5Sget_simple_extent_npoints(space) != 1) throw array_fault(name, "is not a single number", "");
  double value = 0;
  check(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value));
  return value;
} catch (const Failure& failure) {
  throw cannot_open(name, failure);
}

ArrayExtent Group::extent(const std::string& name) const try {
  return extent_of(open_dataset(group_, name, prefix_ + name, "it is needed for this layout"));
} catch (const Failure& failure) {
  throw cannot_open(prefix_ + name, failure);
}

}  // namespace r2pac::hdf5
