#include "policy/policy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "model/budget.h"
#include "model/region.h"
#include "policy/network_file.h"
#include "policy/normalization_file.h"
#include "settings/text_value.h"
#include "storage/generations.h"

namespace r2pac {
namespace {

constexpr char kFormat[] = "r2pac-policy-2", kOldFormat[] = "r2pac-policy-1";

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
  std::vector<float> noise, candidates;                     // [candidates, hA]
  std::vector<float> candidate_q_cost, candidate_q_reward;  // [candidates]
  std::vector<float> chunk;                                 // [hA]
  std::vector<float> q_cost = {0}, q_reward = {0}, v_reward = {0}, v_cost = {0};
};

/// The candidate next to `chunk`, by the greatest difference of a component.
std::size_t nearest_candidate(const Example& example, std::span<const float> chunk) {
  std::size_t nearest = 0;
  float least = std::numeric_limits<float>::infinity();
  for (std::size_t c = 0; c < example.candidates.size() / chunk.size(); ++c) {
    float distance = 0;
    for (std::size_t j = 0; j < chunk.size(); ++j)
      distance = std::max(distance, std::abs(example.candidates[c * chunk.size() + j] - chunk[j]));
    if (distance < least) nearest = c;
    least = std::min(least, distance);
  }
  return nearest;
}

/// A scalar as a file holds it.
double checked_scalar(const std::string& name, double value, const std::filesystem::path& path) {
  if (!std::isfinite(value))
    throw Error(ExitCode::checkpoint, "the " + name + " is not a finite number", path.string(),
                "use a file written by `r2pac train`");
  return value;
}

std::unique_ptr<Networks<float>> networks_on(const Method<float>& method, const Settings& settings,
                                             Device& device) {
  return std::make_unique<Networks<float>>(method.networks, settings.initializer,
                                           static_cast<std::uint64_t>(settings.seed), device);
}

/// What the policy does about the observation, with noise (seed 0, step 0, row 0) unless some is given.
Example act_on_example(Sampler<float> sampler, const Dimensions& dimensions,
                       std::span<const float> observation, std::span<const double> spent,
                       std::vector<float> noise) {
  Example example;
  const auto chunk = static_cast<std::size_t>(dimensions.chunk()),
             many = static_cast<std::size_t>(sampler.candidates());
  example.noise = std::move(noise);
  if (example.noise.empty()) {
    example.noise.resize(sampler.noise_size());
    sampler.draw_noise(0, 0, 0, example.noise);
  }
  example.chunk.resize(chunk);
  example.candidates.resize(many * chunk);
  SampleOutputs<float> out;
  out.chunk = example.chunk;
  out.candidates = example.candidates;
  if (sampler.has_critics()) {
    example.candidate_q_cost.resize(many);
    example.candidate_q_reward.resize(many);
    out.q_cost = example.q_cost;
    out.v_reward = example.v_reward;
    out.v_cost = example.v_cost;
    out.q_reward = example.q_reward;
    out.candidate_q_cost = example.candidate_q_cost;
    out.candidate_q_reward = example.candidate_q_reward;
  }
  sampler.sample(observation, example.noise, out, spent);
  return example;
}

/// The policy file that a path stands for: itself, or that of a run folder.
std::filesystem::path policy_path(const std::filesystem::path& given) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(given, ignored)) return given;
  const std::filesystem::path policy = given / "policy.safetensors";
  if (std::filesystem::exists(std::filesystem::symlink_status(policy, ignored))) return policy;
  const std::vector<Generation> kept = list_generations(given / "checkpoints");
  if (kept.empty())
    throw Error(ExitCode::checkpoint, "the folder holds no policy", given.string(),
                "give a run folder made by `r2pac train`, or a policy file");
  const std::string step = std::to_string(kept.front().number);
  throw Error(
      ExitCode::checkpoint,
      "the run is not finished: its newest checkpoint is of step " + step + ", and it has no policy yet",
      given.string(),
      "continue it with its `r2pac train` command, or give the checkpoint " + kept.front().path.string() +
          " (`r2pac eval` takes --checkpoint " + step + ", too)");
}

}  // namespace

std::optional<double> Policy::region_end() const {
  const auto found = scalars_.find(kRegionEnd);
  return found == scalars_.end() ? std::nullopt : std::optional(found->second);
}

