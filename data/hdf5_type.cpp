#include "data/hdf5_type.h"

#include "data/array_file.h"

namespace r2pac::hdf5 {
namespace {

/// IEEE half precision in the byte order of `single`, for which this version of HDF5 has no name.
Handle half_like(hid_t single) {
  Handle type(H5Tcopy(single));
  check(H5Tset_fields(type, 15, 10, 5, 0, 10));
  check(H5Tset_size(type, 2));
  check(H5Tset_ebias(type, 15));
  return type;
}

bool is_ieee(hid_t type) {
  for (const hid_t known : {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE})
    if (H5Tequal(type, known) > 0) return true;
  return H5Tequal(type, half_like(H5T_IEEE_F32LE)) > 0 || H5Tequal(type, half_like(H5T_IEEE_F32BE)) > 0;
}

bool is_h5py_boolean(hid_t type) {
  const Handle base(H5Tget_super(type));
  if (H5Tget_nmembers(type) != 2 || H5Tget_class(base) != H5T_INTEGER || H5Tget_size(base) != 1) return false;
  signed char no = -1, yes = -1;
  return H5Tenum_valueof(type, "FALSE", &no) >= 0 && H5Tenum_valueof(type, "TRUE", &yes) >= 0 && no == 0 &&
         yes == 1;
}

const char* class_name(H5T_class_t type) {
  switch (type) {
    case H5T_STRING:
      return "text";
    case H5T_COMPOUND:
      return "records or complex numbers";
    case H5T_ENUM:
      return "an enumeration";
    case H5T_VLEN:
      return "lists of unequal lengths";
    case H5T_ARRAY:
      return "small arrays";
    case H5T_REFERENCE:
      return "references";
    case H5T_TIME:
      return "times";
    default:
      return "bytes without a meaning";
  }
}

}  // namespace

NumberType number_type(hid_t dataset, const std::string& name) {
  const Handle type(H5Dget_type(dataset));
  const H5T_class_t kind = H5Tget_class(type);
  const std::size_t bytes = H5Tget_size(type);
  const bool sized = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  if (kind == H5T_FLOAT && is_ieee(type)) return {bytes == 8 ? Memory::wide : Memory::single, false, bytes};
  if (kind == H5T_INTEGER && sized) return {bytes >= 4 ? Memory::wide : Memory::single, true, bytes};
  if (kind == H5T_ENUM && is_h5py_boolean(type)) return {Memory::signed_byte, true, bytes};
  if (kind == H5T_BITFIELD && bytes == 1) return {Memory::bits, true, bytes};
  if (kind == H5T_FLOAT || kind == H5T_INTEGER)
    throw array_fault(name, "is made of numbers of " + std::to_string(bytes) + " bytes in an uncommon format",
                      "store it as float32 or float64");
  refuse_type(name, class_name(kind));
}

}  // namespace r2pac::hdf5
