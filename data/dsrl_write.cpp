#include <algorithm>
#include <span>

#include "data/columns.h"
#include "data/hdf5_handle.h"
#include "storage/atomic_file.h"

namespace r2pac {
namespace {

using hdf5::Handle;

constexpr std::int64_t kChunkBytes = 256 * 1024;  // a quarter of HDF5's chunk cache
constexpr std::size_t kImageGrowth = std::size_t{16} << 20;

Handle h5py_boolean() {
  Handle type(H5Tenum_create(H5T_STD_I8LE));
  const signed char no = 0, yes = 1;
  hdf5::check(H5Tenum_insert(type, "FALSE", &no));
  hdf5::check(H5Tenum_insert(type, "TRUE", &yes));
  return type;
}

void write_array(hid_t file, const ArraySpec& spec, const ColumnShape& shape, const std::byte* data) {
  const std::int64_t width = width_of(spec, shape);
  const int rank = spec.matrix() ? 2 : 1;
  const hsize_t size[2] = {static_cast<hsize_t>(shape.rows), static_cast<hsize_t>(width)};
  const std::int64_t row_bytes = width * (spec.flag ? 1 : 4);
  const hsize_t chunk[2] = {
      static_cast<hsize_t>(std::clamp<std::int64_t>(kChunkBytes / row_bytes, 1, shape.rows)), size[1]};

  const Handle space(H5Screate_simple(rank, size, nullptr));
  const Handle settings(H5Pcreate(H5P_DATASET_CREATE));
  hdf5::check(H5Pset_chunk(settings, rank, chunk));
  hdf5::check(H5Pset_deflate(settings, 4));
  hdf5::check(H5Pset_obj_track_times(settings, false));  // the same columns give the same bytes
  const Handle stored = spec.flag ? h5py_boolean() : Handle(H5Tcopy(H5T_IEEE_F32LE));
  const hid_t in_memory = spec.flag ? hid_t{stored} : H5T_NATIVE_FLOAT;
  const Handle dataset(H5Dcreate2(file, spec.name, stored, space, H5P_DEFAULT, settings, H5P_DEFAULT));
  hdf5::check(H5Dwrite(dataset, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
}

/// The whole file as HDF5 would write it. Made in memory, because the library cannot be relied on to
/// report a full disk and then to close the file.
std::vector<char> file_image(const DsrlView& view) {
  const hdf5::Silence silence;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS));
  hdf5::check(H5Pset_fapl_core(access, kImageGrowth, false));
  const Handle file(H5Fcreate("r2pac-image", H5F_ACC_TRUNC, H5P_DEFAULT, access));
  for (std::size_t i = 0; i < kArrays.size(); ++i)
    write_array(file, kArrays[i], view.shape, view.bytes(i).data());
  hdf5::check(H5Fflush(file, H5F_SCOPE_GLOBAL));
  std::vector<char> image(static_cast<std::size_t>(hdf5::check(H5Fget_file_image(file, nullptr, 0))));
  hdf5::check(H5Fget_file_image(file, image.data(), image.size()));
  return image;
}

}  // namespace

void write_dsrl(const std::string& path, const DsrlColumns& columns) {
  const DsrlView view = view_of(columns);
  if (view.shape.rows < 1 || view.shape.observation_dim < 1 || view.shape.action_dim < 1)
    throw InvalidArgument("write_dsrl: columns are empty");
  std::vector<char> image;
  try {
    image = file_image(view);
  } catch (const hdf5::Failure& failure) {
    throw Error(ExitCode::disk, std::string("cannot make the HDF5 file (HDF5: ") + failure.what() + ")", path,
                "free some memory");
  }
  write_file_atomically(path, std::as_bytes(std::span(image)));
}

}  // namespace r2pac
