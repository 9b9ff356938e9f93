#include "kernels/select.h"

namespace r2pac {

template <class T>
int least_cost(const T* cost, int candidates) {
  int best = 0;
  for (int i = 1; i < candidates; ++i)
    if (cost[i] < cost[best] || cost[best] != cost[best]) best = i;
  return best;
}

template int least_cost(const float*, int);
template int least_cost(const double*, int);

}  // namespace r2pac
