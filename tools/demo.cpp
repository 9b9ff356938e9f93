#include "tools/demo.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/dataset.h"
#include "envs/reach_avoid.h"
#include "report/cost_map.h"
#include "report/gnuplot.h"
#include "report/reach_avoid_figure.h"
#include "storage/atomic_file.h"
#include "storage/folder.h"
#include "tools/command_line.h"
#include "tools/console.h"
#include "tools/data_make.h"
#include "tools/scoring.h"
#include "tools/verbs.h"
#include "training/run.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

constexpr int kDataEpisodes = 1000;
constexpr int kTestEpisodes = 100;
constexpr std::size_t kAnimatedEpisodes = 12;
constexpr std::uint64_t kTestSeed = 1000;  // the data are of seed 0: starts and noise are unseen

/// Small nets and few steps, minutes on two cores, and what `more` says. The task's own settings come from
/// its preset.
std::vector<std::string> demo_settings(std::vector<std::string> more) {
  more.insert(more.begin(),
              {"hidden=[128,128,128]", "batch=256", "steps=8000", "log_every=2000", "checkpoint_every=8000"});
  return more;
}

/// With few steps candidates differ much, and the one of least cost is then the most timid of them: one
/// candidate and mild guidance earn more and stay as safe, so these act; the paper's choice is shown beside
/// them.
const char* const kMild[] = {"num_candidates=1", "guidance_scale=1.5"};

/// Trains in `folder`, or continues there.
void train(const std::string& data, const fs::path& folder, std::vector<std::string> overrides,
           const std::shared_ptr<Device>& device) {
  RunOptions options;
  options.settings =
      resolve_settings({data, "", std::move(overrides), {{"task", std::string(ReachAvoidTask::name)}}, ""});
  options.data = data;
  options.folder = folder;
  options.device = device;
  options.command_line = {"r2pac", "demo"};
  Console console(ConsoleMode::automatic, "training -> " + folder.string());
  RunCallbacks callbacks;
  callbacks.note = [&](const std::string& text) { console.note("  " + text); };
  callbacks.warn = [&](const std::string& text) { console.warn(text); };
  callbacks.interval = [&](const Interval& i) {
    char line[160];
    const auto value = [&](const char* name) {
      for (const auto& [key, v] : i.values)
        if (key == name) return v;
      return 0.0;
    };
    if (i.stage == "actor")
      std::snprintf(line, sizeof line, "  step %llu of %llu  %.0f steps/s  flow loss %.4f",
                    static_cast<unsigned long long>(i.step), static_cast<unsigned long long>(i.total),
                    i.steps_per_second, value("loss_flow"));
    else
      std::snprintf(line, sizeof line,
                    "  step %llu of %llu  %.0f steps/s  V_r %.2f  V_c %.2f  threshold %.2f  unsafe %.0f %%",
                    static_cast<unsigned long long>(i.step), static_cast<unsigned long long>(i.total),
                    i.steps_per_second, value("v_r"), value("v_c"), value("threshold"),
                    100 * value("unsafe"));
    console.note(line);
  };
  callbacks.progress = [&](std::uint64_t step, std::uint64_t total) { console.progress(step, total); };
  run_training(options, callbacks);
}

struct Contender {
  const char* name;
  Scores scores;
};

Scores judge(const Policy& policy, const SamplerOptions& options) {
  return score_reach_avoid(policy, options, kTestEpisodes, kTestSeed, true);
}

void print_table(const std::vector<Contender>& contenders) {
  std::printf("\n%d unseen episodes, cost limit %g\n", kTestEpisodes, contenders.front().scores.cost_limit);
  std::printf("| %-26s | %15s | %15s | %12s |\n|%s|----------------:|----------------:|-------------:|\n", "",
              "return", "cost", "within limit", std::string(28, '-').c_str());
  for (const Contender& c : contenders) {
    const Evaluation& e = c.scores.summary;
    std::printf("| %-26s | %6.2f +- %5.2f | %6.2f +- %5.2f | %10.0f %% |\n", c.name, e.return_mean,
                e.return_std, e.cost_mean, e.cost_std, 100 * e.share_within_limit);
  }
}

/// The table's numbers for programs.
void write_results(const fs::path& path, const std::vector<Contender>& contenders) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Contender& c : contenders) {
    const Evaluation& e = c.scores.summary;
    rows.push_back({{"policy", c.name},
                    {"return_mean", e.return_mean},
                    {"return_std", e.return_std},
                    {"cost_mean", e.cost_mean},
                    {"cost_std", e.cost_std},
                    {"normalized_return", *e.normalized_return},
                    {"normalized_cost", e.normalized_cost},
                    {"share_within_limit", e.share_within_limit}});
  }
  const nlohmann::ordered_json all = {{"cost_limit", contenders.front().scores.cost_limit},
                                      {"episodes", kTestEpisodes},
                                      {"seed", kTestSeed},
                                      {"results", rows}};
  write_file_atomically(path, all.dump(2) + "\n");
}

