#include "training/trace.h"

#include <array>

#include "base/error.h"
#include "policy/policy.h"
#include "storage/safetensors_header.h"
#include "training/learner.h"

namespace r2pac {
namespace {

std::vector<std::size_t> trimmed_shape(const Shape& shape) {
  std::vector<std::size_t> sizes;
  if (shape.nets > 1) sizes.push_back(static_cast<std::size_t>(shape.nets));
  sizes.push_back(static_cast<std::size_t>(shape.rows));
  if (shape.cols > 1) sizes.push_back(static_cast<std::size_t>(shape.cols));
  return sizes;
}

template <class T>
void add_scalar(Snapshot<T>& snapshot, const std::string& name, double value) {
  std::vector<T>& stored = snapshot.arrays.emplace_back(1, static_cast<T>(value));
  snapshot.writer.template add<T>(name, {1}, stored);
}

}  // namespace

template <class T>
void write_trace(const Settings& settings, const Dataset& dataset, int steps, std::shared_ptr<Device> device,
                 const std::filesystem::path& path) {
  const TrainingData<T> data(dataset, settings, *device);
  Learner<T> learner(settings, data, device);
  learner.trace();
  Networks<T>& networks = learner.networks();
  constexpr std::size_t kBatchTensors = 48;  // batch, targets, noise, losses; rounded up
  const std::size_t tensors =
      (static_cast<std::size_t>(steps) + 1) * (3 * networks.tensors().size() + kBatchTensors);
  if (tensors > kMaxTensors)
    throw Error(ExitCode::settings,
                "a trace of " + std::to_string(steps) + " steps would have " + std::to_string(tensors) +
                    " tensors; a file holds " + std::to_string(kMaxTensors),
                path.string(), "record fewer steps, or fewer layers");
  Snapshot<T> snapshot;
  save_networks(networks, networks.online, networks.online.values(), "initial/online/", snapshot);
  save_networks(networks, networks.follower, networks.follower.values(), "initial/target/", snapshot);
  const std::array<T, 2> rewards{data.facts().rewards.least, data.facts().rewards.greatest},
      costs{data.facts().costs.least, data.facts().costs.greatest};
  snapshot.writer.template add<T>("reward_range", {2}, rewards);
  snapshot.writer.template add<T>("cost_range", {2}, costs);
  std::deque<std::vector<std::uint32_t>> windows;
  for (int i = 0; i < steps && !learner.finished(); ++i) {
    const std::string prefix = "step." + std::to_string(i) + "/";
    std::vector<std::uint32_t>& drawn = windows.emplace_back(static_cast<std::size_t>(settings.batch));
    for (int row = 0; row < settings.batch; ++row)
      drawn[static_cast<std::size_t>(row)] =
          draw_window(static_cast<std::uint64_t>(settings.seed), learner.step(), row, data.windows());
    learner.advance();
    snapshot.writer.template add<std::uint32_t>(prefix + "windows", {drawn.size()}, drawn);
    for (const auto& [name, tensor] : learner.current_step()->traced()) {
      std::vector<T>& values = snapshot.arrays.emplace_back(tensor->shape.size());
      device->memory().copy_out(values.data(), tensor->whole().data, values.size() * sizeof(T));
      snapshot.writer.template add<T>(prefix + name, trimmed_shape(tensor->shape), values);
    }
    for (const auto& [name, value] : learner.scalars()) add_scalar(snapshot, prefix + name, value);
    for (const auto& [name, value] : learner.current_step()->losses())
      add_scalar(snapshot, prefix + "loss/" + name, value);
    save_networks(networks, networks.online, networks.online.gradients(), prefix + "gradient/", snapshot);
    save_networks(networks, networks.online, networks.online.values(), prefix + "after/online/", snapshot);
    save_networks(networks, networks.follower, networks.follower.values(), prefix + "after/target/",
                  snapshot);
  }
  snapshot.writer.metadata("format", "r2pac-trace-2");
  describe(snapshot.writer, settings, networks.declaration());
  snapshot.writer.metadata("steps", std::to_string(windows.size()));
  snapshot.writer.metadata("data_fingerprint", dataset.fingerprint);
  snapshot.writer.write(path);
}

template void write_trace<float>(const Settings&, const Dataset&, int, std::shared_ptr<Device>,
                                 const std::filesystem::path&);
template void write_trace<double>(const Settings&, const Dataset&, int, std::shared_ptr<Device>,
                                  const std::filesystem::path&);

}  // namespace r2pac
