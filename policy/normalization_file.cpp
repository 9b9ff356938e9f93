#include "policy/normalization_file.h"

#include "base/error.h"

namespace r2pac {

Normalization<float> read_normalization(const SafetensorsFile& file, int observation_dim) {
  const auto s = static_cast<std::size_t>(observation_dim);
  const auto read = [&](const char* name, std::vector<std::size_t> shape) {
    const auto numbers = file.get<float>(name, shape);
    return std::vector<float>(numbers.begin(), numbers.end());
  };
  Normalization<float> result{read("observation_mean", {s}), read("observation_scale", {s})};
  if (!file.contains("observation_values")) return result;
  result.values = read("observation_values", {s, kScorePoints});
  result.scores = read("observation_scores", {s, kScorePoints});
  for (std::size_t i = 0; i + 1 < s * kScorePoints; ++i)
    if ((i + 1) % kScorePoints != 0 && !(result.values[i] <= result.values[i + 1]))
      throw Error(ExitCode::checkpoint, "the points of `observation_values` do not rise",
                  file.path().string(), "use a policy written by `r2pac train`");
  return result;
}

}  // namespace r2pac
