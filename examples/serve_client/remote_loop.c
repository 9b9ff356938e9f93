/* A control loop whose policy is served by another process: at each tick of a clock it asks for an action.
 *
 *   cc -std=c11 -O2 remote_loop.c r2pac_client.c -lm -o remote_loop
 *   remote_loop WHERE [SECONDS] [HERTZ] [DEADLINE, a share of a tick; 0: none] [SEED]
 *
 * WHERE is a UNIX socket or 127.0.0.1:PORT. Observations are made up: put your robot's in their place. It
 * prints how long actions took, how many came after their deadline, and where they came from; with SECONDS 0
 * it asks once and prints the action. It exits with a status of r2pac_client.h, of the last request that
 * failed. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "r2pac_client.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void sleep_until(double time) {
  struct timespec t = {(time_t)time, (long)((time - floor(time)) * 1e9)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
  }
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static const char kUsage[] =
    "remote_loop WHERE [SECONDS] [HERTZ] [DEADLINE, a share of a tick; 0: none] [SEED]\n"
    "  Asks the server `r2pac serve` at WHERE, a UNIX socket or 127.0.0.1:PORT, for an action at each tick "
    "of a clock: 10\n"
    "  seconds at 50 hertz, with deadlines of 0.8 ticks, if not given. Observations are made up. Prints how "
    "long actions\n"
    "  took, how many came late, and where they came from; with SECONDS 0 it asks once and prints the "
    "action.\n";

int main(int argc, char **argv) {
  const double length = argc > 2 ? atof(argv[2]) : 10, hertz = argc > 3 ? atof(argv[3]) : 50,
               share = argc > 4 ? atof(argv[4]) : 0.8;
  if (argc < 2 || argc > 6 || !(length >= 0 && hertz > 0 && share >= 0 && length * hertz < 1e8)) {
    fputs(kUsage, stderr);
    return R2PAC_CLIENT_USAGE;
  }
  r2pac_client client;
  int failed = r2pac_client_connect(&client, argv[1], 10);
  if (failed) {
    fprintf(stderr, "remote_loop: %s\n", client.error);
    return failed;
  }
  const size_t S = client.facts.observation_length, A = client.facts.action_length;
  const size_t ticks = length > 0 ? (size_t)ceil(length * hertz) : 1;
  float *const observation = calloc(S, sizeof *observation), *const action = calloc(A, sizeof *action),
               *const brake = calloc(A, sizeof *brake);
  double *const took = calloc(ticks, sizeof *took);
  if (!observation || !action || !brake || !took) return 1;
  r2pac_request request = {.seed = argc > 5 ? strtoull(argv[5], NULL, 10) : 1, .spent = NAN};
  request.deadline = share / hertz;
  request.safe_action = brake;
  size_t from[5] = {0}, misses = 0, failures = 0;
  const double begin = now();
  for (size_t tick = 0; tick < ticks; ++tick, ++request.step) {
    sleep_until(begin + (double)tick / hertz);
    for (size_t j = 0; j < S; ++j) observation[j] = 0.5f * sinf((float)(1 + 3 * tick + 7 * j));
    r2pac_client_answer answer = {.source = 0};
    const double asked = now();
    const int status = r2pac_client_act(&client, observation, S, &request, action, A, &answer);
    if (status) {
      failed = status;
      ++failures; /* here a robot gives its own safe action */
      fprintf(stderr, "remote_loop: %s\n", client.error);
      if (client.socket < 0) break;
    }
    took[tick] = now() - asked;
    misses += share > 0 && took[tick] > request.deadline;
    ++from[answer.source >= 0 && answer.source < 5 ? answer.source : 0];
  }
  if (length == 0) {
    for (size_t i = 0; i < A; ++i) printf("%.9g\n", (double)action[i]);
  } else {
    qsort(took, ticks, sizeof *took, ascending);
    printf("%.32s: %zu ticks at %g Hz, deadline %.3f ms\n", client.facts.method, ticks, hertz,
           1e3 * request.deadline);
    printf("action: p50 %.3f ms, p99 %.3f ms, worst %.3f ms; deadlines missed: %zu\n", 1e3 * took[ticks / 2],
           1e3 * took[ticks * 99 / 100], 1e3 * took[ticks - 1], misses);
    printf("answers: full %zu, reduced %zu, of a chunk %zu, safe action %zu, failed %zu\n",
           from[R2PAC_CLIENT_FULL], from[R2PAC_CLIENT_REDUCED], from[R2PAC_CLIENT_CHUNK],
           from[R2PAC_CLIENT_SAFE_ACTION], failures);
  }
  free(observation), free(action), free(brake), free(took);
  r2pac_client_close(&client);
  return failed;
}
