#include "settings/methods.h"

namespace r2pac {

const std::vector<MethodInfo>& method_list() {
  static const std::vector<MethodInfo> methods = {
      {"r2pac", "critics of reward and cost, a penalty for leaving the safe region, a guided flow",
       "Region-Based Reward Penalty over Action Chunks, Algorithm 3"},
      {"cloning", "the flow alone, which imitates the data as they are",
       "behaviour cloning by flow matching"},
  };
  return methods;
}

const std::vector<Companions>& companions() {
  static const std::vector<Companions> all = {
      {"method",
       "cloning",
       {{"label_dropout", "1", true},
        {"label", "null", true},
        {"num_candidates", "1", true},
        {"guidance_scale", "1"}}},
      {"actor", "weighted-flow", {{"label", "null", true}}},
      {"backup", "feasibility", {{"threshold", "zero", true}}},
  };
  return all;
}

}  // namespace r2pac
