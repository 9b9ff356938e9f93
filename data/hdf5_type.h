// Which types of number an HDF5 array may have, and how each is read. Internal to this folder.
#pragma once

#include <cstddef>
#include <string>

#include "data/hdf5_handle.h"

namespace r2pac::hdf5 {

/// What the numbers become in memory first.
enum class Memory {
  signed_byte,  ///< booleans of h5py
  bits,         ///< booleans of PyTables
  single,       ///< all that single precision holds
  wide          ///< doubles and integers of 32 bits or more: read as double, so that losses are seen
};

struct NumberType {
  Memory memory = Memory::single;
  bool whole = false;     ///< integers or booleans
  std::size_t bytes = 4;  ///< of one number as it is stored
};

/// The type of a data set: IEEE numbers of 16, 32 or 64 bits, integers of 8 to 64 bits, either byte order,
/// the boolean of h5py (an enumeration {FALSE = 0, TRUE = 1} over one byte) and bytes of bits. Throws
/// array_fault about array `name` for any other.
NumberType number_type(hid_t dataset, const std::string& name);

}  // namespace r2pac::hdf5
