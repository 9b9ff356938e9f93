#include "python/acting_policy.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/nearest.h"
#include "settings/text_value.h"

namespace r2pac::python {
namespace {

constexpr std::size_t kBlock = 1024;  // rows given to the sampler at a time, which bounds its memory

void require_place(std::span<const std::int64_t> numbers, std::size_t rows, std::int64_t most,
                   const char* argument) {
  if (numbers.empty()) return;
  if (numbers.size() != rows)
    throw InvalidArgument(std::string("`") + argument + "` must hold " + std::to_string(rows) +
                          " numbers, not " + std::to_string(numbers.size()));
  if (std::ranges::any_of(numbers, [most](std::int64_t n) { return n < 0 || n > most; }))
    throw InvalidArgument(std::string("`") + argument + "` must hold numbers from 0 to " +
                          std::to_string(most));
}

/// Calls `visit(first, count)` for blocks of rows.
template <class Visit>
void for_blocks(std::size_t rows, Visit visit) {
  for (std::size_t first = 0; first < rows; first += kBlock) visit(first, std::min(kBlock, rows - first));
}

constexpr double kGreatestLimit = 1e12;  // as of `r2pac eval --cost-limit`
constexpr std::int64_t kLastEpisode = std::numeric_limits<std::uint32_t>::max();

}  // namespace

ActingPolicy::ActingPolicy(const std::filesystem::path& path, std::shared_ptr<Device> device)
    : policy_(Policy::load(path, std::move(device))), settings_(policy_.settings()) {
  configure({});
}

Settings ActingPolicy::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

SamplerOptions ActingPolicy::options() const { return policy_.sampler_options(settings()); }

std::uint64_t ActingPolicy::seed() const {
  const std::lock_guard lock(mutex_);
  return seed_;
}

void ActingPolicy::configure(const std::vector<std::pair<std::string, std::string>>& changes,
                             std::optional<double> cost_limit) {
  if (cost_limit && !(*cost_limit >= 0 && *cost_limit <= kGreatestLimit))
    throw Error(ExitCode::usage, "the cost limit cannot be " + format_number(*cost_limit), "cost_limit",
                "give a number from 0 to " + format_number(kGreatestLimit));
  const std::lock_guard lock(mutex_);
  Settings settings = settings_;
  settings.cost_limit = cost_limit.value_or(settings.cost_limit);
  for (const auto& [key, text] : changes) change_acting(settings, key, text, key, ExitCode::usage);
  sampler_ = std::make_unique<Sampler<float>>(policy_.sampler(policy_.sampler_options(settings)));
  settings_ = std::move(settings);
}

void ActingPolicy::reset(std::optional<std::int64_t> seed, std::optional<std::int64_t> episode) {
  if (seed.value_or(0) < 0) throw InvalidArgument("`seed` must not be negative");
  if (episode.value_or(0) < 0 || episode.value_or(0) > kLastEpisode)
    throw InvalidArgument("`episode` must be from 0 to " + std::to_string(kLastEpisode));
  const std::lock_guard lock(mutex_);
  if (episode)
    episode_ = *episode;
  else if (seed)
    episode_ = 0;
  else if (begun_)
    ++episode_;
  if (seed) seed_ = static_cast<std::uint64_t>(*seed);
  step_ = 0;
  begun_ = true;
}

void ActingPolicy::act(std::span<const float> observations, const Decisions& decisions,
                       std::span<float> chunks) {
  const std::lock_guard lock(mutex_);
  const auto s = static_cast<std::size_t>(policy_.dimensions().observation),
             chunk = static_cast<std::size_t>(policy_.dimensions().chunk()),
             noise_size = sampler_->noise_size(), n = observations.size() / s;
  require_place(decisions.episodes, n, kLastEpisode, "episodes");
  require_place(decisions.steps, n, std::numeric_limits<std::int64_t>::max(), "steps");
  if (decisions.episodes.empty() && episode_ + static_cast<std::int64_t>(n) - 1 > kLastEpisode)
    throw InvalidArgument("the rows' episodes run past " + std::to_string(kLastEpisode));
  if (!decisions.spent.empty() && decisions.spent.size() != n)
    throw InvalidArgument("`spent` must hold " + std::to_string(n) + " numbers, not " +
                          std::to_string(decisions.spent.size()));
  std::vector<float> noise(std::min(n, kBlock) * noise_size);
  std::vector<std::int64_t> steps(std::min(n, kBlock));
  for_blocks(n, [&](std::size_t first, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t row = static_cast<std::int64_t>(first + i),
                         episode =
                             decisions.episodes.empty() ? episode_ + row : decisions.episodes[first + i];
      const std::uint64_t step =
          decisions.steps.empty() ? step_ : static_cast<std::uint64_t>(decisions.steps[first + i]);
      steps[i] = static_cast<std::int64_t>(step);
      sampler_->draw_noise(seed_, step, static_cast<std::uint32_t>(episode),
                           std::span(noise).subspan(i * noise_size, noise_size));
    }
    SampleOutputs<float> outputs;
    outputs.chunk = chunks.subspan(first * chunk, count * chunk);
    sampler_->sample(observations.subspan(first * s, count * s), std::span(noise).first(count * noise_size),
                     outputs,
                     decisions.spent.empty() ? decisions.spent : decisions.spent.subspan(first, count),
                     std::span(steps).first(count));
  });
  if (decisions.steps.empty()) ++step_;
  begun_ = true;
}

void ActingPolicy::score(std::span<const float> observations, std::span<const float> chunks,
                         std::span<const double> spent, std::span<float> q_reward, std::span<float> q_cost,
                         std::span<float> v_reward, std::span<float> v_cost) {
  const std::lock_guard lock(mutex_);
  if (!policy_.has_critics())
    throw Error(ExitCode::usage, "method `" + settings_.method + "` has no values of states and chunks",
                "values", "use a policy whose method has critics");
  const auto s = static_cast<std::size_t>(policy_.dimensions().observation),
             chunk = static_cast<std::size_t>(policy_.dimensions().chunk()), n = observations.size() / s;
  const std::vector<float> none(chunks.empty() ? std::min(n, kBlock) * chunk
                                               : 0);  // for V, any chunk will do
  for_blocks(n, [&](std::size_t first, std::size_t count) {
    const auto part = [&](auto column) { return column.empty() ? column : column.subspan(first, count); };
    sampler_->score(
        observations.subspan(first * s, count * s),
        chunks.empty() ? std::span(none).first(count * chunk) : chunks.subspan(first * chunk, count * chunk),
        part(q_reward), part(q_cost), part(v_reward), part(v_cost), part(spent));
  });
}

}  // namespace r2pac::python
