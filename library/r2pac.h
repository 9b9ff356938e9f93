/* R2PAC: acting with a trained policy, from C.
 *
 *   r2pac_policy *policy;
 *   char error[R2PAC_ERROR_SIZE];
 *   if (r2pac_open("policy.safetensors", &policy, error, sizeof error)) { puts(error); ... }
 *   r2pac_moment moment = {.seed = 1, .spent = NAN};
 *   for (; running; ++moment.step)
 *     if (r2pac_act(policy, observation, S, &moment, NULL, action, A, NULL)) puts(r2pac_last_error(policy));
 *   r2pac_close(policy);
 *
 * A policy is used by one thread at a time; several threads open one each. r2pac_open, r2pac_close, r2pac_info and
 * r2pac_set_option take memory. All others take no memory and, on one thread (the default), make no system call, even
 * where they refuse an argument. No function ends the process, throws, or touches signals. More: docs/library.md. */
#ifndef R2PAC_H
#define R2PAC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define R2PAC_API __attribute__((visibility("default")))
#else
#define R2PAC_API
#endif

/* Bytes that every message fits in. */
#define R2PAC_ERROR_SIZE 1024

/* What functions return. The numbers are those of the exit status of the command `r2pac`, where it has one. */
enum r2pac_status {
  R2PAC_OK = 0,
  R2PAC_USAGE = 2,       /* an argument: a null pointer, a length, a chunk where there are no critics */
  R2PAC_OBSERVATION = 3, /* an observation of another length, or with a number that is not finite */
  R2PAC_OPTION = 4,      /* an option: no such name, no such value, or the method cannot do it */
  R2PAC_POLICY = 5,      /* a policy file that is missing, damaged or of another kind */
  R2PAC_DEVICE = 6,      /* the processor lacks an instruction set, or the system starts no thread */
  R2PAC_DIVERGED = 7,    /* the policy answers with a number that is not finite */
  R2PAC_DISK = 8,        /* the system refuses to read a file */
  R2PAC_MEMORY = 10,     /* there is not enough memory */
  R2PAC_INTERNAL = 11    /* a fault of the library: please report it */
};

/* An opened policy. */
typedef struct r2pac_policy r2pac_policy;

/* Which decision of which episode it is. The noise of a decision is a function of seed, episode and step, as in
 * `r2pac eval`; `r2pac sample` is episode 0, where a line's number is the step. */
typedef struct r2pac_moment {
  uint64_t seed;
  int64_t step;     /* of the episode, from 0 */
  double spent;     /* undiscounted cost of the episode so far; NAN if nobody counts it */
  uint32_t episode; /* its number */
  uint32_t unused;  /* 0 */
} r2pac_moment;

/* A time within which an action is wanted, and what to do when nothing else is ready. */
typedef struct r2pac_deadline {
  double seconds;           /* from the call on, > 0 */
  const float *safe_action; /* [A] of the caller: brake, hold, return */
} r2pac_deadline;

/* Where an action comes from. */
enum r2pac_source {
  R2PAC_FULL = 1,       /* the policy, as without a deadline */
  R2PAC_REDUCED = 2,    /* the policy in a hurry: fewer flow steps or candidates */
  R2PAC_CHUNK = 3,      /* the chunk of an earlier step of this episode, which planned this step, too */
  R2PAC_SAFE_ACTION = 4 /* the caller's safe action */
};

/* What is known of an answer. Set `size` to sizeof(r2pac_answer) before a call (R2PAC_ANSWER does); a library of
 * a later version fills no more than that. Numbers that are not known are NAN. */
typedef struct r2pac_answer {
  size_t size;
  int32_t source;     /* enum r2pac_source; 0 from r2pac_values */
  int32_t chunk_step; /* which action of its chunk: 0 of a new one, -1 of none */
  int32_t flow_steps; /* that were computed; 0: none */
  int32_t candidates; /* that were compared; 0: none */
  float q_cost;       /* Q_c of the chosen chunk: discounted, scaled cost from here on, the greatest believed */
  float q_reward;     /* Q_r of it, the least believed */
  float v_cost;       /* V_c of the observation */
  float v_reward;     /* V_r of it */
  double bound;       /* greatest Q_c and V_c within the limit at this moment, by the settings */
  double seconds;     /* that the call took */
  int32_t safe;       /* 1: V_c is within the safe region (V_c <= l), 0: it is not, -1: not known */
  int32_t judged;     /* the caller's: 1 asks the critics for q_cost and so on, if there are any; 0 saves their time */
} r2pac_answer;
#define R2PAC_ANSWER {sizeof(r2pac_answer), 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, -1, 1}

