#include <cstdio>
#include <string>

#include "base/error.h"
#include "base/nearest.h"
#include "tools/help.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<std::string> names_below(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const CLI::App* below : verb.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(below->get_name());
  return names;
}

/// A function for bash, which zsh understands, too. Where it finds nothing, names of files are offered.
std::string bash_script(const CLI::App& app) {
  std::string paths, words, values;
  for_each_verb(app, [&](const std::string& path, const CLI::App& verb) {
    if (!path.empty()) paths += (paths.empty() ? "" : "|") + ("'" + path + "'");
    std::vector<std::string> offered = names_below(verb);
    for (const OptionWords& option : options_of(verb)) {
      offered.insert(offered.end(), option.names.begin(), option.names.end());
      if (option.value.empty()) continue;
      for (const std::string& name : option.names)
        values += "    '" + path + " " + name + "') words='" + joined(option.offered) + "' ;;\n";
    }
    words += "      '" + path + "') words='" + joined(offered) + "' ;;\n";
  });
  return "# Completion of r2pac, made by `r2pac completion`.\n"
         "_r2pac() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} verb= word words\n"
         "  for word in \"${COMP_WORDS[@]:1:$((COMP_CWORD-1))}\"; do\n"
         "    case \"${verb:+$verb }$word\" in\n"
         "      " +
         paths +
         ") verb=\"${verb:+$verb }$word\" ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$verb $previous\" in\n" +
         values + "    *) case \"$verb\" in\n" + words +
         "    esac ;;\n"
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  [[ ${COMPREPLY-} != *= ]] || compopt -o nospace 2>/dev/null || :\n"  // a setting wants its value
         "}\n"
         "complete -o default -F _r2pac r2pac\n";
}

/// In single quotes of fish.
std::string fish_text(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' || c == '\\' ? "\\" : "").append(1, c);
  return out + "'";
}

std::string fish_script(const CLI::App& app) {
  std::string out = "# Completion of r2pac, made by `r2pac completion`.\n";
  for_each_verb(app, [&](const std::string& path, const CLI::App& verb) {
    std::string condition = path.empty() ? "__fish_use_subcommand" : "";
    for (const std::string& word : CLI::detail::split(path, ' '))
      if (!word.empty())
        condition += (condition.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + word);
    const std::string begin = "complete -c r2pac -n '" + condition + "' ";
    for (const CLI::App* below : verb.get_subcommands([](const CLI::App*) { return true; }))
      out += begin + "-f -a " + below->get_name() + " -d " + fish_text(below->get_description()) + "\n";
    for (const OptionWords& option : options_of(verb)) {
      out += begin;
      for (const std::string& name : option.names)
        out += name.rfind("--", 0) == 0 ? "-l " + name.substr(2) + " " : "-s " + name.substr(1) + " ";
      if (!option.value.empty()) out += "-r ";
      if (!option.offered.empty()) out += "-f -a '" + joined(option.offered) + "' ";
      out += "-d " + fish_text(option.description) + "\n";
    }
  });
  return out;
}

}  // namespace

void add_completion(CLI::App& app, Action& action) {
  CLI::App* verb = add_word(app, "completion", "Print the script by which a shell completes r2pac's words",
                            "eval \"$(r2pac completion bash)\"");
  const auto shell = std::make_shared<std::string>();
  verb->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  verb->callback([&app, &action, shell] {
    action.run = [&app, shell] {
      if (*shell == "zsh")
        std::fputs("autoload -U +X compinit bashcompinit && compinit && bashcompinit\n", stdout);
      std::fputs((*shell == "fish" ? fish_script(app) : bash_script(app)).c_str(), stdout);
      return 0;
    };
  });
}

}  // namespace r2pac
