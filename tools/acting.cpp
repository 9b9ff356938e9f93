#include "tools/acting.h"

#include "tools/command_line.h"

namespace r2pac {

void add_acting_flags(CLI::App& verb, ActingFlags& flags) {
  verb.add_option("--candidates", flags.candidates, "Chunks to choose from (as trained if not given)")
      ->check(CLI::Range(1, 65536));
  add_choice(verb, "--select", flags.selection, selection_name, {Selection::least_cost, Selection::region},
             "How to choose: least-cost, or region (best return among those that stay in the safe region)");
  verb.add_option(
          "--threshold", flags.threshold,
          "Greatest V_c and Q_c that region calls safe (if not given: l, but at most what Eq. 42 allows)")
      ->check(CLI::Range(-1e12, 1e12));
  verb.add_option("--flow-steps", flags.flow_steps, "Euler steps")->check(CLI::Range(1, 100000));
  verb.add_option("--guidance", flags.guidance, "Guidance scale omega")->check(CLI::Range(0.0, 1000.0));
  verb.add_option("--label", flags.label, "1: act well; null: imitate the data")
      ->capture_default_str()
      ->check(CLI::IsMember({"1", "null"}));
}

SamplerOptions acting_options(const Policy& policy, const ActingFlags& flags) {
  SamplerOptions options = policy.sampler_options();
  options.num_candidates = flags.candidates.value_or(options.num_candidates);
  options.flow.flow_steps = flags.flow_steps.value_or(options.flow.flow_steps);
  options.flow.guidance_scale = flags.guidance.value_or(options.flow.guidance_scale);
  options.selection = flags.selection.value_or(options.selection);
  options.threshold = flags.threshold.value_or(options.threshold);
  if (flags.label == "null") options.flow.label = kLabelNull;
  return options;
}

}  // namespace r2pac
