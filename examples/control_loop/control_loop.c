/* A control loop: at each tick of a clock it asks the policy for an action and gives it to the plant.
 *
 *   control_loop POLICY [SECONDS] [HERTZ] [DEADLINE, a share of a tick]
 *
 * It takes any policy, for its plant is none of a task: put your robot into sense() and move(). It prints how
 * long actions took, how many ticks were missed, and where actions came from. It exits with a status of
 * r2pac.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <r2pac.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* A plant with as many numbers as the policy sees, each of which follows an action slowly. */
typedef struct {
  size_t numbers, actions;
  float *state;
} plant;

static void sense(const plant *p, float *observation) {
  memcpy(observation, p->state, p->numbers * sizeof *p->state);
}

/* Moves the plant and returns the cost of the step: 1 where it leaves what is allowed. */
static double move(plant *p, const float *action) {
  float farthest = 0;
  for (size_t i = 0; i < p->numbers; ++i) {
    p->state[i] += 0.05f * (action[i % p->actions] - p->state[i]);
    farthest = fmaxf(farthest, fabsf(p->state[i]));
  }
  return farthest > 0.9f;
}

enum { kEpisode = 1000 }; /* ticks */

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
    "control_loop POLICY [SECONDS] [HERTZ] [DEADLINE, a share of a tick]\n"
    "  Acts with POLICY, a run folder or a policy.safetensors, at each tick of a clock: 10 seconds at 50 "
    "hertz, with\n"
    "  deadlines of 0.8 ticks, if not given. The plant is made up. Prints how long actions took, how many "
    "ticks were\n"
    "  missed, and where actions came from.\n";

int main(int argc, char **argv) {
  const double length = argc > 2 ? atof(argv[2]) : 10, hertz = argc > 3 ? atof(argv[3]) : 50,
               share = argc > 4 ? atof(argv[4]) : 0.8;
  if (argc < 2 || argc > 5 ||
      !(length > 0 && hertz > 0 && share > 0 && length * hertz >= 1 && length * hertz < 1e8)) {
    fputs(kUsage, stderr);
    return R2PAC_USAGE;
  }
  r2pac_policy *policy;
  char error[R2PAC_ERROR_SIZE];
  const int opened = r2pac_open(argv[1], &policy, error, sizeof error);
  if (opened) {
    fprintf(stderr, "control_loop: %s\n", error);
    return opened;
  }
  r2pac_facts facts = R2PAC_FACTS;
  r2pac_info(policy, &facts);
  const size_t ticks = (size_t)(length * hertz);
  const size_t S = (size_t)facts.observation_length, A = (size_t)facts.action_length;
  plant p = {S, A, calloc(S, sizeof(float))};
  float *const observation = calloc(S, sizeof *observation), *const action = calloc(A, sizeof *action),
               *const brake = calloc(A, sizeof *brake);
  double *const took = calloc(ticks, sizeof *took);
  if (!p.state || !observation || !action || !brake || !took) return R2PAC_MEMORY;

  /* What keeps a loop in time: memory that is never paged out, and a place before other processes. Both may
   * need rights that the user has not; the loop runs without. */
  struct sched_param first = {10};
  const int locked = mlockall(MCL_CURRENT | MCL_FUTURE) == 0,
            real_time = sched_setscheduler(0, SCHED_FIFO, &first) == 0;

  const r2pac_deadline deadline = {share / hertz, brake};
  size_t from[5] = {0}, misses = 0, failures = 0, unsafe = 0;
  r2pac_moment moment = {.seed = 1, .spent = 0};
  const double begin = now();
  for (size_t tick = 0; tick < ticks; ++tick) {
    if (moment.step == kEpisode) { /* a new episode */
      moment = (r2pac_moment){.seed = 1, .spent = 0, .episode = moment.episode + 1};
      r2pac_reset(policy);
    }
    sleep_until(begin + (double)tick / hertz);
    const double asked = now();
    sense(&p, observation);
    r2pac_answer answer = R2PAC_ANSWER;
    if (r2pac_act(policy, observation, S, &moment, &deadline, action, A, &answer)) {
      memcpy(action, brake,
             A * sizeof *action); /* a glitch of a sensor; r2pac_last_error(policy) says which */
      ++failures;
    }
    took[tick] = now() - asked;
    misses += now() > begin + (double)(tick + 1) / hertz;
    ++from[answer.source];
    unsafe += answer.safe == 0; /* here a supervisor may act by itself */
    moment.spent += move(&p, action);
    ++moment.step;
  }
  qsort(took, ticks, sizeof *took, ascending);
  printf("%s, %s%s%s; %zu ticks at %g Hz, deadline %.3f ms\n", facts.method, facts.computes,
         locked ? ", memory locked" : "", real_time ? ", real-time" : "", ticks, hertz,
         1e3 * deadline.seconds);
  printf("action: p50 %.3f ms, p99 %.3f ms, worst %.3f ms; ticks missed: %zu\n", 1e3 * took[ticks / 2],
         1e3 * took[ticks * 99 / 100], 1e3 * took[ticks - 1], misses);
  printf(
      "answers: full %zu, reduced %zu, of a chunk %zu, safe action %zu, failed %zu; states called unsafe: "
      "%zu\n",
      from[R2PAC_FULL], from[R2PAC_REDUCED], from[R2PAC_CHUNK], from[R2PAC_SAFE_ACTION], failures, unsafe);
  free(p.state), free(observation), free(action), free(brake), free(took);
  r2pac_close(policy);
  return 0;
}
