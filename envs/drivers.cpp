#include "envs/drivers.h"

#include <algorithm>
#include <cmath>

#include "base/philox.h"

namespace r2pac {

namespace {

using namespace reach_avoid;

constexpr float kNeckHeight = 0.04f;     // y of the middle of the neck
constexpr float kReached = 0.12f;        // a waypoint counts as passed within this distance
constexpr float kBrakeDistance = 0.30f;  // distance to the final aim from which drivers slow down
constexpr float kSteeringGain = 2.5f;    // action per unit of wanted change of velocity over kTopSpeed
constexpr float kNoiseMemory = 0.9f;     // share of the action noise kept from one step to the next

// The random numbers of a driver: row 0 holds its character, row t + 1 the noise of step t.
class DriverDice {
 public:
  DriverDice(std::uint64_t seed, int episode) : seed_(seed), episode_(static_cast<std::uint64_t>(episode)) {}
  float uniform(std::uint32_t row, std::uint32_t lane, float low, float high) const {
    return low + (high - low) * random_uniform(seed_, Purpose::driver, episode_, row, lane);
  }
  float normal(std::uint32_t row, std::uint32_t lane) const {
    return random_normal(seed_, Purpose::driver, episode_, row, lane);
  }

 private:
  std::uint64_t seed_, episode_;
};

// Places to pass on the way from a position to the goal, the goal last.
std::vector<Vec2> plan(Vec2 from, Route route, const Driver& driver) {
  std::vector<Vec2> way;
  const float top = std::min(kHazards[0].center.y + kHazards[0].radius + driver.margin, 0.95f);
  if (route == Route::round && from.x < 0.2f) {
    if (from.x < -0.15f && from.y < top - 0.15f) way.push_back({-0.32f, top - 0.06f});
    way.push_back({0.0f, top});
    way.push_back({0.3f, top - 0.10f});
  }
  if (route == Route::short_cut && from.x < -0.2f) {
    way.push_back({-0.32f, kNeckHeight + driver.aim});
    way.push_back({0.25f, kNeckHeight + driver.aim});
  }
  way.push_back(kGoal.center);
  return way;
}

// The action that turns the velocity towards an aim; slower near the aim where the driver wants to stop.
Vec2 steer(const State& state, Vec2 aim, float cruise_speed, bool stop_there) {
  const float length = std::max(distance(aim, state.position), 1e-6f);
  const float slowing = stop_there ? std::min(1.0f, length / kBrakeDistance) : 1.0f;
  const float wanted = cruise_speed * slowing / length;  // over kTopSpeed, per unit of length
  // Holding a speed of s kTopSpeed against the drag takes an action of s; the gain makes up differences.
  const auto axis = [&](float difference, float velocity) {
    const float target = wanted * difference;
    return target + kSteeringGain * (target - velocity / kTopSpeed);
  };
  return {axis(aim.x - state.position.x, state.velocity.x), axis(aim.y - state.position.y, state.velocity.y)};
}

}  // namespace

Driver draw_driver(std::uint64_t seed, int episode) {
  const DriverDice dice(seed, episode);
  Driver driver;
  driver.boldness = dice.uniform(0, 0, 0.0f, 1.0f);
  driver.route = driver.boldness < 0.42f   ? Route::round
                 : driver.boldness < 0.82f ? Route::short_cut
                                           : Route::straight;
  driver.cruise_speed = dice.uniform(0, 1, 0.70f, 1.0f) + 0.15f * driver.boldness;
  driver.margin = dice.uniform(0, 2, -0.03f, 0.25f);
  driver.aim = 0.04f * dice.normal(0, 4);  // lanes 4 and 5 are one pair
  driver.noise = dice.uniform(0, 3, 0.10f, 0.30f);
  if (dice.uniform(0, 8, 0.0f, 1.0f) < 0.20f)
    driver.change_step = static_cast<int>(dice.uniform(0, 9, 6.0f, 26.0f));
  if (dice.uniform(0, 10, 0.0f, 1.0f) < 0.15f)
    driver.wander_steps = static_cast<int>(dice.uniform(0, 11, 15.0f, 60.0f));
  return driver;
}

EpisodeRecord drive_episode(std::uint64_t seed, int episode) {
  const DriverDice dice(seed, episode);
  const Driver driver = draw_driver(seed, episode);
  State state = start(seed, episode);
  Route route = driver.route;
  std::vector<Vec2> way;
  if (driver.wander_steps > 0)
    for (std::uint32_t place = 0; place < 3; ++place)
      way.push_back(
          {dice.uniform(0, 12 + 2 * place, -0.95f, 0.95f), dice.uniform(0, 13 + 2 * place, -0.95f, 0.95f)});
  else
    way = plan(state.position, route, driver);

  EpisodeRecord record;
  const auto observe = [&] {
    const auto seen = observation(state);
    record.observations.insert(record.observations.end(), seen.begin(), seen.end());
  };
  observe();
  Vec2 noise{driver.noise * dice.normal(0, 20), driver.noise * dice.normal(0, 21)};
  const float fresh = driver.noise * std::sqrt(1.0f - kNoiseMemory * kNoiseMemory);
  for (int step = 0; step < kEpisodeSteps; ++step) {
    const bool change_mind = step == driver.change_step;
    if (change_mind) route = route == Route::round ? Route::short_cut : Route::round;
    if ((change_mind && step > driver.wander_steps) || (step == driver.wander_steps && step > 0))
      way = plan(state.position, route, driver);
    while (way.size() > 1 && distance(state.position, way.front()) < kReached) way.erase(way.begin());

    const Vec2 wanted = steer(state, way.front(), driver.cruise_speed, way.size() == 1);
    const Vec2 action{std::clamp(wanted.x + noise.x, -1.0f, 1.0f),
                      std::clamp(wanted.y + noise.y, -1.0f, 1.0f)};
    const State next = advance(state, action);
    record.actions.insert(record.actions.end(), {action.x, action.y});
    record.rewards.push_back(reward(state, next));
    record.costs.push_back(cost(next));
    state = next;
    observe();
    const auto row = static_cast<std::uint32_t>(step + 1);
    noise = {kNoiseMemory * noise.x + fresh * dice.normal(row, 0),
             kNoiseMemory * noise.y + fresh * dice.normal(row, 1)};
  }
  return record;
}

}  // namespace r2pac
