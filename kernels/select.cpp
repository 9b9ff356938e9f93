#include "kernels/select.h"

#include <algorithm>
#include <cstddef>

namespace r2pac {

template <class T>
int least_cost(const T* cost, int candidates) {
  int best = 0;
  for (int i = 1; i < candidates; ++i)
    if (formula::beats(cost[i], cost[best])) best = i;
  return best;
}

template <class T>
void choose_least_cost(const T* cost, const T* chunks, int candidates, int chunk_dim, T* chosen,
                       T* chosen_cost) {
  const int best = least_cost(cost, candidates);
  std::copy_n(chunks + static_cast<std::size_t>(best) * static_cast<std::size_t>(chunk_dim), chunk_dim,
              chosen);
  *chosen_cost = cost[best];
}

template int least_cost(const float*, int);
template int least_cost(const double*, int);
template void choose_least_cost(const float*, const float*, int, int, float*, float*);
template void choose_least_cost(const double*, const double*, int, int, double*, double*);

}  // namespace r2pac