DrawnPolicy drawn(const Contender& contender) {
  const EvaluationResult& result = contender.scores.result;
  DrawnPolicy policy{contender.name, {}, {}, paths_of(result)};
  for (const EpisodeResult& episode : result.episodes) {
    policy.returns.push_back(episode.episode_return);
    policy.costs.push_back(episode.episode_cost);
  }
  return policy;
}

}  // namespace

int run_demo(const DemoOptions& options) {
  require_gnuplot("r2pac demo");  // before the minutes of training
  const auto begin = std::chrono::steady_clock::now();
  const fs::path out = options.out;
  const std::shared_ptr<Device> device = open_device(options.device);
  make_folder(out);

  const std::string data = (out / "reach-avoid.hdf5").string();
  std::printf("1. data: %d episodes of the scripted drivers\n", kDataEpisodes);
  run_data_make_reach_avoid(data, kDataEpisodes, 0);

  std::printf("\n2. R2PAC\n");
  train(data, out / "r2pac", demo_settings({kMild[0], kMild[1]}), device);
  std::printf("\n3. behaviour cloning: the same flow with every label dropped, no critics\n");
  train(data, out / "cloning", demo_settings({"method=cloning", kMild[0], kMild[1]}), device);

  std::printf("\n4. the same from the episodes within the limit alone\n");
  train(data, out / "cloning-safe",
        demo_settings({"method=cloning", "episodes=within-limit", kMild[0], kMild[1]}), device);

  std::printf("\n5. safe chunks: no penalty, reward is learned from chunks that stay within the limit\n");
  train(data, out / "safe-chunks", demo_settings({"method=safe-chunks"}), device);

  std::printf("\n6. evaluation\n");
  const Policy r2pac = Policy::load(out / "r2pac", device);
  const auto as_trained = [&](const char* name, const char* folder) {
    const Policy policy = Policy::load(out / folder, device);
    return Contender{name, judge(policy, policy.sampler_options())};
  };
  SamplerOptions paper_options = r2pac.sampler_options();
  paper_options.num_candidates = 16;
  paper_options.flow.guidance_scale = 2;
  const Contender cloning = as_trained("cloning", "cloning"),
                  cloning_safe = as_trained("cloning of safe episodes", "cloning-safe"),
                  region = {"R2PAC", judge(r2pac, r2pac.sampler_options())},
                  least_cost = {"R2PAC, least cost of 16", judge(r2pac, paper_options)},
                  safe_chunks = as_trained("safe chunks", "safe-chunks");
  const std::vector<Contender> contenders = {cloning, cloning_safe, region, least_cost, safe_chunks};
  print_table(contenders);
  write_results(out / "results.json", contenders);

  const Dataset recorded = load_dataset(data);
  const std::string picture = (out / "reach-avoid.png").string();
  draw_reach_avoid_figure(
      picture, {.data = data_cloud(recorded),
                .cost_limit = ReachAvoidTask::cost_limit,
                .policies = {drawn(cloning), drawn(cloning_safe), drawn(region), drawn(safe_chunks)},
                .estimator = region.name,
                .map = cost_map(r2pac, arena_coverage(recorded))});
  const std::string animation = (out / "reach-avoid.gif").string();
  std::vector<AnimatedPolicy> moving;
  for (const Contender* contender : {&cloning, &region, &safe_chunks})
    moving.push_back(animated(contender->name, contender->scores.result, kAnimatedEpisodes));
  animate_reach_avoid({animation}, moving);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf(
      "\npictures: %s, %s\npolicies in %s: r2pac, cloning, cloning-safe, safe-chunks\nall in %s on %s\n",
      picture.c_str(), animation.c_str(), out.c_str(), duration_text(seconds).c_str(),
      device->description().c_str());
  return 0;
}

void add_demo(CLI::App& app, Action& action) {
  const auto [verb, options] =
      add_verb(app, action, run_demo, "demo",
               "Train and compare on the built-in robot: data, table and pictures in minutes",
               "r2pac demo --out demo");
  add_output(*verb, "--out", options->out, "Folder for data, runs and pictures")->capture_default_str();
  add_device_flags(*verb, options->device);
}

}  // namespace r2pac
