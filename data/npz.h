// NumPy's .npz: a zip archive of .npy arrays. Internal to this folder; used inside the fence.
#pragma once

#include <memory>

#include "data/array_file.h"

struct zip;

namespace r2pac {

/// Whether a file begins as a zip archive does.
bool looks_like_npz(const std::string& path);

/// The arrays of an archive. Members that nobody asks for are never unpacked.
class NpzFile : public ArrayFile {
 public:
  /// Throws Error(ExitCode::data) when it is not an archive.
  NpzFile(const std::string& path, Budget& budget);
  bool contains(const std::string& name) const override;
  /// C order and Fortran order. Refuses what parse_npy_header and check_extent refuse, encrypted members,
  /// methods of packing other than numpy's two, and a member whose length is not that of its numbers.
  NumberArray read(const std::string& name, ArrayKind kind) const override;

 private:
  struct Close {
    void operator()(zip* archive) const;
  };
  std::unique_ptr<zip, Close> archive_;
  Budget& budget_;
};

}  // namespace r2pac
