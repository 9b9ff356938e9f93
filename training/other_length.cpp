#include "training/other_length.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "training/learner.h"

namespace r2pac {
namespace {

/// The setting that says how many steps a stage of this name has.
std::string length_of(const std::string& stage) {
  return stage == "critics" ? "critic_steps" : stage == "one-step" ? "distill_steps" : "steps";
}

}  // namespace

bool is_length(std::string_view key) {
  constexpr std::array kLengths = {"steps", "critic_steps", "distill_steps"};
  return std::ranges::find(kLengths, key) != kLengths.end();
}

void require_same_so_far(const Method<float>& method, const Settings& then, const Settings& now,
                         std::uint64_t step, const std::string& where) {
  if (now.rate_decay != RateDecay::none)
    throw Error(
        ExitCode::settings,
        "the learning rate of every step depends on the number of steps (rate_decay = cosine), so that a "
        "run cannot go on for another number",
        where, "begin anew with another --out, or keep the number of steps");
  const std::vector<StageSpan> before = stage_spans(method, then), after = stage_spans(method, now);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (i > 0 && before[i].begin >= step) break;  // it has not begun
    const std::string steps = std::to_string(before[i].end - before[i].begin);
    const bool ended = before[i].end <= step && i + 1 < before.size();
    if (ended && after[i].end != before[i].end)
      throw Error(ExitCode::settings,
                  "the stage `" + before[i].name + "` has ended with " + steps +
                      " steps and would now have " + std::to_string(after[i].end - after[i].begin),
                  where, "keep it as it was: --set " + length_of(before[i].name) + "=" + steps);
    if (!ended && after[i].end < step)
      throw Error(ExitCode::settings,
                  "the run has done " + std::to_string(step) + " steps, more than it would now have (" +
                      std::to_string(after[i].end) + ")",
                  where, "ask for more, or go on from an earlier checkpoint");
  }
}

}  // namespace r2pac
