/* Prints what programs that were built with r2pac.h rely on: sizes, places of members, numbers of names. */
#include <r2pac.h>
#include <stdio.h>

#define SIZE(type) printf("%s: %zu bytes\n", #type, sizeof(type))
#define MEMBER(type, name) \
  printf("%s.%s: at %zu, %zu bytes\n", #type, #name, offsetof(type, name), sizeof(((type*)0)->name))
#define NUMBER(name) printf("%s: %d\n", #name, (int)name)

int main(void) {
  SIZE(r2pac_moment);
  MEMBER(r2pac_moment, seed);
  MEMBER(r2pac_moment, step);
  MEMBER(r2pac_moment, spent);
  MEMBER(r2pac_moment, episode);
  SIZE(r2pac_deadline);
  MEMBER(r2pac_deadline, seconds);
  MEMBER(r2pac_deadline, safe_action);
  SIZE(r2pac_answer);
  MEMBER(r2pac_answer, size);
  MEMBER(r2pac_answer, source);
  MEMBER(r2pac_answer, chunk_step);
  MEMBER(r2pac_answer, flow_steps);
  MEMBER(r2pac_answer, candidates);
  MEMBER(r2pac_answer, q_cost);
  MEMBER(r2pac_answer, q_reward);
  MEMBER(r2pac_answer, v_cost);
  MEMBER(r2pac_answer, v_reward);
  MEMBER(r2pac_answer, bound);
  MEMBER(r2pac_answer, seconds);
  MEMBER(r2pac_answer, safe);
  MEMBER(r2pac_answer, judged);
  SIZE(r2pac_facts);
  MEMBER(r2pac_facts, size);
  MEMBER(r2pac_facts, observation_length);
  MEMBER(r2pac_facts, action_length);
  MEMBER(r2pac_facts, chunk_length);
  MEMBER(r2pac_facts, candidates);
  MEMBER(r2pac_facts, flow_steps);
  MEMBER(r2pac_facts, threads);
  MEMBER(r2pac_facts, has_critics);
  MEMBER(r2pac_facts, reads_spent);
  MEMBER(r2pac_facts, cost_limit);
  MEMBER(r2pac_facts, region_end);
  MEMBER(r2pac_facts, trained_steps);
  MEMBER(r2pac_facts, method);
  MEMBER(r2pac_facts, task);
  MEMBER(r2pac_facts, computes);
  MEMBER(r2pac_facts, checksum);
  MEMBER(r2pac_facts, version);
  NUMBER(R2PAC_ERROR_SIZE);
  NUMBER(R2PAC_OK);
  NUMBER(R2PAC_USAGE);
  NUMBER(R2PAC_OBSERVATION);
  NUMBER(R2PAC_OPTION);
  NUMBER(R2PAC_POLICY);
  NUMBER(R2PAC_DEVICE);
  NUMBER(R2PAC_DIVERGED);
  NUMBER(R2PAC_DISK);
  NUMBER(R2PAC_MEMORY);
  NUMBER(R2PAC_INTERNAL);
  NUMBER(R2PAC_FULL);
  NUMBER(R2PAC_REDUCED);
  NUMBER(R2PAC_CHUNK);
  NUMBER(R2PAC_SAFE_ACTION);
  return 0;
}
