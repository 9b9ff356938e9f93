#include "settings/methods.h"

#include <cstdio>

#include "model/method.h"
#include "policy/network_file.h"
#include "policy/policy.h"
#include "tools/command_line.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

struct MethodsOptions {};

/// What each method is, for a robot of the built-in task's widths.
int run_methods(const MethodsOptions&) {
  constexpr Dimensions kExample{7, 2, 5};
  for (const MethodInfo& info : method_list()) {
    Settings settings;
    settings.method = info.name;
    const Method<float> method = make_method<float>(settings, kExample);
    std::printf("%s: %s\n  from    %s\n", std::string(info.name).c_str(),
                std::string(info.description).c_str(), std::string(info.source).c_str());
    for (const Stage<float>& stage : method.stages) {
      std::string trains;
      for (const std::string& network : stage.trains) trains += (trains.empty() ? "" : ", ") + network;
      std::printf("  stage   %s: trains %s\n", stage.name.c_str(), trains.c_str());
    }
    for (const Scalar<float>& scalar : method.scalars)
      std::printf("  learns  %s, a number beside the weights\n", scalar.name.c_str());
    const std::string networks = networks_text(method.networks);
    for (std::size_t begin = 0; begin < networks.size();) {
      const std::size_t end = networks.find('\n', begin);
      std::printf("  network %s\n", networks.substr(begin, end - begin).c_str());
      begin = end + 1;
    }
    for (const Companions& choice : companions())
      if (choice.key == "method" && choice.value == info.name) {
        std::string text;
        for (const Companion& c : choice.settings)
          text += (text.empty() ? "" : ", ") + std::string(c.key) +
                  (c.of_task != nullptr ? " by task" : "=" + std::string(c.value));
        std::printf("  sets    %s\n", text.c_str());
      }
    std::printf("\n");
  }
  std::printf(
      "(widths of the built-in robot: observation 7, action 2, chunks of 5; train with --method NAME)\n");
  return 0;
}

}  // namespace

void add_methods(CLI::App& app, Action& action) {
  add_verb(app, action, run_methods, "methods",
           "Describe each method: networks, stages, what it learns, its paper", "r2pac methods");
}

}  // namespace r2pac
