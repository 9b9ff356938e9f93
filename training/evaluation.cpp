#include "training/evaluation.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "storage/json.h"

namespace r2pac {

bool safer_and_better(const Evaluation& a, const Evaluation& b) {
  const bool a_safe = a.normalized_cost <= 1, b_safe = b.normalized_cost <= 1;
  if (a_safe != b_safe) return a_safe;
  return a_safe ? a.return_mean > b.return_mean : a.cost_mean < b.cost_mean;
}

std::string evaluation_line(const Evaluation& e, bool safe_best) {
  nlohmann::ordered_json line = {{"step", e.step},
                                 {"env", e.env},
                                 {"episodes", e.episodes},
                                 {"seed", e.seed},
                                 {"return_mean", e.return_mean},
                                 {"return_std", e.return_std},
                                 {"cost_mean", e.cost_mean},
                                 {"cost_std", e.cost_std}};
  if (e.normalized_return) line["normalized_return"] = *e.normalized_return;
  line["normalized_cost"] = e.normalized_cost;
  line["share_within_limit"] = e.share_within_limit;
  if (e.spread) {
    line["action_spread"] = e.spread->action;
    line["q_cost_spread"] = e.spread->q_cost;
  }
  line["safe_best"] = safe_best;
  // A command that names the environment need not be UTF-8; JSON must be.
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::optional<Evaluation> parse_evaluation_line(std::string_view line) {
  try {
    const nlohmann::json json = read_json(line);
    Evaluation e;
    if (!json.at("step").is_number_unsigned() || !json.at("seed").is_number_unsigned()) return std::nullopt;
    json.at("step").get_to(e.step);
    json.at("seed").get_to(e.seed);
    json.at("env").get_to(e.env);
    const auto& episodes = json.at("episodes");
    if (!episodes.is_number_unsigned() || episodes > std::numeric_limits<int>::max()) return std::nullopt;
    episodes.get_to(e.episodes);
    json.at("return_mean").get_to(e.return_mean);
    json.at("return_std").get_to(e.return_std);
    json.at("cost_mean").get_to(e.cost_mean);
    json.at("cost_std").get_to(e.cost_std);
    if (json.contains("normalized_return")) e.normalized_return = json.at("normalized_return").get<double>();
    json.at("normalized_cost").get_to(e.normalized_cost);
    json.at("share_within_limit").get_to(e.share_within_limit);
    if (json.contains("action_spread"))
      e.spread = {json.at("action_spread").get<double>(), json.at("q_cost_spread").get<double>()};
    return e;
  } catch (const JsonFault&) {
    return std::nullopt;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace r2pac
