// DSRL files: the seven arrays in HDF5. FORMAT.md is the contract.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace r2pac {

/// A column whose numbers varied by less than single precision can tell apart before they were rounded to it.
struct LostColumn {
  int array;  ///< place in the order of DsrlColumns, from 0: observations
  std::int64_t column;
};

/// The seven arrays of a DSRL file, as read or to be written; row-major.
struct DsrlColumns {
  std::int64_t rows = 0;
  int observation_dim = 0, action_dim = 0;
  std::vector<float> observations, next_observations;  ///< [rows, observation_dim]
  std::vector<float> actions;                          ///< [rows, action_dim]
  std::vector<float> rewards, costs;                   ///< [rows]
  std::vector<std::uint8_t> terminals, timeouts;       ///< [rows], 0 or 1
  std::vector<LostColumn> lost;                        ///< what reading found; nothing is written of it
};

/// How much a file may ask for before it is refused.
struct ReadLimits {
  std::int64_t bytes = 0;  ///< of the arrays in memory; 0: half of the machine's
  double seconds = 0;      ///< that may pass without any number read; 0: 30
};

/// Reads a DSRL file. The decoding runs in child processes, so that a damaged or hostile file can crash
/// or hang those only. Throws Error(ExitCode::data) that names file, array, fault and remedy.
DsrlColumns read_dsrl(const std::string& path, const ReadLimits& limits = {});

/// Writes the published layout: gzip level 4, chunked, flags as h5py booleans. The same columns give the
/// same bytes. The file appears under its name only when it is complete and on the disk.
/// Throws InvalidArgument when an array's size does not fit `rows` and the dimensions, and
/// Error(ExitCode::disk) when the file cannot be written.
void write_dsrl(const std::string& path, const DsrlColumns& columns);

/// The HDF5 library's version, "1.10.8".
std::string hdf5_version();

}  // namespace r2pac
