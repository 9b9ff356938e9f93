#include "engine/parameters.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <span>

#include "base/error.h"
#include "base/philox.h"

namespace r2pac {

template <class T>
int Parameters<T>::add(std::string name, Shape shape) {
  if (values_.size() > 0) throw InvalidArgument("Parameters::add: `" + name + "` comes after allocate");
  entries_.push_back({std::move(name), shape, next_key_++});
  return static_cast<int>(entries_.size()) - 1;
}

template <class T>
void Parameters<T>::allocate(bool trainable, Device& device, Parameters* follower) {
  const auto padded = [](std::size_t values) { return (values + 15) / 16 * 16; };
  std::size_t size = 0, trained = 0, followed = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    entries_[i].trained_offset = trained;
    trained += padded(entries_[i].shape.size());
    entries_[i].offset = size;
    size += entries_[i].shape.size();
    if (const int f = follower != nullptr ? follower->find(entries_[i].name) : -1; f >= 0) {
      Entry& follows = follower->entries_[static_cast<std::size_t>(f)];
      if (follows.net_size() != entries_[i].net_size())
        throw InvalidArgument("Parameters::allocate: the follower's `" + follows.name +
                              "` has another shape");
      follows.offset = size;
      size += follows.shape.size();
      ++followed;
    }
    size = padded(size);
  }
  if (follower != nullptr && followed != follower->entries_.size())
    throw InvalidArgument("Parameters::allocate: the follower has entries that nobody leads");
  device_ = &device;
  values_ = Buffer<T>(size, device.memory());
  for (Entry& entry : entries_) entry.place = values_.data() + entry.offset;
  if (follower != nullptr) {
    follower->device_ = &device;
    follower->values_ = values_;
    for (Entry& entry : follower->entries_)
      entry.place = entries_[static_cast<std::size_t>(find(entry.name))].place;
  }
  if (!trainable) return;
  gradients_ = Buffer<T>(trained, device.memory());
  first_moments_ = Buffer<T>(trained, device.memory());
  second_moments_ = Buffer<T>(trained, device.memory());
}

template <class T>
int Parameters<T>::find(const std::string& name) const {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].name == name) return static_cast<int>(i);
  return -1;
}

template <class T>
auto Parameters<T>::pack(const DenseLayer& layer, int first_row, int row_count, PackLayout layout,
                         Precision precision) -> const Pack* {
  if (device_->whole_batches() || layer.out == 1) return nullptr;
  const int index = layer.weight;
  const Dense<T>& products = dense<T>(precision, layer.place);
  const bool transposed = layout == PackLayout::transposed;
  for (const auto& pack : packs_)
    if (pack->products == &products && pack->entry == index && pack->first_row == first_row &&
        pack->row_count == row_count && pack->transposed == transposed)
      return pack.get();
  auto pack = std::make_unique<Pack>();
  const Shape shape = entry(index).shape;
  pack->products = &products;
  pack->entry = index;
  pack->first_row = first_row;
  pack->row_count = row_count;
  pack->transposed = transposed;
  const int depth = transposed ? shape.cols : row_count, cols = transposed ? row_count : shape.cols;
  pack->net_size = (products.packed_size(depth, cols) + 15) / 16 * 16;
  pack->memory = Buffer<T>(pack->net_size * static_cast<std::size_t>(shape.nets));
  packs_.push_back(std::move(pack));
  for (int net = 0; net < shape.nets; ++net) repack(index, net);
  return packs_.back().get();
}

template <class T>
void Parameters<T>::repack(int index, int net) const {
  for (const auto& pack : packs_) {
    if (pack->entry != index) continue;
    const int stride = entry(index).shape.cols;
    const int depth = pack->transposed ? stride : pack->row_count,
              cols = pack->transposed ? pack->row_count : stride;
    const T* weight = value(index, net) + static_cast<std::ptrdiff_t>(pack->first_row) * stride;
    pack->products->pack(weight, depth, cols, stride, pack->transposed,
                         pack->memory.data() + static_cast<std::size_t>(net) * pack->net_size);
  }
}

template <class T>
void Parameters<T>::repack() const {
  ++version_;
  for (std::size_t i = 0; i < entries_.size(); ++i)
    for (int net = 0; net < entries_[i].shape.nets; ++net) repack(static_cast<int>(i), net);
}

template <class T>
DenseLayer add_dense(Parameters<T>& parameters, const std::string& name, int nets, int in, int out) {
  DenseLayer layer;
  layer.nets = nets;
  layer.in = in;
  layer.out = out;
  layer.weight = parameters.add(name + ".weight", {nets, in, out});
  layer.bias = parameters.add(name + ".bias", {nets, 1, out});
  return layer;
}