/* What a policy is. Set `size` to sizeof(r2pac_facts) before a call (R2PAC_FACTS does). */
typedef struct r2pac_facts {
  size_t size;
  int32_t observation_length; /* S */
  int32_t action_length;      /* A; actions lie in [-1, 1] */
  int32_t chunk_length;       /* h: actions that are planned at once */
  int32_t candidates, flow_steps;
  int32_t threads;
  int32_t has_critics; /* 1: answers have q_cost and so on */
  int32_t reads_spent; /* 1: moment.spent changes what is chosen */
  double cost_limit;   /* kappa, of an episode, undiscounted */
  double region_end;   /* l: a state is safe where V_c <= l; NAN where the method has none */
  uint64_t trained_steps;
  char method[32], task[64];
  char computes[64]; /* "CPU, avx512, fp32" */
  char checksum[40]; /* of the file */
  char version[16];  /* of this library */
} r2pac_facts;
#define R2PAC_FACTS {sizeof(r2pac_facts), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "", "", "", "", ""}

/* Opens a policy file, a run folder or a checkpoint. A policy file must reproduce the example that it holds. On
 * failure *policy is NULL and `error` (may be NULL) gets a message of less than error_size bytes. */
R2PAC_API int r2pac_open(const char *path, r2pac_policy **policy, char *error, size_t error_size);
/* Frees everything; NULL is nothing. */
R2PAC_API void r2pac_close(r2pac_policy *policy);

R2PAC_API int r2pac_info(const r2pac_policy *policy, r2pac_facts *facts);

/* Changes how the policy acts: "threads" (1 to 1024), "precision" (fp32, or bf16 where the processor has AVX-512
 * BF16), "cost_limit" (of an episode, as `r2pac eval --cost-limit`), or any setting of acting, as `r2pac eval --set`
 * takes them: num_candidates, flow_steps, guidance_scale, selection, budget, ... It forgets the last chunk. On failure
 * nothing changes. */
R2PAC_API int r2pac_set_option(r2pac_policy *policy, const char *name, const char *value);

/* Begins an episode: forgets the last chunk. */
R2PAC_API void r2pac_reset(r2pac_policy *policy);

/* The action [action_length = A] for an observation [observation_length = S]. deadline: NULL, or in time an action
 * of the policy, in full or in a hurry; else the action that the last chunk of this seed and episode planned for
 * this step, which it did for h - 1 steps after its own; else the safe action. answer: NULL, or what is known of
 * it. On failure `action` stays as it was, and the last chunk is kept. */
R2PAC_API int r2pac_act(r2pac_policy *policy, const float *observation, size_t observation_length,
                        const r2pac_moment *moment, const r2pac_deadline *deadline, float *action,
                        size_t action_length, r2pac_answer *answer);

/* The same for `rows` decisions of as many episodes, without deadlines: observations [rows, S], moments [rows],
 * actions [rows, A], answers NULL or [rows], of which the first says `size` and `judged` for all. A row has the bits that it
 * has alone. The last chunk is left as it was. If one row is refused, nothing is decided. */
R2PAC_API int r2pac_act_batch(r2pac_policy *policy, size_t rows, const float *observations,
                              size_t observations_length, const r2pac_moment *moments, float *actions,
                              size_t actions_length, r2pac_answer *answers);

/* The whole chunk [chunk_length = h * A, step after step] whose first action r2pac_act gives. */
R2PAC_API int r2pac_chunk(r2pac_policy *policy, const float *observation, size_t observation_length,
                          const r2pac_moment *moment, float *chunk, size_t chunk_length, r2pac_answer *answer);

/* What the critics say of an observation, and of a chunk [h * A] in it unless chunk is NULL and chunk_length 0. */
R2PAC_API int r2pac_values(r2pac_policy *policy, const float *observation, size_t observation_length,
                           const r2pac_moment *moment, const float *chunk, size_t chunk_length,
                           r2pac_answer *answer);

/* The message of the last call of this policy that failed, "" before one did. Valid until the next call. */
R2PAC_API const char *r2pac_last_error(const r2pac_policy *policy);

#ifdef __cplusplus
}
#endif

#endif
