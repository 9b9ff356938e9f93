// Tensors as the tape sees them: a shape, and where the values lie when a step runs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/view.h"

namespace r2pac {

/// Every tensor is [nets, rows, cols], row-major. An ensemble is the leading dimension; tensors that all
/// members share have nets = 1.
struct Shape {
  int nets = 1, rows = 1, cols = 1;
  std::size_t size() const {
    return static_cast<std::size_t>(nets) * static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
  }
  bool operator==(const Shape&) const = default;
};

/// "[4, 1024, 512]"
std::string to_string(const Shape& shape);

/// The part of the work that one thread does at a time: rows first .. first + count of the batch, and the
/// thread's own memory. A device that runs all rows at once gets one slice with all of them.
struct Slice {
  int first = 0, count = 0;
  std::byte* tile = nullptr;     ///< values that live only within this slice
  std::byte* scratch = nullptr;  ///< working memory of a single kernel
};

/// A value of the tape. Made and owned by the Tape; others hold a Tensor.
template <class T>
struct Variable {
  std::string name;
  Shape shape;
  bool requires_gradient = false;
  /// Columns whose gradient is wanted: a concatenation of data and parameters needs only some.
  int gradient_begin = 0, gradient_end = 0;
  /// Leading members and rows whose gradient is wanted: the others are constants that share a call.
  int gradient_nets = 0, gradient_rows = 0;
  Variable* gradient = nullptr;
  std::vector<bool> gradient_written;  ///< by member, once something has contributed; of the root only

  Variable* parent = nullptr;  ///< set: these are members first_net .. and rows first_row .. of the parent
  int first_net = 0, first_row = 0;

  T* stored = nullptr;          ///< all rows, if the values outlive a run of row-local calls
  std::size_t tile_offset = 0;  ///< else bytes into the slice's tile
  int tile_rows = 0;

  /// The rows of one slice, row 0 of the view being the slice's first.
  View<T> view(const Slice& slice) const {
    if (parent != nullptr) return part_of(parent->view(slice), slice.count);
    const auto cols = static_cast<std::size_t>(shape.cols);
    if (stored != nullptr)
      return {stored + static_cast<std::size_t>(slice.first) * cols,
              static_cast<std::size_t>(shape.rows) * cols, shape.nets, slice.count, shape.cols};
    return {reinterpret_cast<T*>(slice.tile + tile_offset), static_cast<std::size_t>(tile_rows) * cols,
            shape.nets, slice.count, shape.cols};
  }
  /// The value that owns the memory.
  const Variable& root() const { return parent != nullptr ? parent->root() : *this; }
  /// The whole tensor; only for stored values.
  View<T> whole() const {
    if (parent != nullptr) return part_of(parent->whole(), shape.rows);
    return {stored, static_cast<std::size_t>(shape.rows) * static_cast<std::size_t>(shape.cols), shape.nets,
            shape.rows, shape.cols};
  }

 private:
  View<T> part_of(View<T> all, int rows) const {
    all.data = all.row(first_row) + static_cast<std::size_t>(first_net) * all.net_stride;
    all.nets = shape.nets;
    all.rows = rows;
    return all;
  }
};

template <class T>
using Tensor = Variable<T>*;

/// For an operation whose gradient has all columns of its argument.
template <class T>
void want_all_columns(Tensor<T> x) {
  for (; x != nullptr; x = x->parent) x->gradient_begin = 0, x->gradient_end = x->shape.cols;
}

}  // namespace r2pac
