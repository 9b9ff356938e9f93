// A limit of this process and of those that it starts.
#pragma once

#include <sys/resource.h>

#include <catch2/catch.hpp>

namespace r2pac {

/// While it lives, no more than `most` of a resource can be had: bytes of a file with RLIMIT_FSIZE, which is
/// a full disk for the poor, or descriptors with RLIMIT_NOFILE.
class ResourceLimit {
 public:
  ResourceLimit(__rlimit_resource resource, rlim_t most) : resource_(resource) {
    REQUIRE(getrlimit(resource_, &old_) == 0);
    const rlimit less{most, old_.rlim_max};
    REQUIRE(setrlimit(resource_, &less) == 0);
  }
  ~ResourceLimit() { setrlimit(resource_, &old_); }
  ResourceLimit(const ResourceLimit&) = delete;
  ResourceLimit& operator=(const ResourceLimit&) = delete;

 private:
  __rlimit_resource resource_;
  rlimit old_{};
};

}  // namespace r2pac
