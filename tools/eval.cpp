#include <algorithm>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/error.h"
#include "base/printable.h"
#include "envs/reach_avoid.h"
#include "report/film.h"
#include "report/frontier.h"
#include "report/gnuplot.h"
#include "report/reach_avoid_figure.h"
#include "settings/text_value.h"
#include "storage/atomic_file.h"
#include "storage/generations.h"
#include "tools/acting.h"
#include "tools/bar.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/environment.h"
#include "tools/eval_json.h"
#include "tools/interruption.h"
#include "tools/score_program.h"
#include "tools/scoring.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kAnimatedEpisodes = 20;

struct EvalOptions {
  std::string policy;
  std::string checkpoint = "last";  ///< of a run folder: last, safe-best or a number of steps
  EnvironmentFlags environment;
  int episodes = 20;
  std::uint64_t seed = 0;
  ActingFlags acting;
  std::vector<double> cost_limits;  ///< the policy's if none
  std::string out;      ///< "" writes eval.json, of several limits frontier.json, into a run folder
  std::string picture;  ///< "" draws none
  std::string gif;      ///< likewise
  std::string mp4;      ///< likewise
  DeviceFlags device;
  bool json = false;
};

/// The file that `--checkpoint` means in a run folder: last, safe-best, or a number of steps.
fs::path policy_file(const fs::path& given, const std::string& checkpoint) {
  std::error_code ignored;
  if (!fs::is_directory(given, ignored)) {
    if (checkpoint != "last")
      throw Error(ExitCode::usage, "`--checkpoint " + checkpoint + "` needs a run folder", given.string(),
                  "give the folder, or the file without --checkpoint");
    return given;
  }
  if (checkpoint == "last") return given;
  if (checkpoint == "safe-best") {
    const fs::path best = given / "policy-safe-best.safetensors";
    if (!fs::exists(best, ignored))
      throw Error(ExitCode::usage, "the run has no safe-best policy", given.string(),
                  "train it with --eval-env and --eval-every");
    return best;
  }
  const auto step = parse_number<std::uint64_t>(checkpoint);
  if (!step)
    throw Error(ExitCode::usage, "`" + checkpoint + "` is no checkpoint", "--checkpoint",
                "give last, safe-best or a number of steps");
  const fs::path file = generation_path(given / "checkpoints", *step);
  if (!fs::exists(file, ignored)) {
    std::string kept;
    for (const Generation& g : list_generations(given / "checkpoints"))
      kept = std::to_string(g.number) + (kept.empty() ? "" : ", ") + kept;
    throw Error(ExitCode::usage, "the run has no checkpoint of step " + checkpoint, given.string(),
                kept.empty() ? "give last" : "it has " + kept);
  }
  return file;
}

PolicyRecord record_of(const EvalOptions& options, const Policy& policy, const Settings& settings,
                       const SamplerOptions& acting) {
  PolicyRecord record;
  record.policy = {{"policy", policy.path().string()},
                   {"policy_checksum", policy.checksum()},
                   {"checkpoint", options.checkpoint},
                   {"method", settings.method},
                   {"task", settings.task}};
  record.training = {{"step", policy.step()},
                     {"train_seed", settings.seed},
                     {"data_fingerprint", policy.data_fingerprint()}};
  record.acting = {{"selection", selection_name(acting.selection)},
                   {"candidates", acting.num_candidates},
                   {"flow_steps", acting.flow.flow_steps},
                   {"guidance", acting.flow.guidance_scale},
                   {"label", acting.flow.label == kLabelNull ? "null" : "1"},
                   {"threshold", acting.threshold},
                   {"trained_threshold", policy.region_bound()},
                   {"l", policy.region_end() ? Json(*policy.region_end()) : Json(nullptr)}};
  if (acting.by_flow) record.acting["act_with"] = "flow";
  record.settings = settings_toml({policy.settings(), {}});
  return record;
}

