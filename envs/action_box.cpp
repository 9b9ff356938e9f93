#include "envs/action_box.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "base/error.h"

namespace r2pac {
namespace {

constexpr std::size_t kShownComponents = 8;

// The shortest text of what is most likely a number of 32 bits.
std::string number_text(double value) {
  char text[32];
  for (int digits = 6; digits <= 9; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (static_cast<float>(std::strtod(text, nullptr)) == static_cast<float>(value)) break;
  }
  return text;
}

std::string bounds_text(double low, double high) {
  if (std::isnan(low)) return "unknown bounds";
  return std::string("[").append(number_text(low)).append(", ").append(number_text(high)).append("]");
}

}  // namespace

ActionBox policy_box(std::size_t action_dim) {
  return {std::vector<double>(action_dim, -1.0), std::vector<double>(action_dim, 1.0)};
}

ActionBox unknown_box(std::size_t action_dim) {
  const std::vector<double> unknown(action_dim, std::numeric_limits<double>::quiet_NaN());
  return {unknown, unknown};
}

bool ActionBox::is_valid(std::size_t component) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double a = low[component], b = high[component];
  return (std::isnan(a) && std::isnan(b)) || (a <= b && a < kInfinity && b > -kInfinity);
}

std::string to_text(const ActionBox& box) {
  std::vector<std::string> each;
  for (std::size_t i = 0; i < box.low.size(); ++i) each.push_back(bounds_text(box.low[i], box.high[i]));
  if (std::ranges::all_of(each, [&](const std::string& one) { return one == each.front(); }))
    return each.empty() ? "" : each.front();
  std::string text;
  for (std::size_t i = 0; i < std::min(each.size(), kShownComponents); ++i)
    text += (i == 0 ? "" : " x ") + each[i];
  return text + (each.size() > kShownComponents ? " x ..." : "");
}

ActionMap::ActionMap(ActionBox box, bool rescale, const std::string& where)
    : box_(std::move(box)), rescaled_(box_.low.size()) {
  const std::string text = to_text(box_);
  bool infinite = false, unknown = false;
  for (std::size_t i = 0; i < rescaled_.size(); ++i) {
    const double low = box_.low[i], high = box_.high[i];
    unknown = unknown || std::isnan(low);
    if (std::isnan(low) || (low == -1 && high == 1)) continue;
    if (std::isfinite(low) && std::isfinite(high)) {
      if (!rescale)
        throw Error(
            ExitCode::usage,
            "the environment takes actions within " + text + ", and the policy acts within [-1, 1]", where,
            "give --rescale-actions to map the policy's [-1, 1] onto the environment's bounds, or let the "
            "environment take [-1, 1]");
      rescaled_[i] = true;
    } else if (low > -1 || high < 1) {
      throw Error(ExitCode::usage,
                  "the environment takes actions within " + text + ", which the policy's [-1, 1] leaves",
                  where, "a bound is infinite, so nothing can be rescaled: let the environment take [-1, 1]");
    } else {
      infinite = true;
    }
  }
  if (unknown && rescale)
    throw Error(ExitCode::usage,
                "the environment does not state the bounds of its actions, so they cannot be rescaled", where,
                "let its action_space have low and high, or leave --rescale-actions away");
  if (unknown)
    warnings_.push_back(
        "bounds unknown: the environment does not state which actions it takes; it gets the policy's, within "
        "[-1, 1]");
  if (infinite)
    warnings_.push_back("the environment takes actions within " + text +
                        "; where a bound is infinite it gets the policy's as they are, within [-1, 1]");
}

float ActionMap::operator()(std::size_t component, float action) const {
  const double unit = std::clamp(static_cast<double>(action), -1.0, 1.0);
  if (!rescaled_[component]) return static_cast<float>(unit);
  const double low = box_.low[component], high = box_.high[component];
  // Both ends are met exactly, and nothing overflows.
  const double scaled = std::clamp(low * (0.5 * (1 - unit)) + high * (0.5 * (1 + unit)), low, high);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  auto out = static_cast<float>(scaled);
  if (static_cast<double>(out) > high) out = std::nextafter(out, -kInfinity);
  if (static_cast<double>(out) < low) out = std::nextafter(out, kInfinity);
  return out;
}

}  // namespace r2pac
