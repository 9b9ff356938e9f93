#include "report/cost_map.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "acting/policy_sampler.h"
#include "base/error.h"
#include "envs/reach_avoid.h"

namespace r2pac {
namespace {

constexpr int kSize = 81;           // points along each side
constexpr Vec2 kSpeed{0.9f, 0.0f};  // of the robot, over the top speed
constexpr float kNear = 0.05f;      // deviation of the weights of positions
constexpr float kAlike = 0.3f;      // and of velocities over the top speed
constexpr float kEnough = 5;        // states
constexpr float kStep = 2.0f / (kSize - 1);

float place(int k) { return -1.0f + kStep * static_cast<float>(k); }

float bell(float x, float deviation) { return std::exp(-0.5f * x * x / (deviation * deviation)); }

/// The grid's points that lie within three deviations of a position.
std::pair<int, int> around(float x) {
  const auto index = [](float at) { return std::clamp(static_cast<int>((at + 1) / kStep), 0, kSize - 1); };
  return {index(x - 3 * kNear), index(x + 3 * kNear)};
}

}  // namespace

CostMap cost_map(const Policy& policy, std::vector<float> coverage) {
  if (policy.dimensions().observation != reach_avoid::kObservationDim)
    throw InvalidArgument("cost_map: the policy must be one of the reach-avoid task");
  CostMap map{kSize, std::vector<float>(kSize * kSize), static_cast<float>(policy.region_end().value_or(0)),
              std::move(coverage)};
  std::vector<float> observations;
  for (int i = 0; i < kSize; ++i)
    for (int j = 0; j < kSize; ++j) {
      const auto o = reach_avoid::observation(
          {{place(j), place(i)}, {kSpeed.x * reach_avoid::kTopSpeed, kSpeed.y * reach_avoid::kTopSpeed}});
      observations.insert(observations.end(), o.begin(), o.end());
    }
  const std::vector<float> no_action(map.values.size() *
                                     static_cast<std::size_t>(policy.dimensions().chunk()));
  Sampler<float> sampler = policy.sampler(policy.sampler_options());
  sampler.score(observations, no_action, {}, {}, {}, map.values);
  return map;
}

std::vector<float> arena_coverage(const Dataset& data) {
  if (data.observation_dim != reach_avoid::kObservationDim)
    throw InvalidArgument("arena_coverage: the data must be of the reach-avoid task");
  std::vector<float> coverage(kSize * kSize);
  for (std::size_t t = 0; t < data.observations.size(); t += reach_avoid::kObservationDim) {
    const float* o = &data.observations[t];  // x, y, velocity over the top speed
    const float alike = bell(o[2] - kSpeed.x, kAlike) * bell(o[3] - kSpeed.y, kAlike);
    if (alike < 1e-3f) continue;
    const auto [left, right] = around(o[0]);
    const auto [low, high] = around(o[1]);
    for (int i = low; i <= high; ++i)
      for (int j = left; j <= right; ++j)
        coverage[static_cast<std::size_t>(i * kSize + j)] +=
            alike * bell(place(j) - o[0], kNear) * bell(place(i) - o[1], kNear);
  }
  for (float& states : coverage) states = 1 - std::exp(-states / kEnough);
  return coverage;
}

}  // namespace r2pac
