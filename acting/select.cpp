#include "acting/select.h"

namespace r2pac {

template <class T>
int least_cost(const T* q_cost, int candidates) {
  int best = 0;
  for (int i = 1; i < candidates; ++i)
    if (formula::beats(q_cost[i], q_cost[best])) best = i;
  return best;
}

template <class T>
int best_by_region(const T* q_cost, const T* q_reward, int candidates, T v_cost, T threshold) {
  if (!(v_cost <= threshold)) return least_cost(q_cost, candidates);
  int best = 0;
  for (int i = 1; i < candidates; ++i)
    if (formula::beats_in_region<T>({q_cost[i], q_reward[i]}, {q_cost[best], q_reward[best]}, threshold))
      best = i;
  return best;
}

template int least_cost(const float*, int);
template int least_cost(const double*, int);
template int best_by_region(const float*, const float*, int, float, float);
template int best_by_region(const double*, const double*, int, double, double);

}  // namespace r2pac
