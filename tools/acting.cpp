#include "tools/acting.h"

#include <algorithm>
#include <cstdio>

#include "tools/command_line.h"

namespace r2pac {

/// Each value is judged at once, before a policy is read.
void add_acting_flags(CLI::App& verb, ActingFlags& flags) {
  OptionGroup group(verb, "How the policy acts");
  verb.add_option_function<std::vector<std::string>>(
          "--set",
          [&flags](const std::vector<std::string>& overrides) {
            Settings judge;
            change_acting(judge, overrides);
            flags.overrides = overrides;
          },
          "Any setting of how the policy acts, as key=value; may be repeated")
      ->take_all()
      ->expected(1);
  const auto setting = [&](const std::string& name, const char* key, const char* description) {
    verb.add_option_function<std::string>(
        name,
        [&flags, name, key](const std::string& text) {
          Settings judge;
          change_acting(judge, key, text, name, ExitCode::usage);
          flags.flags.push_back({name, key, text});
        },
        description);
  };
  setting("--candidates", "num_candidates", "Chunks to choose from (as trained if not given)");
  setting("--select", "selection",
          "How to choose: least-cost, or region (best return among those that stay in the safe region)");
  setting("--threshold", "region_bound",
          "Greatest V_c and Q_c that region calls safe (if not given: l, but at most what Eq. 42 allows)");
  setting("--flow-steps", "flow_steps", "Euler steps");
  setting("--guidance", "guidance_scale", "Guidance scale omega");
  setting("--label", "label", "1: act well; null: imitate the data");
}

void change_acting(Settings& settings, const ActingFlags& flags) {
  change_acting(settings, flags.overrides);
  for (const ActingFlags::Flag& flag : flags.flags)
    change_acting(settings, flag.key, flag.text, flag.name, ExitCode::usage);
}

Settings acting_settings(const Policy& policy, const ActingFlags& flags) {
  Settings settings = policy.settings();
  change_acting(settings, flags);
  std::vector<std::string> given;
  for (const std::string& text : flags.overrides) given.push_back(text.substr(0, text.find('=')));
  for (const ActingFlags::Flag& flag : flags.flags) given.push_back(flag.key);
  const std::vector<std::string_view> unread = policy.unread_settings(settings);
  for (const std::string& key : given)
    if (std::ranges::find(unread, key) != unread.end())
      std::fprintf(
          stderr, "warning: `%s` changes nothing: the actor of this policy, of method %s, does not read it\n",
          key.c_str(), settings.method.c_str());
  return settings;
}

}  // namespace r2pac