double Policy::region_bound() const {
  const double end = region_end().value_or(0);
  return value_limit_ ? std::min(end, *value_limit_) : end;
}

SamplerOptions Policy::sampler_options(const Settings& settings) const {
  // Eq. 42 is linear in the cost limit, so that a region by it serves any limit.
  const double bound = region_bound() * (acts_by_limit() ? settings.cost_limit / settings_.cost_limit : 1);
  const auto greatest = scalars_.find(kGreatestBudget);
  if (settings.num_candidates > 1 && !has_critics())
    throw Error(ExitCode::settings,
                "method `" + settings.method + "` has no critics that could choose among " +
                    std::to_string(settings.num_candidates) + " candidates",
                "num_candidates", "give 1 candidate");
  const ActingNetworks& acting = method_.acting;
  const bool by_flow = settings.act_with == ActWith::flow;
  // A deterministic actor has a chunk of each of its networks.
  const int said = acting.mean.empty() || by_flow ? 0 : said_chunks(*networks_, acting);
  const auto steps = scalars_.find(kEpisodeSteps);
  if (by_flow && acting.velocity.empty())
    throw Error(ExitCode::settings, "the policy has no flow", "act_with", "let its actor act");
  return {{settings.flow_steps, settings.guidance_scale,
           settings.label == ActingLabel::null ? kLabelNull : kLabelGood},
          said > 0 ? said : settings.num_candidates,
          acting.switch_by.value_or(settings.selection),
          settings.region_bound.value_or(bound) * settings.bound_scale,
          {acting.switches() ? BudgetRule::discounted : settings.budget, settings.cost_limit,
           settings.cost_scale, settings.discount, steps != scalars_.end() ? steps->second : 0},
          by_flow,
          region_end().value_or(0),
          greatest != scalars_.end() ? greatest->second : 0};
}

std::vector<std::string_view> Policy::unread_settings(const Settings& settings) const {
  const ActingNetworks& acting = method_.acting;
  const bool says_means = !acting.mean.empty() && settings.act_with != ActWith::flow;
  std::vector<std::string_view> keys;
  if (says_means || acting.denoises()) keys = {"flow_steps", "guidance_scale", "label"};
  if (says_means) keys.push_back("num_candidates");  // one of each of its networks
  if (acting.switches()) keys.insert(keys.end(), {"selection", "region_bound", "bound_scale", "budget"});
  return keys;
}

std::size_t Policy::noise_rows(const SamplerOptions& options) const {
  return static_cast<std::size_t>(method_.acting.noise_parts() * options.num_candidates);
}

Sampler<float> Policy::sampler(const SamplerOptions& options) const {
  return {*networks_, method_.acting, normalization_, options, device_};
}

Policy Policy::of(const PolicyParts& parts, const Networks<float>& networks) {
  Policy policy(parts.device);
  policy.settings_ = parts.settings;
  policy.dimensions_ = parts.dimensions;
  policy.method_ = parts.method;
  policy.scalars_ = parts.scalars;
  policy.value_limit_ = parts.value_limit;
  policy.step_ = parts.step;
  policy.data_fingerprint_ = parts.data_fingerprint;
  policy.example_observation_ = parts.example_observation;
  policy.normalization_ = parts.normalization;
  policy.networks_ = networks_on(policy.method_, policy.settings_, *policy.device_);
  policy.networks_->copy_from(networks);
  return policy;
}

