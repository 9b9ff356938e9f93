#include "tools/eval_json.h"

#include <cmath>
#include <vector>

#include "base/version.h"

namespace r2pac {
namespace {

using Json = nlohmann::ordered_json;

/// A bound in JSON, which knows no infinity: null where it is infinite or unknown.
Json bounds(const std::vector<double>& values) {
  Json json = Json::array();
  for (const double value : values) json.push_back(std::isfinite(value) ? Json(value) : Json(nullptr));
  return json;
}

}  // namespace

Json eval_json(const PolicyRecord& record, const Scores& scores, const VectorEnvironment& environment,
               bool rescaled) {
  const Evaluation& e = scores.summary;
  Json json = {{"format", "r2pac-eval-1"}, {"version", kVersion}};
  json.update(record.policy);
  json.update({{"env", e.env},
               {"action_low", bounds(environment.action_box().low)},
               {"action_high", bounds(environment.action_box().high)},
               {"rescale_actions", rescaled}});
  json.update(record.training);
  json.update({{"cost_limit", scores.cost_limit}, {"episodes", e.episodes}, {"seed", e.seed}});
  json.update(record.acting);
  json.update({{"sampler", scores.sampler},
               {"return_mean", e.return_mean},
               {"return_std", e.return_std},
               {"cost_mean", e.cost_mean},
               {"cost_std", e.cost_std}});
  if (e.normalized_return) {
    json["normalized_return"] = *e.normalized_return;
    json["normalized_return_std"] = *scores.normalized_return_std;
  }
  json["normalized_cost"] = e.normalized_cost;
  json["normalized_cost_std"] = scores.normalized_cost_std;
  json["share_within_limit"] = e.share_within_limit;
  json["share_within_limit_interval"] = {scores.share_interval.low, scores.share_interval.high};
  json["length_mean"] = scores.result.length_mean;
  if (e.spread) {
    json["action_spread"] = e.spread->action;
    json["q_cost_spread"] = e.spread->q_cost;
  }
  json["settings"] = record.settings;
  json["rows"] = Json::array();
  for (const EpisodeResult& row : scores.result.episodes)
    json["rows"].push_back({{"episode", row.episode},
                            {"seed", environment.episode_seed(e.seed, row.episode)},
                            {"return", row.episode_return},
                            {"cost", row.episode_cost},
                            {"length", row.length},
                            {"terminated", row.terminated}});
  return json;
}

}  // namespace r2pac