/// What the policy is scored as, and how.
std::string acting_text(const EvalOptions& options, const Policy& policy, const SamplerOptions& acting) {
  char text[256];
  std::snprintf(text, sizeof text, "%s, seed %llu, %s, step %llu, %s, %s, %s, guidance %g, label %s",
                counted(options.episodes, "episode").c_str(), static_cast<unsigned long long>(options.seed),
                options.checkpoint.c_str(), static_cast<unsigned long long>(policy.step()),
                counted(acting.num_candidates, "candidate").c_str(), selection_name(acting.selection),
                counted(acting.flow.flow_steps, "flow step").c_str(), acting.flow.guidance_scale,
                acting.flow.label == kLabelNull ? "null" : "1");
  return text;
}

/// How far an evaluation is, on a terminal and for whoever stops it.
class Watcher {
 public:
  /// Steps of an episode that is cut by its length; -1: unknown.
  void set_limit(int steps) { limit_ = static_cast<std::uint64_t>(std::max(steps, 1)); }
  void operator()(std::span<const EpisodeResult> episodes) {
    std::size_t ended = 0, begun = 0;
    std::uint64_t steps = 0, done = 0;
    double sum = 0, cost = 0;
    for (const EpisodeResult& e : episodes) {
      const auto length = static_cast<std::uint64_t>(e.length);
      ended += e.ended ? 1 : 0;
      begun += e.length > 0 ? 1 : 0;
      steps += length;
      done += e.ended ? limit_ : std::min(length, limit_ - 1);
      sum += e.episode_return;
      cost += e.episode_cost;
    }
    char text[200];
    std::snprintf(text, sizeof text, "%zu of %s, %s; so far return %.4g, cost %.4g each", ended,
                  counted(episodes.size(), "episode").c_str(), counted(steps, "step").c_str(),
                  sum / static_cast<double>(begun), cost / static_cast<double>(begun));
    text_ = text;
    bar_.draw(done, limit_ * episodes.size(), text_);
  }
  /// Says what is done after the last step.
  void say(const std::string& text) {
    bar_.clear();
    bar_.draw(1, 1, text);
  }
  std::string text() const { return text_.empty() ? "no step" : text_; }
  void clear() { bar_.clear(); }

 private:
  Bar bar_{stderr};
  std::string text_;
  std::uint64_t limit_ = 1;
};

void tell_written(const EvalOptions& options, const std::string& path) {
  if (!options.json) std::printf("written to %s\n", printable(path).c_str());
}

/// Tells the scores, and writes them into the file if there is one.
void tell(const EvalOptions& options, const fs::path& out, Links links, const Json& json,
          const std::string& text) {
  const auto dump = [&](int indent) {  // a name in it need not be UTF-8
    return json.dump(indent, ' ', indent < 0, Json::error_handler_t::replace) + "\n";
  };
  std::fputs(options.json ? dump(-1).c_str() : text.c_str(), stdout);
  std::fflush(stdout);  // the scores are told, whatever becomes of the files
  if (out.empty()) return;
  write_file_atomically(out, dump(2), links);
  tell_written(options, out.string());
}

