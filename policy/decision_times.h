// What decisions take on this machine now: measured once, and followed since.
#pragma once

#include <algorithm>

#include "acting/pace.h"

namespace r2pac {

struct DecisionTimes {
  Pace::Seconds unit{0}, rest{0};  ///< as measured, with nothing in the way
  double slowness = 1;             ///< how much longer it takes now, in [1 / kMost, kMost]

  static constexpr double kMost = 4;
  static constexpr double kMargin = 1.1;     ///< what units take differs by some hundredths
  static constexpr double kShare = 1.0 / 8;  ///< of the last decision in what is believed

  /// What the next decision is expected to take.
  void tell(Pace& pace) const {
    pace.unit = unit * slowness * kMargin;
    pace.rest = rest * slowness * kMargin;
  }
  /// A decision of so many units took so long; of 0: it gave up.
  void learn(int units, Pace::Seconds took) {
    const Pace::Seconds expected = rest + unit * units;
    if (units > 0 && expected > Pace::Seconds(0))
      slowness += kShare * (std::clamp(took / expected, 1 / kMost, kMost) - slowness);
    else if (units == 0 && took > unit / 2)
      slowness = std::min(slowness * (1 + 2 * kShare), kMost);  // it had begun, in vain
    else if (units == 0)
      slowness += kShare * (1 - slowness);  // it had not dared to, which must not last
  }
};

}  // namespace r2pac
