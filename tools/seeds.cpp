#include "tools/seeds.h"

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "settings/text_value.h"

namespace r2pac {

std::vector<std::int64_t> parse_seeds(const std::string& text) {
  constexpr std::int64_t kEnd = std::int64_t{1} << 53, kMost = 1000;
  const auto refused = [&](const std::string& what) {
    return Error(ExitCode::usage, "`" + text + "` " + what, "--seeds", "name them as 0-4 or as 1,7,20-22");
  };
  std::vector<std::int64_t> seeds;
  std::istringstream parts(text + ",");
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t dash = part.find('-');
    const auto first = parse_number<std::int64_t>(part.substr(0, dash)),
               last = dash == std::string::npos ? first : parse_number<std::int64_t>(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last >= kEnd || *last < *first)
      throw refused("is no list of seeds");
    if (*last - *first >= kMost - static_cast<std::int64_t>(seeds.size()))
      throw refused("are more than 1000 seeds");
    for (std::int64_t seed = *first; seed <= *last; ++seed) {
      if (std::find(seeds.begin(), seeds.end(), seed) != seeds.end())
        throw refused("has the seed " + std::to_string(seed) + " twice");
      seeds.push_back(seed);
    }
  }
  return seeds;
}

}  // namespace r2pac
