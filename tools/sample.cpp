#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "policy/policy.h"
#include "settings/text_value.h"
#include "tools/acting.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/observation_line.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

using Json = nlohmann::ordered_json;

/// The number with as many digits as single precision has. Throws Error(diverged) if it is not finite.
Json json_number(float value, const std::string& where) {
  if (!std::isfinite(value))
    throw Error(ExitCode::diverged, "the policy's answer holds a number that is not finite", where,
                "check that the observation is in the units of the training data");
  return Json::parse(format_number(value));
}

Json numbers(std::span<const float> values, const std::string& where) {
  Json array = Json::array();
  for (const float value : values) array.push_back(json_number(value, where));
  return array;
}

struct SampleOptions {
  std::string policy;
  std::string observations = "-";  ///< file with one JSON array a line; "-" for standard input
  std::uint64_t seed = 0;
  bool strict = false;  ///< the first bad line ends the program
  ActingFlags acting;
  DeviceFlags device;
};

/// Answers questions to one policy, one after the other.
class Answerer {
 public:
  Answerer(const Policy& policy, const SamplerOptions& sampling, std::uint64_t seed)
      : policy_(policy),
        sampler_(policy.sampler(sampling)),
        seed_(seed),
        noise_(sampler_.noise_size()),
        chunk_(static_cast<std::size_t>(policy.dimensions().chunk())) {}

  /// `number` counts lines and picks the noise. Throws Error(diverged) where a number is not finite.
  Json answer(const Question& question, std::uint64_t number, const std::string& where) {
    sampler_.draw_noise(seed_, number, 0, noise_);
    SampleOutputs<float> out;
    out.chunk = chunk_;
    if (policy_.has_critics()) {
      out.q_cost = q_cost_;
      out.q_reward = q_reward_;
      out.v_reward = v_reward_;
      out.v_cost = v_cost_;
    }
    sampler_.sample(question.observation, noise_, out,
                    question.spent ? std::span(&*question.spent, 1) : std::span<const double>(),
                    std::span(&question.step, 1));
    const Dimensions& dim = policy_.dimensions();
    Json steps = Json::array();
    for (int k = 0; k < dim.chunk_length; ++k)
      steps.push_back(numbers(std::span(chunk_).subspan(static_cast<std::size_t>(k * dim.action),
                                                        static_cast<std::size_t>(dim.action)),
                              where));
    Json answer = {{"action", steps[0]}, {"chunk", steps}};
    if (policy_.has_critics())
      answer.update({{"q_c", json_number(q_cost_[0], where)},
                     {"q_r", json_number(q_reward_[0], where)},
                     {"v_c", json_number(v_cost_[0], where)},
                     {"v_r", json_number(v_reward_[0], where)},
                     {"safe", static_cast<double>(v_cost_[0]) <= *policy_.region_end()}});
    return answer;
  }

 private:
  const Policy& policy_;
  Sampler<float> sampler_;
  std::uint64_t seed_;
  std::vector<float> noise_, chunk_;
  std::vector<float> q_cost_{0}, q_reward_{0}, v_reward_{0}, v_cost_{0};
};

int run_sample(const SampleOptions& options) {
  const Policy policy = Policy::load(options.policy, open_device(options.device));
  const SamplerOptions sampling = policy.sampler_options(acting_settings(policy, options.acting));
  Answerer answerer(policy, sampling, options.seed);

  std::ifstream file;
  if (options.observations != "-") {
    file.open(options.observations);
    file.peek();  // a folder opens, but cannot be read
    if (!file.is_open() || file.bad())
      throw Error(ExitCode::data, "the file cannot be read", options.observations,
                  "give a file with one JSON array a line, or - for standard input");
  }
  std::istream& in = options.observations == "-" ? std::cin : file;
  const std::string source = options.observations == "-" ? "standard input" : options.observations;
  std::uint64_t number = 0, refused = 0;
  for (std::string line; next_line(in, line); ++number) {
    const bool too_long = line.size() > kLongestObservationLine;
    if (!too_long && line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = source + ", line " + std::to_string(number + 1);
    Json answer;
    try {
      answer = answerer.answer(parse_question(line, policy.dimensions().observation, where), number, where);
    } catch (const Error& error) {
      // A glitch of a sensor must not cost a robot its policy. Behind a line without an end nothing can be
      // found.
      const bool of_line = error.code() == ExitCode::data || error.code() == ExitCode::diverged;
      if (options.strict || too_long || !of_line) throw;
      ++refused;
      answer = {{"error", error.what()}, {"line", number + 1}};
    }
    std::cout << answer.dump(-1, ' ', false, Json::error_handler_t::replace)
              << std::endl;  // flushed, so that a robot at the other end of a pipe gets it
  }
  if (std::ferror(stdin) != 0)
    throw Error(ExitCode::data, "standard input cannot be read", "", "pipe one JSON array a line into it");
  if (refused > 0)
    throw Error(ExitCode::data, "lines were refused: " + std::to_string(refused), source,
                "their answers have an `error`; --strict ends at the first");
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
  verb->add_flag("--strict", options->strict,
                 "End at the first bad line; else its answer is {\"error\": ...} and the next line follows");
  add_acting_flags(*verb, options->acting);
  add_device_flags(*verb, options->device);
}

}  // namespace r2pac
