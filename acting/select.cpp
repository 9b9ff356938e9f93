#include "acting/select.h"

namespace r2pac {

template <class T>
int least_cost(const T* q_cost, int candidates) {
  int best = 0;
  for (int i = 1; i < candidates; ++i)
    if (formula::beats(q_cost[i], q_cost[best])) best = i;
  return best;
}

namespace {

template <class T>
int best_among(const T* q_cost, const T* q_reward, int candidates, T bound, bool strictly) {
  int best = 0;
  for (int i = 1; i < candidates; ++i)
    if (formula::beats_in_region<T>({q_cost[i], q_reward[i]}, {q_cost[best], q_reward[best]}, bound,
                                    strictly))
      best = i;
  return best;
}

}  // namespace

template <class T>
int best_by_region(const T* q_cost, const T* q_reward, int candidates, T v_cost, T threshold) {
  if (!(v_cost <= threshold)) return least_cost(q_cost, candidates);
  return best_among(q_cost, q_reward, candidates, threshold, false);
}

template <class T>
int best_within(const T* q_cost, const T* q_reward, int candidates, T bound) {
  return best_among(q_cost, q_reward, candidates, bound, true);
}

template int least_cost(const float*, int);
template int least_cost(const double*, int);
template int best_by_region(const float*, const float*, int, float, float);
template int best_by_region(const double*, const double*, int, double, double);
template int best_within(const float*, const float*, int, float);
template int best_within(const double*, const double*, int, double);

}  // namespace r2pac
