#include "report/curves.h"

#include <algorithm>

#include "base/statistics.h"

namespace r2pac {

Band band_over(const std::vector<const TrainingRun*>& runs, const std::string& curve, Spread spread) {
  std::vector<const Curve*> curves;
  for (const TrainingRun* run : runs) {
    const auto found = run->curves.find(curve);
    if (found == run->curves.end()) return {};
    curves.push_back(&found->second);
  }
  Band band;
  if (curves.empty()) return band;
  for (const auto& [step, unused] : *curves.front()) {
    std::vector<double> values;
    for (const Curve* one : curves)
      if (const auto found = one->find(step); found != one->end()) values.push_back(found->second);
    if (values.size() < curves.size()) continue;
    const double middle = mean(values), deviation = standard_deviation(values);
    const auto [least, greatest] = std::ranges::minmax(values);
    band.push_back({static_cast<double>(step) / 1000, middle,
                    spread == Spread::range ? least : middle - deviation,
                    spread == Spread::range ? greatest : middle + deviation});
  }
  return band;
}

}  // namespace r2pac
