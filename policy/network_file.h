// Networks as tensors of a file: of policies, checkpoints and traces alike.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/networks.h"
#include "settings/settings.h"
#include "storage/safetensors.h"

namespace r2pac {

/// The `format` in the metadata of checkpoints. Checkpoints of the earlier format are read, too.
inline constexpr char kCheckpointFormat[] = "r2pac-checkpoint-2";
inline bool is_checkpoint_format(std::string_view format) {
  return format == kCheckpointFormat || format == "r2pac-checkpoint-1";
}

/// The writer of a file, and the arrays that it refers to.
template <class T>
struct Snapshot {
  std::deque<std::vector<T>> arrays;
  SafetensorsWriter writer;
};

/// Where a tensor's first net lies in the arena of such parameters, and how many values it has.
template <class T>
std::pair<std::size_t, std::size_t> place(const Networks<T>& networks, const Parameters<T>& parameters,
                                          const Buffer<T>& arena, const NamedTensor& tensor) {
  const bool follows = &parameters == &networks.follower;
  const auto& entry = parameters.entry(follows ? tensor.follower_entry : tensor.entry);
  return {parameters.offset(arena, entry) + entry.net_size() * static_cast<std::size_t>(tensor.first),
          entry.net_size() * static_cast<std::size_t>(tensor.count)};
}

/// Adds copies of the networks' tensors to the snapshot, each under prefix + its public name. They are read
/// from `arena`, the memory of `parameters`, which are the networks' own or their followers'.
template <class T>
void save_networks(const Networks<T>& networks, const Parameters<T>& parameters, const Buffer<T>& arena,
                   const std::string& prefix, Snapshot<T>& snapshot);
template <class T>
void load_networks(const Networks<T>& networks, const Parameters<T>& parameters, Buffer<T>& arena,
                   const std::string& prefix, const SafetensorsFile& file);

/// Adds the metadata that describe the method: version, method, networks and settings.
void describe(SafetensorsWriter& writer, const Settings& settings, const Declaration& networks);

/// A method's networks as files describe them: one line each, name: inputs with widths -> outputs, and count.
std::string networks_text(const Declaration& declaration);

}  // namespace r2pac
