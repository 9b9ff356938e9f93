#include "policy/network_file.h"

#include "base/version.h"

namespace r2pac {
namespace {

/// Whether the parameters, the networks' own or their followers, hold the tensor.
template <class T>
bool holds(const Networks<T>& networks, const Parameters<T>& parameters, const NamedTensor& tensor) {
  return &parameters != &networks.follower || tensor.followed();
}

}  // namespace

template <class T>
void save_networks(const Networks<T>& networks, const Parameters<T>& parameters, const Buffer<T>& arena,
                   const std::string& prefix, Snapshot<T>& snapshot) {
  for (const NamedTensor& tensor : networks.tensors()) {
    if (!holds(networks, parameters, tensor)) continue;
    const auto [offset, size] = place(networks, parameters, arena, tensor);
    std::vector<T>& values = snapshot.arrays.emplace_back(size);
    arena.copy_out(values.data(), size, offset);
    snapshot.writer.template add<T>(prefix + tensor.name, networks.shape_of(tensor), values);
  }
}

template <class T>
void load_networks(const Networks<T>& networks, const Parameters<T>& parameters, Buffer<T>& arena,
                   const std::string& prefix, const SafetensorsFile& file) {
  for (const NamedTensor& tensor : networks.tensors()) {
    if (!holds(networks, parameters, tensor)) continue;
    const std::span<const T> values = file.get<T>(prefix + tensor.name, networks.shape_of(tensor));
    arena.copy_in(values.data(), values.size(), place(networks, parameters, arena, tensor).first);
  }
}

std::string networks_text(const Declaration& declaration) {
  std::string text;
  for (const Network& network : declaration.networks) {
    if (network.absent) continue;
    text += network.name + ":";
    for (const Columns& columns : network.inputs)
      text += " " + columns.name + " " + std::to_string(columns.width);
    text += " -> " + std::to_string(network.outputs);
    if (network.count > 1) text += ", " + std::to_string(network.count) + " of them";
    text += "\n";
  }
  return text;
}

void describe(SafetensorsWriter& writer, const Settings& settings, const Declaration& networks) {
  writer.metadata("version", kVersion);
  writer.metadata("method", settings.method);
  writer.metadata("networks", networks_text(networks));
  writer.metadata("settings", settings_toml({settings, {}}));
}

#define R2_INSTANTIATE(T)                                                                               \
  template void save_networks(const Networks<T>&, const Parameters<T>&, const Buffer<T>&,               \
                              const std::string&, Snapshot<T>&);                                        \
  template void load_networks(const Networks<T>&, const Parameters<T>&, Buffer<T>&, const std::string&, \
                              const SafetensorsFile&);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
