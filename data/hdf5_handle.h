// The thin layer over the HDF5 C API: handles that close themselves, failures that throw.
// Internal to this folder.
#pragma once

#include <hdf5.h>

#include <utility>

#include "data/hdf5_failure.h"

namespace r2pac::hdf5 {

/// The status or identifier of a call that succeeded; throws Failure otherwise.
template <class Status>
Status check(Status status) {
  if (status < 0) throw Failure::of_library();
  return status;
}

/// Owns one identifier of any kind.
class Handle {
 public:
  Handle() = default;
  explicit Handle(hid_t id) : id_(check(id)) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) H5Idec_ref(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_ = H5I_INVALID_HID;
};

/// While alive, HDF5 prints no error stack of its own.
class Silence {
 public:
  Silence() {
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Silence() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

}  // namespace r2pac::hdf5