template <class T>
NormLayer add_norm(Parameters<T>& parameters, const std::string& name, int nets, int width, double epsilon) {
  NormLayer layer;
  layer.epsilon = epsilon;
  layer.gain = parameters.add(name + ".gain", {nets, 1, width});
  layer.bias = parameters.add(name + ".bias", {nets, 1, width});
  layer.nets = nets;
  return layer;
}

namespace {

template <class T>
void initialize_lecun(Parameters<T>& parameters, const DenseLayer& layer, std::uint64_t seed) {
  constexpr double kOfTruncated = 0.87962566103423978;  // deviation of a standard normal within +-2
  const auto& entry = parameters.entry(layer.weight);
  std::vector<T> values(entry.shape.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    double drawn = 3;
    for (std::uint64_t attempt = 0; !(std::abs(drawn) <= 2); ++attempt)
      drawn = static_cast<double>(random_normal(seed, Purpose::initial_weights, attempt,
                                                static_cast<std::uint32_t>(entry.key),
                                                static_cast<std::uint32_t>(i)));
    values[i] = static_cast<T>(drawn / (kOfTruncated * std::sqrt(layer.in)));
  }
  parameters.values().copy_in(values.data(), values.size(), entry.offset);
}

/// By Gram and Schmidt from normal vectors, each against those before it.
template <class T>
void initialize_orthogonal(Parameters<T>& parameters, const DenseLayer& layer, std::uint64_t seed) {
  const auto& entry = parameters.entry(layer.weight);
  const auto in = static_cast<std::size_t>(layer.in), out = static_cast<std::size_t>(layer.out),
             count = std::min(in, out), length = std::max(in, out);
  std::vector<T> values(entry.shape.size());
  std::vector<double> vectors(count * length);
  for (std::size_t first = 0; first < values.size(); first += in * out) {  // of a net
    for (std::size_t k = 0; k < vectors.size(); ++k)
      vectors[k] = static_cast<double>(random_normal(seed, Purpose::initial_weights, 0,
                                                     static_cast<std::uint32_t>(entry.key),
                                                     static_cast<std::uint32_t>(first + k)));
    for (std::size_t v = 0; v < count; ++v) {
      const std::span<double> vector(vectors.data() + v * length, length);
      for (std::size_t u = 0; u < v; ++u) {
        const std::span<const double> before(vectors.data() + u * length, length);
        const double product = std::inner_product(vector.begin(), vector.end(), before.begin(), 0.0);
        for (std::size_t i = 0; i < length; ++i) vector[i] -= product * before[i];
      }
      const double norm = std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0));
      for (double& number : vector) number /= norm;
    }
    for (std::size_t row = 0; row < in; ++row)
      for (std::size_t col = 0; col < out; ++col)
        values[first + row * out + col] = static_cast<T>(
            std::numbers::sqrt2 * (in >= out ? vectors[col * length + row] : vectors[row * length + col]));
  }
  parameters.values().copy_in(values.data(), values.size(), entry.offset);
}

}  // namespace

template <class T>
void initialize_dense(Parameters<T>& parameters, const DenseLayer& layer, Initializer initializer,
                      std::uint64_t seed) {
  if (initializer == Initializer::lecun) return initialize_lecun(parameters, layer, seed);
  if (initializer == Initializer::orthogonal) return initialize_orthogonal(parameters, layer, seed);
  const bool torch = initializer == Initializer::torch;
  const double weight_bound = torch ? 1 / std::sqrt(layer.in) : std::sqrt(6.0 / (layer.in + layer.out));
  const auto fill = [&](int index, double bound) {
    const auto& entry = parameters.entry(index);
    std::vector<T> values(entry.shape.size());
    for (std::size_t i = 0; i < values.size(); i += 4) {
      const Words4 words =
          random_words(seed, Purpose::initial_weights, 0, static_cast<std::uint32_t>(entry.key),
                       static_cast<std::uint32_t>(i / 4));
      for (std::size_t lane = 0; lane < 4 && i + lane < values.size(); ++lane)
        values[i + lane] =
            static_cast<T>((2.0 * static_cast<double>(unit_interval(words.word[lane])) - 1.0) * bound);
    }
    parameters.values().copy_in(values.data(), values.size(), entry.offset);
  };
  fill(layer.weight, weight_bound);
  if (torch) fill(layer.bias, weight_bound);
}

#define R2_INSTANTIATE(T)                                                            \
  template class Parameters<T>;                                                      \
  template DenseLayer add_dense(Parameters<T>&, const std::string&, int, int, int);  \
  template NormLayer add_norm(Parameters<T>&, const std::string&, int, int, double); \
  template void initialize_dense(Parameters<T>&, const DenseLayer&, Initializer, std::uint64_t);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
