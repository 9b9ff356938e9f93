#include "report/cost_map.h"

#include "acting/policy_sampler.h"
#include "base/error.h"
#include "envs/reach_avoid.h"

namespace r2pac {

CostMap cost_map(const Policy& policy) {
  constexpr int kSize = 81;
  if (policy.dimensions().observation != reach_avoid::kObservationDim)
    throw InvalidArgument("cost_map: the policy must be one of the reach-avoid task");
  CostMap map{kSize, std::vector<float>(kSize * kSize), static_cast<float>(policy.region_end().value_or(0))};
  std::vector<float> observations;
  for (int i = 0; i < kSize; ++i)
    for (int j = 0; j < kSize; ++j) {
      const auto at = [](int k) { return -1.0f + 2.0f * static_cast<float>(k) / (kSize - 1); };
      const auto o = reach_avoid::observation({{at(j), at(i)}, {0.9f * reach_avoid::kTopSpeed, 0}});
      observations.insert(observations.end(), o.begin(), o.end());
    }
  const std::vector<float> no_action(map.values.size() *
                                     static_cast<std::size_t>(policy.dimensions().chunk()));
  Sampler<float> sampler = policy.sampler(policy.sampler_options());
  sampler.score(observations, no_action, {}, {}, {}, map.values);
  return map;
}

}  // namespace r2pac