void Policy::save(const std::filesystem::path& path, Links links) const {
  Snapshot<float> snapshot;
  // Under the names of networks with followers the followers, unless the networks themselves judge; then
  // everything else as trained.
  const bool by_followers = !method_.acting.online_critics;
  if (by_followers)
    save_networks(*networks_, networks_->follower, networks_->follower.values(), "", snapshot);
  Snapshot<float> online;
  save_networks(*networks_, networks_->online, networks_->online.values(), "", online);
  for (std::size_t i = 0; i < networks_->tensors().size(); ++i)
    if (const NamedTensor& tensor = networks_->tensors()[i]; !by_followers || !tensor.followed())
      snapshot.writer.add<float>(tensor.name, networks_->shape_of(tensor), online.arrays[i]);
  SafetensorsWriter& writer = snapshot.writer;
  const Dimensions& dim = dimensions();
  const auto width = [](int n) { return static_cast<std::size_t>(n); };
  add_normalization(writer, normalization_);
  for (const auto& [name, value] : scalars_) writer.add<double>(name, {1}, std::span(&value, 1));

  const SamplerOptions options = sampler_options();
  std::unique_ptr<Networks<float>> proven;
  if (device_->whole_batches()) {
    proven = networks_on(method_, settings_, *proving_);
    proven->copy_from(*networks_);
  }
  // In the middle of a budget, if there is one, so that it takes part in the proof.
  const double half_spent = settings_.cost_limit / 2;
  const auto spent =
      options.budget.rule == BudgetRule::none ? std::span<const double>() : std::span(&half_spent, 1);
  const Example example = act_on_example(
      {proven != nullptr ? *proven : *networks_, method_.acting, normalization_, options, proving_}, dim,
      example_observation_, spent, {});
  if (!spent.empty()) writer.add<double>("example.spent", {1}, spent);
  writer.add<float>("example.observation", {width(dim.observation)}, example_observation_);
  writer.add<float>("example.noise", {noise_rows(options), width(dim.chunk())}, example.noise);
  writer.add<float>("example.chunk", {width(dim.chunk_length), width(dim.action)}, example.chunk);
  writer.add<float>("example.action", {width(dim.action)}, std::span(example.chunk).first(width(dim.action)));
  if (has_critics()) {
    writer.add<float>("example.q_c", {1}, example.q_cost);
    writer.add<float>("example.q_r", {1}, example.q_reward);
    writer.add<float>("example.v_r", {1}, example.v_reward);
    writer.add<float>("example.v_c", {1}, example.v_cost);
  }

  writer.metadata("format", kFormat);
  describe(writer, settings_, method_.networks);
  writer.metadata("observation_dim", std::to_string(dim.observation));
  writer.metadata("action_dim", std::to_string(dim.action));
  writer.metadata("chunk_length", std::to_string(dim.chunk_length));
  writer.metadata("task", settings_.task);
  writer.metadata("reward_scale", format_number(settings_.reward_scale));
  writer.metadata("cost_scale", format_number(settings_.cost_scale));
  writer.metadata("alpha", format_number(settings_.alpha));
  for (const auto& [name, value] : scalars_) writer.metadata(name, format_number(value));
  writer.metadata("cost_limit", format_number(settings_.cost_limit));
  if (value_limit_) writer.metadata("value_limit", format_number(*value_limit_));
  writer.metadata("data_fingerprint", data_fingerprint_);
  writer.metadata("step", std::to_string(step_));
  writer.write(path, links);
}

Policy Policy::load(const std::filesystem::path& given, std::shared_ptr<Device> device) {
  Policy policy(std::move(device));
  policy.path_ = policy_path(given);
  const SafetensorsFile file = SafetensorsFile::read(policy.path_);
  const auto format = file.metadata().find("format");
  const std::string name = format == file.metadata().end() ? "" : format->second;
  const bool is_policy = name == kFormat || name == kOldFormat;
  if (!is_policy && !is_checkpoint_format(name))
    throw Error(ExitCode::checkpoint, std::string("this is not a policy of the format ") + kFormat,
                policy.path_.string(),
                "give a run folder or its policy.safetensors; `r2pac inspect` shows what a file holds");
  file.require_finite();
  policy.settings_ = parse_settings(file.metadata("settings"), policy.path_.string());
  policy.data_fingerprint_ = file.metadata("data_fingerprint");
  policy.checksum_ = file.checksum();
  policy.step_ = parse_number<std::uint64_t>(file.metadata("step")).value_or(0);
  policy.read_value_limit(file);
  if (is_policy)
    policy.read_policy(file);
  else
    policy.read_checkpoint(file);
  if (policy.device_->whole_batches()) {
    const std::unique_ptr<Networks<float>> read = std::move(policy.networks_);
    policy.networks_ = networks_on(policy.method_, policy.settings_, *policy.device_);
    policy.networks_->copy_from(*read);
  }
  return policy;
}

