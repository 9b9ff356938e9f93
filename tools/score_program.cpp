#include "tools/score_program.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "envs/child_policy.h"
#include "envs/child_process.h"
#include "settings/settings.h"
#include "storage/json.h"
#include "tools/eval_json.h"

namespace r2pac {
namespace {

constexpr std::size_t kLongestText = 500;  // bytes
constexpr double kMostSteps = 0x1p53;
constexpr double kMostCost = 1e12;
constexpr double kMostSettingsLimit = 1e9;  // of the setting `cost_limit`

/// What a program says of its policy.
struct About {
  std::string method, program, task, data_fingerprint;
  std::uint64_t step = 0, train_seed = 0;
  std::optional<double> cost_limit;
};

/// The members of a description. Whatever does not fit is the program's fault.
class Members {
 public:
  Members(const std::string& text, std::string where) : where_(std::move(where)) {
    try {
      json_ = read_json(text, {.bytes = std::size_t{1} << 16, .depth = 3, .values = 1000});
    } catch (const JsonFault& fault) {
      fail(std::string("its description ") + fault.what());
    }
    if (!json_.is_object()) fail("its description is no JSON object");
  }

  std::string text(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) return "";
    if (!found->is_string() || found->get_ref<const std::string&>().size() > kLongestText)
      fail("`" + std::string(key) + "` of its description must be a text of at most 500 bytes");
    return found->get<std::string>();
  }

  std::uint64_t count(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) return 0;
    if (!found->is_number_unsigned() || found->get<double>() > kMostSteps)
      fail("`" + std::string(key) + "` of its description must be a whole number of at least 0");
    return found->get<std::uint64_t>();
  }

  std::optional<double> limit(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) return std::nullopt;
    if (!found->is_number() || !(found->get<double>() >= 0 && found->get<double>() <= kMostCost))
      fail("`" + std::string(key) + "` of its description must be a number from 0 to 1e12");
    return found->get<double>();
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ExitCode::environment, what, where_, "docs/interop.md says what a policy may say of itself");
  }

  std::string where_;
  nlohmann::json json_;
};

About about(const std::string& description, const std::string& program) {
  const Members members(description, program);
  return {members.text("method"),           members.text("program"), members.text("task"),
          members.text("data_fingerprint"), members.count("step"),   members.count("train_seed"),
          members.limit("cost_limit")};
}

/// The task whose bounds and limit count: that of the environment, of one's own simulator the policy's.
const Task* scored_task(const About& a, const EnvironmentFlags& flags, const TaskEnvironment& opened) {
  const Task* const trained = task_of(a.task);
  if (opened.task == nullptr) return flags.env.starts_with(kCommand) ? trained : nullptr;
  require_trained_for(trained, opened.task, flags.env);
  return opened.task;
}

PolicyRecord record_of(const std::string& program, const About& a, const Task* task, double cost_limit) {
  Settings settings;  // those of a training that this program has not done: what is known of it
  const Task* const known = task != nullptr ? task : task_of(a.task);
  if (known != nullptr) settings.task = known->alias;
  settings.seed = static_cast<std::int64_t>(a.train_seed);
  settings.cost_limit = std::min(a.cost_limit.value_or(cost_limit), kMostSettingsLimit);
  PolicyRecord record;
  record.policy = {{"policy", std::string(kCommand) + program},
                   {"checkpoint", "last"},
                   {"method", a.method.empty() ? "program" : a.method},
                   {"program", a.program.empty() ? program : a.program},
                   {"task", known != nullptr ? settings.task : a.task}};
  record.training = {
      {"step", a.step}, {"train_seed", a.train_seed}, {"data_fingerprint", a.data_fingerprint}};
  record.acting = nlohmann::ordered_json::object();
  for (const char* key :
       {"selection", "candidates", "flow_steps", "guidance", "label", "threshold", "trained_threshold", "l"})
    record.acting[key] = nullptr;  // it chooses as it likes
  record.settings = settings_toml({settings, {}});
  return record;
}

}  // namespace

std::optional<std::string> program_of(const std::string& policy) {
  if (!policy.starts_with(kCommand)) return std::nullopt;
  const std::string program = policy.substr(kCommand.size());
  if (program.empty())
    throw Error(ExitCode::usage, "`cmd:` names no program", "policy", "give cmd:\"python3 my_policy.py\"");
  return program;
}

ProgramScores score_program(const std::string& program, const EnvironmentFlags& flags,
                            const TaskEnvironment& opened, std::optional<double> cost_limit, int episodes,
                            std::uint64_t seed, const EvaluationOptions& options) {
  VectorEnvironment& environment = *opened.environment;
  const std::optional<double> known_limit =
      !cost_limit && opened.task != nullptr ? opened.task->cost_limit : cost_limit;
  ChildPolicy policy({program, flags.start_timeout, flags.step_timeout, options.stop},
                     {environment.observation_dim(), environment.action_dim(), environment.count(), seed,
                      known_limit, opened.name});
  const About a = about(policy.description(), program);
  const Task* task = scored_task(a, flags, opened);
  if (!cost_limit) cost_limit = a.cost_limit;
  if (!cost_limit && task != nullptr) cost_limit = task->cost_limit;
  if (!cost_limit)
    throw Error(ExitCode::usage, "neither the policy nor the environment says what an episode may cost",
                "--cost-limit", "give a limit");

  std::span<const EpisodeResult> results;  // nothing before the first step
  EvaluationOptions watched = options;
  watched.watch = [&](std::span<const EpisodeResult> now) {
    results = now;
    if (options.watch) options.watch(now);
  };
  std::vector<double> earned;
  const BatchPolicy act = [&](std::span<const float> observations, std::span<const std::int64_t> episode,
                              std::span<const int> step, std::span<const double> spent,
                              std::span<float> actions) {
    earned.assign(episode.size(), 0.0);
    for (std::size_t i = 0; i < episode.size() && !results.empty(); ++i)
      earned[i] = results[static_cast<std::size_t>(episode[i])].episode_return;
    policy.act({observations, episode, step, spent, earned}, actions);
  };
  ProgramScores out;
  out.scores = summarize(evaluate(environment, episodes, seed, act, watched), opened.name, task, *cost_limit,
                         seed, a.step);
  if (out.scores.result.episodes.empty()) return out;
  if (out.scores.result.complete) policy.close();
  const PolicyRecord record = record_of(program, a, task, *cost_limit);
  out.scores.sampler = record.policy.at("program");
  out.json = eval_json(record, out.scores, environment, flags.rescale_actions);
  return out;
}

}  // namespace r2pac
