// Trainable numbers: values, gradients and moments, each in one arena.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/tensor.h"
#include "kernels/dense.h"

namespace r2pac {

/// How a layer's weights start.
enum class Initializer {
  torch,       ///< weights and biases uniform on +-1/sqrt(fan in), as torch.nn.Linear
  xavier,      ///< weights uniform on +-sqrt(6 / (fan in + fan out)), biases zero
  lecun,       ///< weights of variance 1 / fan in, normal within two deviations; biases zero
  orthogonal,  ///< of a matrix the rows or the columns, whichever are fewer, orthogonal of norm sqrt(2);
               ///< biases zero
};

/// Of a packed weight: W, or its transpose for gradients of inputs.
enum class PackLayout { plain, transposed };

/// One dense layer of an ensemble: y = x W + b with W [nets, in, out] and b [nets, 1, out], which are nets
/// first .. first + nets of their entries.
struct DenseLayer {
  int weight = 0, bias = 0;  ///< entries of the parameters
  int nets = 1, in = 0, out = 0;
  int first = 0;
  LayerPlace place = LayerPlace::input;
};

template <class T>
class Parameters {
 public:
  /// One tensor [nets, rows, cols] of the arena, for each net contiguous.
  struct Entry {
    std::string name;
    Shape shape;
    int key = 0;                     ///< its number among the random initial weights
    std::size_t offset = 0;          ///< of net 0 among the values
    std::size_t trained_offset = 0;  ///< of net 0 among the gradients, and in each moment's arena
    const void* place = nullptr;  ///< stands for the entry in Tape::place(); a follower's is its namesake's
    std::size_t net_size() const { return shape.size() / static_cast<std::size_t>(shape.nets); }
  };
  /// A weight matrix (or some of its rows, transposed) in the layout that `products` want; derived data,
  /// renewed whenever its entry changes.
  struct Pack {
    const Dense<T>* products = nullptr;
    int entry = 0, first_row = 0, row_count = 0;
    bool transposed = false;
    std::size_t net_size = 0;
    Buffer<T> memory;
    const T* net(int k) const { return memory.data() + static_cast<std::size_t>(k) * net_size; }
  };

  /// Declares a tensor; returns its index. Names are part of the file formats.
  int add(std::string name, Shape shape);
  /// Leaves out `count` numbers among the random initial weights, as if so many tensors had been declared.
  void skip_keys(int count) { next_key_ += count; }
  /// Allocates the arenas, `trainable` with gradients and moments. Once, after all declarations.
  /// A `follower`, such as the targets of some networks, has entries of names that this one has, too, of the
  /// same rows and columns. Its values share this arena: those of an entry lie right behind its namesake's,
  /// so that both are one larger ensemble to a device that wants that. Throws InvalidArgument if it has
  /// others.
  void allocate(bool trainable, Device& device, Parameters* follower = nullptr);

  const std::vector<Entry>& entries() const { return entries_; }
  /// The entry of that name, or -1.
  int find(const std::string& name) const;
  const Entry& entry(int index) const { return entries_[static_cast<std::size_t>(index)]; }
  /// Values of the arena that holds them, a follower's included.
  std::size_t size() const { return values_.size(); }
  /// The device whose memory holds the values.
  Device& device() const { return *device_; }
  bool trainable() const { return gradients_.size() > 0; }

  /// Where an entry's net 0 lies in one of the arenas.
  std::size_t offset(const Buffer<T>& arena, const Entry& entry) const {
    return arena.data() == values_.data() ? entry.offset : entry.trained_offset;
  }
  T* value(int index, int net = 0) const { return at(values_, index, net); }
  T* gradient(int index, int net = 0) const { return at(gradients_, index, net); }
  T* first_moment(int index, int net = 0) const { return at(first_moments_, index, net); }
  T* second_moment(int index, int net = 0) const { return at(second_moments_, index, net); }
  Buffer<T>& values() { return values_; }
  Buffer<T>& gradients() { return gradients_; }
  Buffer<T>& first_moments() { return first_moments_; }
  Buffer<T>& second_moments() { return second_moments_; }
  const Buffer<T>& values() const { return values_; }
  const Buffer<T>& first_moments() const { return first_moments_; }
  const Buffer<T>& second_moments() const { return second_moments_; }

  /// The pack of rows first_row .. first_row + row_count of a layer's weight, for products in that precision,
  /// made on first demand; null on a device that wants none, and for a layer of one output.
  const Pack* pack(const DenseLayer& layer, int first_row, int row_count, PackLayout layout,
                   Precision precision);
  /// Renews the packs of one entry's net from its values.
  void repack(int index, int net) const;
  /// Renews all packs: after values were loaded or set.
  void repack() const;
  /// Grows whenever repack() was called.
  std::uint64_t version() const { return version_; }

 private:
  T* at(const Buffer<T>& arena, int index, int net) const {
    const Entry& e = entry(index);
    return arena.data() + offset(arena, e) + static_cast<std::size_t>(net) * e.net_size();
  }

  std::vector<Entry> entries_;
  int next_key_ = 0;
  std::vector<std::unique_ptr<Pack>> packs_;
  Device* device_ = nullptr;
  mutable std::uint64_t version_ = 0;
  Buffer<T> values_, gradients_, first_moments_, second_moments_;
};

/// Gain and offset of a layer normalisation.
struct NormLayer {
  int gain = 0, bias = 0;  ///< entries of the parameters
  int nets = 1, first = 0;
  double epsilon = kNormEpsilon;  ///< added to the variance
};

/// Declares `name.weight` and `name.bias`.
template <class T>
DenseLayer add_dense(Parameters<T>& parameters, const std::string& name, int nets, int in, int out);
/// Declares `name.gain` and `name.bias`.
template <class T>
NormLayer add_norm(Parameters<T>& parameters, const std::string& name, int nets, int width,
                   double epsilon = kNormEpsilon);

/// Sets the layer's weights: random numbers (seed; initial_weights, 0, entry's key, index within the entry).
template <class T>
void initialize_dense(Parameters<T>& parameters, const DenseLayer& layer, Initializer initializer,
                      std::uint64_t seed);

}  // namespace r2pac
