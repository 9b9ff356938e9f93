/* A client of `r2pac serve`, for C11 and C++ on Linux, with nothing but the C library: copy this file and
 * r2pac_client.c into your program.
 *
 *   r2pac_client client;
 *   if (r2pac_client_connect(&client, "r2pac.sock", 1.0)) { puts(client.error); ... }
 *   r2pac_request request = {.seed = 1, .spent = NAN, .deadline = 0.01, .safe_action = brake};
 *   for (; running; ++request.step)
 *     if (r2pac_client_act(&client, observation, S, &request, action, A, NULL)) puts(client.error);
 *   r2pac_client_close(&client);
 *
 * Calls take no memory. One thread at a time uses a client. More: docs/serving.md. */
#ifndef R2PAC_CLIENT_H
#define R2PAC_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return: 0, what the server refuses a request for, or that the connection is gone. */
enum r2pac_client_status {
  R2PAC_CLIENT_OK = 0,
  R2PAC_CLIENT_USAGE = 2,       /* a length, a moment, a deadline or a safe action that cannot be */
  R2PAC_CLIENT_OBSERVATION = 3, /* an observation of another length, or with a number that is not finite */
  R2PAC_CLIENT_DIVERGED = 7,    /* the policy's answer is not finite */
  R2PAC_CLIENT_LOST = 9         /* no server, no answer in time, or it hung up: connect again */
};

/* What the server acts with, as it said when the client connected. */
typedef struct r2pac_client_facts {
  uint32_t observation_length, action_length, chunk_length, candidates, flow_steps;
  uint32_t has_critics, reads_spent;
  uint32_t largest_payload;
  double cost_limit, region_end;
  uint64_t trained_steps;
  char method[32], task[64], computes[64];
  char checksum[32]; /* digits, without an end */
  char version[16];
} r2pac_client_facts;

typedef struct r2pac_client {
  int socket;      /* -1: none */
  uint32_t number; /* of the last request */
  r2pac_client_facts facts;
  char error[256]; /* of the last call that failed */
} r2pac_client;

/* A decision that is wanted. The noise is a function of seed, episode and step. */
typedef struct r2pac_request {
  uint64_t seed;
  int64_t step;
  double spent;             /* undiscounted cost of the episode so far; NAN: nobody counts it */
  double deadline;          /* seconds from the call on; 0: none */
  const float *safe_action; /* [A], with a deadline */
  uint32_t episode;
  uint32_t judged; /* 1: the critics are asked for v_cost and so on */
} r2pac_request;

/* Where an action comes from: the policy in full, in a hurry, the last chunk, or the safe action. */
enum r2pac_client_source {
  R2PAC_CLIENT_FULL = 1,
  R2PAC_CLIENT_REDUCED = 2,
  R2PAC_CLIENT_CHUNK = 3,
  R2PAC_CLIENT_SAFE_ACTION = 4
};

/* As r2pac_answer of the library. Numbers that are not known are NAN. */
typedef struct r2pac_client_answer {
  char checksum[32]; /* of the policy that decided: digits, without an end */
  int32_t source, chunk_step, flow_steps, candidates;
  float q_cost, q_reward, v_cost, v_reward;
  double bound, seconds;
  int32_t safe;
  uint32_t action_length;
} r2pac_client_answer;

/* Connects to the UNIX socket `where`, or to a port of the loopback, as "127.0.0.1:5555", and asks for the
 * facts. No call waits longer than `timeout` seconds for the server; 0: as long as it takes. */
int r2pac_client_connect(r2pac_client *client, const char *where, double timeout);

/* The action [A] for an observation [S]; answer may be NULL. On failure `action` stays as it was. */
int r2pac_client_act(r2pac_client *client, const float *observation, size_t observation_length,
                     const r2pac_request *request, float *action, size_t action_length,
                     r2pac_client_answer *answer);

/* Hangs up. */
void r2pac_client_close(r2pac_client *client);

#ifdef __cplusplus
}
#endif

#endif
