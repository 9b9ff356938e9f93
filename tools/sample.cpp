#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "settings/text_value.h"
#include "tools/acting.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/observation_line.h"
#include "tools/verbs.h"
#include "training/policy.h"

namespace r2pac {
namespace {

using Json = nlohmann::ordered_json;

/// The number with as many digits as single precision has.
Json json_number(float value) {
  return std::isfinite(value) ? Json::parse(format_number(value)) : Json(nullptr);
}

Json numbers(std::span<const float> values) {
  Json array = Json::array();
  for (const float value : values) array.push_back(json_number(value));
  return array;
}

struct SampleOptions {
  std::string policy;
  std::string observations = "-";  ///< file with one JSON array a line; "-" for standard input
  std::uint64_t seed = 0;
  ActingFlags acting;
  DeviceFlags device;
};

int run_sample(const SampleOptions& options) {
  const Policy policy = Policy::load(options.policy, open_device(options.device));
  const SamplerOptions sampling = policy.sampler_options(acting_settings(policy, options.acting));
  Sampler<float> sampler = policy.sampler(sampling);
  const Dimensions& dim = policy.dimensions();

  std::ifstream file;
  if (options.observations != "-") {
    file.open(options.observations);
    file.peek();  // a folder opens, but cannot be read
    if (!file.is_open() || file.bad())
      throw Error(ExitCode::data, "the file cannot be read", options.observations,
                  "give a file with one JSON array a line, or - for standard input");
  }
  std::istream& in = options.observations == "-" ? std::cin : file;
  std::vector<float> noise(static_cast<std::size_t>(sampling.num_candidates * dim.chunk()));
  std::vector<float> chunk(static_cast<std::size_t>(dim.chunk())), q_cost(1), q_reward(1), v_reward(1),
      v_cost(1);
  std::uint64_t number = 0;
  for (std::string line; next_line(in, line); ++number) {
    if (line.size() <= kLongestObservationLine && line.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    const std::string where = (options.observations == "-" ? "standard input" : options.observations) +
                              ", line " + std::to_string(number + 1);
    const Question question = parse_question(line, dim.observation, where);
    sampler.draw_noise(options.seed, number, 0, noise);
    SampleOutputs<float> out;
    out.chunk = chunk;
    if (policy.has_critics()) {
      out.q_cost = q_cost;
      out.q_reward = q_reward;
      out.v_reward = v_reward;
      out.v_cost = v_cost;
    }
    sampler.sample(question.observation, noise, out,
                   question.spent ? std::span(&*question.spent, 1) : std::span<const double>());
    Json steps = Json::array();
    for (int k = 0; k < dim.chunk_length; ++k)
      steps.push_back(numbers(std::span(chunk).subspan(static_cast<std::size_t>(k * dim.action),
                                                       static_cast<std::size_t>(dim.action))));
    Json answer = {{"action", steps[0]}, {"chunk", steps}};
    if (policy.has_critics())
      answer.update({{"q_c", json_number(q_cost[0])},
                     {"q_r", json_number(q_reward[0])},
                     {"v_c", json_number(v_cost[0])},
                     {"v_r", json_number(v_reward[0])},
                     {"safe", static_cast<double>(v_cost[0]) <= *policy.region_end()}});
    std::cout << answer.dump() << std::endl;  // flushed, so that a robot at the other end of a pipe gets it
  }
  if (std::ferror(stdin) != 0)
    throw Error(ExitCode::data, "standard input cannot be read", "", "pipe one JSON array a line into it");
  return 0;
}

}  // namespace

void add_sample(CLI::App& app, Action& action) {
  const auto [verb, options] =
      add_verb(app, action, run_sample, "sample", "Answer observations with actions, one JSON line each",
               "echo '[0.1, ...]' | r2pac sample runs/robot --obs -");
  verb->add_option("policy", options->policy, "Run folder, policy or checkpoint file")->required();
  verb->add_option("--obs", options->observations, "File with one JSON array a line, or - for standard input")
      ->required();
  add_seed(*verb, "--seed", options->seed, "Seed of the noise");
  add_acting_flags(*verb, options->acting);
  add_device_flags(*verb, options->device);
}

}  // namespace r2pac
