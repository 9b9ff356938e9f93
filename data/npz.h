// NumPy's .npz: a zip archive of .npy arrays. Internal to this folder; used inside the fence.
#pragma once

#include <memory>

#include "data/array_file.h"
#include "data/npy.h"

struct zip;

namespace r2pac {

class NpzMember;

/// The arrays of an archive. Members that nobody asks for are never unpacked.
class NpzFile : public ArrayFile {
 public:
  /// Throws Error(ExitCode::data) when it is not an archive.
  NpzFile(const std::string& path, Budget& budget);
  bool contains(const std::string& name) const override;
  /// C order and Fortran order. Refuses what parse_npy_header and check_extent refuse, encrypted members,
  /// methods of packing other than numpy's two, and a member whose length is not that of its numbers.
  NumberArray read(const std::string& name, ArrayKind kind) const override;
  std::vector<std::string> names() const override;
  ArrayExtent extent(const std::string& name) const override;

 private:
  /// An array of which the header was read: what follows are its numbers, `bytes` in all.
  struct OpenArray {
    std::unique_ptr<NpzMember> member;
    NpyHeader header;
    std::uint64_t bytes;
  };
  OpenArray open(const std::string& name) const;

  struct Close {
    void operator()(zip* archive) const;
  };
  std::unique_ptr<zip, Close> archive_;
  Budget& budget_;
};

}  // namespace r2pac
