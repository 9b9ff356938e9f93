#include "experiment/identity.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "settings/methods.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

/// Raised when the same policy gets other scores than before.
constexpr int kScoringVersion = 1;

int method_version(const std::string& name) {
  for (const MethodInfo& method : method_list())
    if (method.name == name) return method.version;
  return 0;
}

std::string line(const std::string& key, const std::string& value) { return key + "=" + value + "\n"; }

}  // namespace

std::string short_hash(const std::string& text) {
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx",
                static_cast<unsigned long long>(XXH3_128bits(text.data(), text.size()).high64));
  return std::string(hex).substr(0, 12);
}

std::string training_id(const Settings& settings, const std::string& fingerprint, const std::string& critics,
                        const std::optional<ExperimentCurve>& curve) {
  std::string text = line("version", std::to_string(method_version(settings.method)));
  // What has its default is left out, so that a new setting changes no id.
  for (const SettingDifference& d : differences(Settings{}, settings))
    if (d.info.stage != SettingStage::logging) text += line(d.key, d.second);
  text += line("data", fingerprint) + line("critics", critics);
  if (curve)
    text += line("points", std::to_string(curve->points)) + line("episodes", std::to_string(curve->episodes));
  return short_hash("training\n" + text);
}

std::string beside_training_id(const BesideMethod& method, const std::string& size, const std::string& task,
                               std::int64_t seed, const std::string& fingerprint) {
  return short_hash("training beside\n" + line("method", std::string(method.name)) +
                    line("version", std::to_string(method.version)) + line("size", size) +
                    line("task", task) + line("seed", std::to_string(seed)) + line("data", fingerprint));
}

std::string scoring_id(const std::string& training, const Settings& acting, const ExperimentScoring& scoring,
                       const std::string& env) {
  std::string text = line("version", std::to_string(kScoringVersion)) + line("training", training);
  for (const SettingDifference& d : differences(Settings{}, acting))
    if (d.info.stage == SettingStage::acting) text += line(d.key, d.second);
  text += line("episodes", std::to_string(scoring.episodes)) + line("seed", std::to_string(scoring.seed));
  text += line("cost_limit", scoring.cost_limit ? format_number(*scoring.cost_limit) : "");
  return short_hash("scoring\n" + text + line("env", env));
}

std::string set_text(const Settings& settings, const std::string& key) {
  std::string text = setting_text(settings, key);
  std::erase_if(text, [](char c) { return c == '"' || c == ' ' || c == '[' || c == ']'; });
  return text;
}

std::string file_name(const std::string& text) {
  std::string name;
  for (const char c : text.substr(0, 80)) {
    const bool kept =
        std::isalnum(static_cast<unsigned char>(c)) || std::string("._=+,-").find(c) != std::string::npos;
    name += kept ? c : '_';
  }
  if (name.empty() || name.front() == '.') name.insert(0, 1, '_');
  return name;
}

std::string variant_folder(const Settings& usual, const Settings& settings) {
  std::string text;
  for (const SettingDifference& d : differences(usual, settings))
    text += (text.empty() ? "" : ",") + d.key + "=" + set_text(settings, d.key);
  return text.empty() ? "default" : file_name(text);
}

}  // namespace r2pac
