#include "experiment/beside.h"

#include "base/installation.h"

namespace r2pac {

const BesideMethod* find_beside(std::string_view name) {
  static constexpr BesideMethod kMethods[] = {{"cdt", "r2pac.baselines.cdt"}};
  for (const BesideMethod& method : kMethods)
    if (method.name == name) return &method;
  return nullptr;
}

std::string baselines_python() { return find_above(".baselines/bin/python3"); }

double beside_minutes(const std::string& size, double peak_gflops) {
  constexpr double kShareOfPeak = 0.3;                   // of PyTorch with small networks
  const double work = size == "published" ? 306.0 * 1e5  // GFLOP: of a step, times steps
                      : size == "mini"    ? 1.7 * 4e3
                                          : 0.01 * 40;
  constexpr double kStart = 0.1;  // minutes: PyTorch, and the augmentation of the data
  return kStart + work / (60 * kShareOfPeak * peak_gflops);
}

}  // namespace r2pac
