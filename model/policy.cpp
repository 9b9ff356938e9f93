#include "model/policy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/version.h"
#include "model/text_value.h"

namespace r2pac {
namespace {

constexpr char kFormat[] = "r2pac-policy-1";

int dimension(const SafetensorsFile& file, const char* key) {
  const auto value = parse_number<int>(file.metadata(key));
  if (!value || *value < 1 || *value > 100000)
    throw Error(ExitCode::checkpoint,
                std::string("`") + key + "` is `" + file.metadata(key) + "`, not a width",
                file.path().string(), "use a policy written by `r2pac train`");
  return *value;
}

/// What a policy does about one observation.
struct Example {
  std::vector<float> noise, candidates;                   // [candidates, hA]
  std::vector<float> candidate_costs, candidate_rewards;  // [candidates]
  std::vector<float> chunk;                               // [hA]
  std::vector<float> cost = {0}, reward = {0}, v_reward = {0}, v_cost = {0};
};

/// The candidate next to `chunk`, by the greatest difference of a component.
std::size_t nearest_candidate(const Example& example, std::span<const float> chunk) {
  std::size_t nearest = 0;
  float least = std::numeric_limits<float>::infinity();
  for (std::size_t c = 0; c < example.candidate_costs.size(); ++c) {
    float distance = 0;
    for (std::size_t j = 0; j < chunk.size(); ++j)
      distance = std::max(distance, std::abs(example.candidates[c * chunk.size() + j] - chunk[j]));
    if (distance < least) nearest = c;
    least = std::min(least, distance);
  }
  return nearest;
}

/// l as a file holds it.
double checked_threshold(double threshold, const std::filesystem::path& path) {
  if (!std::isfinite(threshold))
    throw Error(ExitCode::checkpoint, "the threshold is not a finite number", path.string(),
                "use a file written by `r2pac train`");
  return threshold;
}

/// The device on which a policy proves itself, whatever device it will act on: another one may compute in a
/// lower precision.
const std::shared_ptr<Device>& proving_device() {
  static const std::shared_ptr<Device> cpu = cpu_device(1);
  return cpu;
}

/// The same networks in another device's memory.
std::unique_ptr<Networks<float>> copy_networks(const Networks<float>& from, const Settings& settings,
                                               Device& device) {
  auto copy = std::make_unique<Networks<float>>(settings, from.dimensions(), device);
  const auto copy_values = [](const Parameters<float>& source, Parameters<float>& destination) {
    for (const auto& entry : source.entries()) {
      std::vector<float> values(entry.shape.size());
      source.values().copy_out(values.data(), values.size(), entry.offset);
      destination.values().copy_in(values.data(), values.size(), entry.offset);
    }
    destination.repack();
  };
  copy_values(from.online, copy->online);
  copy_values(from.target, copy->target);
  copy->observation_mean = from.observation_mean;
  copy->observation_scale = from.observation_scale;
  return copy;
}

/// What the policy does about the observation, with noise (seed 0, step 0, row 0) unless some is given.
Example act_on_example(Networks<float>& networks, const SamplerOptions& options,
                       std::span<const float> observation, std::vector<float> noise) {
  Sampler<float> sampler(networks, options, proving_device());
  Example example;
  const auto chunk = static_cast<std::size_t>(networks.dimensions().chunk()),
             many = static_cast<std::size_t>(options.num_candidates);
  example.noise = std::move(noise);
  if (example.noise.empty()) {
    example.noise.resize(many * chunk);
    sampler.draw_noise(0, 0, 0, example.noise);
  }
  example.chunk.resize(chunk);
  example.candidates.resize(many * chunk);
  example.candidate_costs.resize(many);
  example.candidate_rewards.resize(many);
  sampler.sample(observation, example.noise,
                 {.chunk = example.chunk,
                  .cost = example.cost,
                  .v_reward = example.v_reward,
                  .v_cost = example.v_cost,
                  .reward = example.reward,
                  .candidates = example.candidates,
                  .candidate_costs = example.candidate_costs,
                  .candidate_rewards = example.candidate_rewards});
  return example;
}

void load_normalization(Networks<float>& networks, const SafetensorsFile& file) {
  const auto s = static_cast<std::size_t>(networks.dimensions().observation);
  const auto mean = file.get<float>("observation_mean", {s}),
             scale = file.get<float>("observation_scale", {s});
  networks.observation_mean.assign(mean.begin(), mean.end());
  networks.observation_scale.assign(scale.begin(), scale.end());
}

}  // namespace

SamplerOptions Policy::sampler_options() const {
  return {{settings_.flow_steps, settings_.guidance_scale, kLabelGood},
          settings_.num_candidates,
          settings_.selection,
          region_threshold()};
}

Policy Policy::of(const Learner<float>& learner, const TrainingData<float>& data, double threshold) {
  Policy policy;
  policy.device_ = learner.device();
  policy.settings_ = learner.settings();
  policy.threshold_ = threshold;
  policy.value_limit_ = limit_as_value(policy.settings_, data.longest_episode());
  policy.step_ = learner.step();
  policy.data_fingerprint_ = data.fingerprint();
  policy.example_observation_ = data.first_observation();
  policy.networks_ = copy_networks(learner.networks(), policy.settings_, *policy.device_);
  return policy;
}

void Policy::save(const std::filesystem::path& path) const {
  Snapshot<float> snapshot;
  // Under the critics' names the averaged critics, then everything else as trained.
  save_networks(*networks_, networks_->target, networks_->target.values(), "", snapshot);
  Snapshot<float> online;
  save_networks(*networks_, networks_->online, networks_->online.values(), "", online);
  std::size_t index = 0;
  for (const NamedTensor& tensor : named_tensors(*networks_)) {
    const std::vector<float>& values = online.arrays[index++];
    if (tensor.entry < static_cast<int>(networks_->target.entries().size())) continue;
    snapshot.writer.add<float>(tensor.name, tensor_shape(*networks_, tensor), values);
  }
  SafetensorsWriter& writer = snapshot.writer;
  const Dimensions& dim = dimensions();
  const auto width = [](int n) { return static_cast<std::size_t>(n); };
  writer.add<float>("observation_mean", {width(dim.observation)}, networks_->observation_mean);
  writer.add<float>("observation_scale", {width(dim.observation)}, networks_->observation_scale);
  writer.add<double>("threshold", {1}, std::span(&threshold_, 1));

  const SamplerOptions options = sampler_options();
  const auto proven =
      device_->whole_batches() ? copy_networks(*networks_, settings_, *proving_device()) : nullptr;
  const Example example =
      act_on_example(proven != nullptr ? *proven : *networks_, options, example_observation_, {});
  writer.add<float>("example.observation", {width(dim.observation)}, example_observation_);
  writer.add<float>("example.noise", {width(options.num_candidates), width(dim.chunk())}, example.noise);
  writer.add<float>("example.chunk", {width(dim.chunk_length), width(dim.action)}, example.chunk);
  writer.add<float>("example.action", {width(dim.action)}, std::span(example.chunk).first(width(dim.action)));
  writer.add<float>("example.q_c", {1}, example.cost);
  writer.add<float>("example.q_r", {1}, example.reward);
  writer.add<float>("example.v_r", {1}, example.v_reward);
  writer.add<float>("example.v_c", {1}, example.v_cost);

  writer.metadata("format", kFormat);
  writer.metadata("version", kVersion);
  writer.metadata("settings", settings_toml({settings_, {}}));
  writer.metadata("observation_dim", std::to_string(dim.observation));
  writer.metadata("action_dim", std::to_string(dim.action));
  writer.metadata("chunk_length", std::to_string(dim.chunk_length));
  writer.metadata("task", settings_.task);
  writer.metadata("reward_scale", format_number(settings_.reward_scale));
  writer.metadata("cost_scale", format_number(settings_.cost_scale));
  writer.metadata("alpha", format_number(settings_.alpha));
  writer.metadata("threshold", format_number(threshold_));
  writer.metadata("cost_limit", format_number(settings_.cost_limit));
  if (std::isfinite(value_limit_)) writer.metadata("value_limit", format_number(value_limit_));
  writer.metadata("data_fingerprint", data_fingerprint_);
  writer.metadata("step", std::to_string(step_));
  writer.write(path);
}

Policy Policy::load(const std::filesystem::path& given, std::shared_ptr<Device> device) {
  Policy policy;
  policy.device_ = std::move(device);
  policy.path_ = std::filesystem::is_directory(given) ? given / "policy.safetensors" : given;
  const SafetensorsFile file = SafetensorsFile::read(policy.path_);
  const auto format = file.metadata().find("format");
  const std::string name = format == file.metadata().end() ? "" : format->second;
  if (name != kFormat && name != kCheckpointFormat)
    throw Error(ExitCode::checkpoint, std::string("this is not a policy of the format ") + kFormat,
                policy.path_.string(),
                "give a run folder or its policy.safetensors; `r2pac inspect` shows what a file holds");
  policy.settings_ = parse_settings(file.metadata("settings"), policy.path_.string());
  policy.data_fingerprint_ = file.metadata("data_fingerprint");
  policy.step_ = parse_number<std::uint64_t>(file.metadata("step")).value_or(0);
  policy.read_value_limit(file);
  if (name == kFormat)
    policy.read_policy(file);
  else
    policy.read_checkpoint(file);
  if (policy.device_->whole_batches())
    policy.networks_ = copy_networks(*policy.networks_, policy.settings_, *policy.device_);
  return policy;
}

void Policy::read_value_limit(const SafetensorsFile& file) {
  const auto text = file.metadata().find("value_limit");
  if (text == file.metadata().end()) return;
  const std::optional<double> limit = parse_number<double>(text->second);
  if (!limit || !std::isfinite(*limit))
    throw Error(ExitCode::checkpoint, "`value_limit` is `" + text->second + "`, not a finite number",
                path_.string(), "use a file written by `r2pac train`");
  value_limit_ = *limit;
}

void Policy::read_policy(const SafetensorsFile& file) {
  const Dimensions dim{dimension(file, "observation_dim"), dimension(file, "action_dim"),
                       dimension(file, "chunk_length")};
  if (dim.chunk_length != settings_.chunk_length)
    throw Error(ExitCode::checkpoint, "`chunk_length` is not that of the settings", path_.string(), "");
  networks_ = std::make_unique<Networks<float>>(settings_, dim, *proving_device());
  load_networks(*networks_, networks_->online, networks_->online.values(), "", file);
  load_networks(*networks_, networks_->target, networks_->target.values(), "", file);
  networks_->online.repack();
  networks_->target.repack();
  load_normalization(*networks_, file);
  threshold_ = checked_threshold(file.get<double>("threshold", {1})[0], path_);
  const auto observation =
      file.get<float>("example.observation", {static_cast<std::size_t>(dim.observation)});
  example_observation_.assign(observation.begin(), observation.end());
  check_example(file);
}

void Policy::read_checkpoint(const SafetensorsFile& file) {
  // The widths are those of the tensors: what V_r reads, and what the velocity field writes.
  const auto last = std::to_string(settings_.hidden.size());
  const auto& reads = file.tensor("online/v_r.0.weight").shape;
  const auto& writes = file.tensor("online/velocity." + last + ".bias").shape;
  const auto h = static_cast<std::size_t>(settings_.chunk_length);
  constexpr std::size_t kWidest = 100000;
  if (reads.size() != 2 || writes.size() != 1 || reads[0] < 1 || reads[0] > kWidest || writes[0] < 1 ||
      writes[0] > kWidest || writes[0] % h != 0)
    throw Error(ExitCode::checkpoint, "the networks' widths do not fit the settings", path_.string(),
                "use a checkpoint written by `r2pac train`");
  const Dimensions dim{static_cast<int>(reads[0]), static_cast<int>(writes[0] / h), settings_.chunk_length};
  networks_ = std::make_unique<Networks<float>>(settings_, dim, *proving_device());
  load_networks(*networks_, networks_->online, networks_->online.values(), "online/", file);
  load_networks(*networks_, networks_->target, networks_->target.values(), "target/", file);
  networks_->online.repack();
  networks_->target.repack();
  const auto s = static_cast<std::size_t>(dim.observation);
  if (file.contains("observation_mean")) {
    load_normalization(*networks_, file);
  } else if (settings_.normalize_observations) {
    throw Error(ExitCode::checkpoint, "the checkpoint does not hold the scales of its observations",
                path_.string(), "train on to its end and give the policy");
  } else {
    networks_->observation_mean.assign(s, 0.0f);
    networks_->observation_scale.assign(s, 1.0f);
  }
  threshold_ = checked_threshold(static_cast<double>(file.get<float>("threshold", {1})[0]), path_);
  example_observation_ = networks_->observation_mean;
}

void Policy::check_example(const SafetensorsFile& file) const {
  const SamplerOptions options = sampler_options();
  const Dimensions& dim = dimensions();
  const auto noise = file.get<float>("example.noise", {static_cast<std::size_t>(options.num_candidates),
                                                       static_cast<std::size_t>(dim.chunk())});
  const auto observation =
      file.get<float>("example.observation", {static_cast<std::size_t>(dim.observation)});
  const Example mine = act_on_example(*networks_, options, observation, {noise.begin(), noise.end()});
  // Another instruction set rounds differently, by some 1e-6 of a layer's sums; among candidates of nearly
  // equal scores, or scores next to the threshold, it may even choose another, so that the scores are
  // compared that it gives the candidate next to the stored chunk.
  const auto stored = file.get<float>(
      "example.chunk", {static_cast<std::size_t>(dim.chunk_length), static_cast<std::size_t>(dim.action)});
  const std::size_t nearest = nearest_candidate(mine, {stored.data(), stored.size()});
  const auto compare = [&](const char* name, float value) {
    const float expected = file.get<float>(name, {1})[0];
    if (!(std::abs(value - expected) <= 1e-3f * (1 + std::abs(expected))))
      throw Error(ExitCode::checkpoint,
                  std::string("the policy does not reproduce its own `") + name +
                      "`: " + format_number(value) + " instead of " + format_number(expected),
                  path_.string(), "the file was changed or the program is at fault; write the policy again");
  };
  compare("example.v_r", mine.v_reward[0]);
  compare("example.v_c", mine.v_cost[0]);
  compare("example.q_c", mine.candidate_costs[nearest]);
  if (file.contains("example.q_r")) compare("example.q_r", mine.candidate_rewards[nearest]);
}

}  // namespace r2pac