/// The method's networks in the memory of the device that proves them.
void Policy::make_networks(const Dimensions& dimensions) {
  dimensions_ = dimensions;
  method_ = make_method<float>(settings_, dimensions);
  networks_ = networks_on(method_, settings_, *proving_);
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
  make_networks(dim);
  load_networks(*networks_, networks_->online, networks_->online.values(), "", file);
  load_networks(*networks_, networks_->follower, networks_->follower.values(), "", file);
  networks_->online.repack();
  networks_->follower.repack();
  normalization_ = read_normalization(file, dim.observation);
  for (const Scalar<float>& scalar : method_.scalars)
    scalars_[scalar.name] = checked_scalar(scalar.name, file.get<double>(scalar.name, {1})[0], path_);
  const auto observation =
      file.get<float>("example.observation", {static_cast<std::size_t>(dim.observation)});
  example_observation_.assign(observation.begin(), observation.end());
  check_example(file);
}

void Policy::read_checkpoint(const SafetensorsFile& file) {
  // The widths are those that the file says, or, in early versions, those of the tensors: what V_r reads, and
  // what the velocity field writes.
  Dimensions dim;
  if (file.metadata().contains("observation_dim")) {
    dim = {dimension(file, "observation_dim"), dimension(file, "action_dim"), settings_.chunk_length};
  } else {
    const auto last = std::to_string(settings_.hidden.size());
    const auto& reads = file.tensor("online/v_r.0.weight").shape;
    const auto& writes = file.tensor("online/velocity." + last + ".bias").shape;
    const auto h = static_cast<std::size_t>(settings_.chunk_length);
    constexpr std::size_t kWidest = 100000;
    if (reads.size() != 2 || writes.size() != 1 || reads[0] < 1 || reads[0] > kWidest || writes[0] < 1 ||
        writes[0] > kWidest || writes[0] % h != 0)
      throw Error(ExitCode::checkpoint, "the networks' widths do not fit the settings", path_.string(),
                  "use a checkpoint written by `r2pac train`");
    dim = {static_cast<int>(reads[0]), static_cast<int>(writes[0] / h), settings_.chunk_length};
  }
  make_networks(dim);
  load_networks(*networks_, networks_->online, networks_->online.values(), "online/", file);
  load_networks(*networks_, networks_->follower, networks_->follower.values(), "target/", file);
  networks_->online.repack();
  networks_->follower.repack();
  const auto s = static_cast<std::size_t>(dim.observation);
  if (file.contains("observation_mean")) {
    normalization_ = read_normalization(file, dim.observation);
  } else if (settings_.normalize_observations) {
    throw Error(ExitCode::checkpoint, "the checkpoint does not hold the scales of its observations",
                path_.string(), "train on to its end and give the policy");
  } else {
    normalization_ = {std::vector<float>(s, 0.0f), std::vector<float>(s, 1.0f)};
  }
  for (const Scalar<float>& scalar : method_.scalars)
    scalars_[scalar.name] =
        checked_scalar(scalar.name, static_cast<double>(file.get<float>(scalar.name, {1})[0]), path_);
  example_observation_.resize(s);
  for (std::size_t j = 0; j < s; ++j) example_observation_[j] = normalization_.unseen(j, 0);
}

void Policy::check_example(const SafetensorsFile& file) const {
  const SamplerOptions options = sampler_options();
  const Dimensions& dim = dimensions();
  const auto noise =
      file.get<float>("example.noise", {noise_rows(options), static_cast<std::size_t>(dim.chunk())});
  const auto observation =
      file.get<float>("example.observation", {static_cast<std::size_t>(dim.observation)});
  const auto spent =
      file.contains("example.spent") ? file.get<double>("example.spent", {1}) : std::span<const double>();
  const Example mine = act_on_example({*networks_, method_.acting, normalization_, options, proving_}, dim,
                                      observation, spent, {noise.begin(), noise.end()});
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
  if (options.num_candidates == 1)  // there was nothing to choose, so that the chunk itself can be compared
    for (std::size_t j = 0; j < stored.size(); ++j)
      if (!(std::abs(mine.chunk[j] - stored[j]) <= 1e-3f))
        throw Error(ExitCode::checkpoint, "the policy does not reproduce its own `example.chunk`",
                    path_.string(),
                    "the file was changed or the program is at fault; write the policy again");
  if (!has_critics()) return;
  compare("example.v_r", mine.v_reward[0]);
  compare("example.v_c", mine.v_cost[0]);
  compare("example.q_c", mine.candidate_q_cost[nearest]);
  if (file.contains("example.q_r")) compare("example.q_r", mine.candidate_q_reward[nearest]);
}

}  // namespace r2pac