TaskEnvironment open_watched(const EvalOptions& options, const std::string& policy_task,
                             const std::function<bool()>& stop, Watcher& watcher,
                             const std::function<bool(const CameraPicture&)>& film = {}) {
  TaskEnvironment opened = open_environment(options.environment, policy_task, options.episodes, stop, film);
  watcher.set_limit(opened.environment->episode_steps());
  for (const std::string& warning : opened.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  return opened;
}

/// Refuses what only policies of this program can do.
void require_of_program(const EvalOptions& options) {
  const auto refuse = [](bool given, const char* flag) {
    if (given)
      throw Error(ExitCode::usage, std::string("`") + flag + "` is not for the policy of a program", flag,
                  "leave it away; the program itself decides how it acts");
  };
  refuse(options.checkpoint != "last", "--checkpoint");
  refuse(!options.acting.overrides.empty(), "--set");
  for (const ActingFlags::Flag& flag : options.acting.flags) refuse(true, flag.name.c_str());
  refuse(options.cost_limits.size() > 1, "--cost-limit with several limits");
  refuse(!options.picture.empty(), "--picture");
  refuse(!options.gif.empty(), "--gif");
  refuse(!options.mp4.empty(), "--mp4");
  if (options.environment.env.empty())
    throw Error(ExitCode::usage, "where the policy of a program acts has to be said", "--env",
                "give a task such as BallRun, or cmd:PROGRAM");
}

/// What is said of an evaluation that is stopped.
struct Told {
  std::string scored;    ///< of the episodes that had ended
  bool written = false;  ///< the scores are in their file
};

/// As score().
int score_own_program(const EvalOptions& options, const std::string& program,
                      const std::function<bool()>& stop, Watcher& watcher, Told& told) {
  require_of_program(options);
  require_output(options.out, {}, Links::follow);
  const TaskEnvironment opened = open_watched(options, "", stop, watcher);
  const std::optional<double> limit =
      options.cost_limits.empty() ? std::nullopt : std::optional(options.cost_limits[0]);
  const ProgramScores result = score_program(program, options.environment, opened, limit, options.episodes,
                                             options.seed, {.stop = stop, .watch = std::ref(watcher)});
  watcher.clear();
  const bool none = result.scores.result.episodes.empty();
  const std::string text = none ? "" : scores_text(result.scores) + "\n";
  if (!result.scores.result.complete) {
    told.scored = text;
    throw Interrupted();
  }
  opened.environment->close();
  tell(options, options.out, Links::follow, result.json,
       text + counted(options.episodes, "episode") + ", seed " + std::to_string(options.seed) + ", " +
           printable(result.scores.sampler) + "\n");
  return 0;
}

/// Of the film of a simulator; without one, of the paths of the built-in robot.
void write_movies(const std::vector<std::string>& paths, Film* film,
                  const std::vector<AnimatedPolicy>& moving, const std::function<bool()>& stop,
                  Watcher& watcher) try {
  if (film) film->finish();
  for (const std::string& path : paths) {
    watcher.say("drawing " + printable(path));
    if (film)
      film->write(path);
    else
      animate_reach_avoid({path}, moving);
  }
  watcher.clear();
} catch (const Error&) {
  if (stop()) throw Interrupted();  // the same signal has ended gnuplot or ffmpeg
  throw;
}

/// Throws Interrupted where it was stopped; `told` then has what can be said.
int score(const EvalOptions& options, const std::function<bool()>& stop, Watcher& watcher, Told& told) {
  if (const std::optional<std::string> program = program_of(options.policy))
    return score_own_program(options, *program, stop, watcher, told);
  std::vector<std::string> movies;
  for (const std::string& path : {options.gif, options.mp4})
    if (!path.empty()) movies.push_back(path);
  if (!options.mp4.empty()) require_ffmpeg("--mp4");
  if (!options.picture.empty()) require_gnuplot("--picture");
  const Policy policy =
      Policy::load(policy_file(options.policy, options.checkpoint), open_device(options.device));
  Settings settings = acting_settings(policy, options.acting);
  const bool of_folder = options.out.empty() && fs::is_directory(options.policy);
  const fs::path out =
      of_folder ? fs::path(options.policy) / (options.cost_limits.size() > 1 ? "frontier.json" : "eval.json")
                : fs::path(options.out);
  const Links links = of_folder ? Links::replace : Links::follow;
  require_output(out, {policy.path()}, links);
  require_output(options.picture, {policy.path()});
  for (const std::string& path : movies) require_output(path, {policy.path()});
  Film film(stop);  // of a simulator; the built-in robot is drawn of its paths
  const TaskEnvironment opened = open_watched(
      options, policy.settings().task, stop, watcher,
      movies.empty() ? std::function<bool(const CameraPicture&)>()
                     : [&](const CameraPicture& p) { return film.add(p); });
  const bool built_in = opened.name == ReachAvoidTask::name;
  if (!movies.empty()) {
    const std::string flag = options.gif.empty() ? "--mp4" : "--gif";
    built_in ? require_gnuplot(flag) : require_ffmpeg(flag);
  }
  const std::vector<double> limits =
      options.cost_limits.empty() ? std::vector{settings.cost_limit} : options.cost_limits;
  const bool several = limits.size() > 1;
  Json all = Json::array();
  std::vector<FrontierPoint> frontier;
  std::vector<AnimatedPolicy> moving;
  std::string text;
  for (const double limit : limits) {
    settings.cost_limit = limit;
    const SamplerOptions acting = policy.sampler_options(settings);
    const Scores scores = score_policy(
        policy, acting, *opened.environment, opened.name, opened.task, limit, options.episodes, options.seed,
        {.record = !movies.empty() && built_in, .stop = stop, .watch = std::ref(watcher)});
    watcher.clear();
    if (!scores.result.complete) {
      told.scored = text + (scores.result.episodes.empty() ? "" : scores_text(scores) + "\n");
      throw Interrupted();
    }
    all.push_back(eval_json(record_of(options, policy, settings, acting), scores, *opened.environment,
                            options.environment.rescale_actions));
    const Evaluation& e = scores.summary;
    frontier.push_back({limit, e.return_mean, e.return_std, e.cost_mean, e.cost_std});
    if (!movies.empty() && built_in) {
      const std::string title = several ? "limit " + format_number(limit) : policy.settings().method;
      moving.push_back(animated(title, scores.result, kAnimatedEpisodes));
    }
    text += scores_text(scores) + "\n";
    if (&limit == &limits.back()) text += acting_text(options, policy, acting) + "\n";
  }
  opened.environment->close();
  if (several && !policy.acts_by_limit())
    text += "the policy does not know the limit: it acts alike at each, and only the scores differ\n";
  const Json json = several ? Json{{"format", "r2pac-frontier-1"}, {"scores", all}} : all[0];
  tell(options, out, links, json, text);
  told.written = true;
  if (!options.picture.empty()) {
    draw_frontier({options.picture}, frontier, policy.settings().method + ", " + opened.name);
    tell_written(options, options.picture);
  }
  if (!movies.empty()) write_movies(movies, built_in ? nullptr : &film, moving, stop, watcher);
  for (const std::string& path : movies) tell_written(options, path);
  return 0;
}

int run_eval(const EvalOptions& options) {
  const Interruption interruption;
  Watcher watcher;
  Told told;
  try {
    const auto stop = [&] { return interruption.requested(); };
    return score(options, stop, watcher, told);
  } catch (const Interrupted&) {  // the simulators have been ended
    watcher.clear();
    std::fputs(told.scored.c_str(), stderr);
    interruption.end(told.written ? "stopped while pictures were drawn; the scores are complete"
                                  : "stopped after " + watcher.text() + "; nothing was written");
  }
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  const auto [verb, options] =
      add_verb(app, action, run_eval, "eval", "Run a policy in an environment and score it",
               "r2pac eval runs/ball --env BallRun --episodes 20");
  verb->add_option("policy", options->policy,
                   "Run folder, policy or checkpoint file; or cmd:PROGRAM, a policy of your own")
      ->required();
  verb->add_option("--checkpoint", options->checkpoint,
                   "Of a run folder: last, safe-best or a number of steps")
      ->capture_default_str();
  add_environment_flags(
      *verb, options->environment, "--env",
      "reach-avoid, a task (BallRun), an id of a simulator, or cmd:PROGRAM; the policy's task if "
      "not given");
  verb->add_option("--episodes", options->episodes, "Episodes")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  add_seed(*verb, "--seed", options->seed, "Seed of starts and noise");
  verb->add_option(
          "--cost-limit", options->cost_limits,
          "Episode cost allowed, kappa (the policy's if not given); several, as 2,5,10, one after the "
          "other. A policy whose region ends at the limit acts for it")
      ->delimiter(',')
      ->check(number_in(0, 1e12));
  add_picture(*verb, options->picture, "Return and cost over several limits");
  verb->add_option(
          "--gif", options->gif,
          "Moving picture of the first episode of a simulator, or the first 20 of the built-in robot; .gif")
      ->check(ends_in({".gif"}));
  verb->add_option("--mp4", options->mp4, "The same as a film, .mp4; needs ffmpeg (./setup.sh --render)")
      ->check(ends_in({".mp4"}));
  add_acting_flags(*verb, options->acting);
  add_output(*verb, "-o,--out", options->out,
             "File for all numbers (eval.json of a run folder if not given)");
  add_device_flags(*verb, options->device);
  verb->add_flag("--json", options->json, "Print one JSON object");
}

}  // namespace r2pac
