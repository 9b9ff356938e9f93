// The `r2pac` command as a user meets it: exit status and messages of a process of its own.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <sstream>

#include "program.h"

using namespace r2pac;

namespace {

using Result = ProgramResult;

Result run(std::vector<std::string> arguments, int out_fd = -1) {
  return run_program(std::move(arguments), {}, out_fd);
}

std::string message(const std::string& what, const std::string& where, const std::string& todo) {
  return "error: " + what + "\n  where: " + where + "\n  to do: " + todo + "\n";
}

}  // namespace

TEST_CASE("unknown verbs and options get the nearest name and exit status 2") {
  struct Case {
    std::vector<std::string> arguments;
    std::string message;
  };
  for (const auto& [arguments, expected] : {
           Case{{"trian"}, message("unknown verb `trian`", "r2pac", "did you mean `train`?")},
           Case{{"trian", "--data", "x"}, message("unknown verb `trian`", "r2pac", "did you mean `train`?")},
           Case{{"data", "mkae"}, message("unknown verb `mkae`", "r2pac data", "did you mean `make`?")},
           Case{{"data", "ifno", "--json", "f"},
                message("unknown verb `ifno`", "r2pac data", "did you mean `info`?")},
           Case{{"config", "shw"}, message("unknown verb `shw`", "r2pac config", "did you mean `show`?")},
           Case{{"train", "--data", "x", "--setps", "3"},
                message("unknown option `--setps`", "r2pac train", "did you mean `--steps`?")},
           Case{{"train", "--data", "x", "--setps=3"},
                message("unknown option `--setps`", "r2pac train", "did you mean `--steps`?")},
           Case{{"data", "info", "--jsn", "f"},
                message("unknown option `--jsn`", "r2pac data info", "did you mean `--json`?")},
           Case{{"--versoin"}, message("unknown option `--versoin`", "r2pac", "did you mean `--version`?")},
           Case{{"train", "--data", "x", "--lr", "1e-3"},
                message("unknown option `--lr`", "r2pac train", "give it as `--set learning_rate=VALUE`")},
           Case{{"train", "--data", "x", "--cost-limit", "5"},
                message("unknown option `--cost-limit`", "r2pac train",
                        "give it as `--set cost_limit=VALUE`")},
           Case{{"train", "--data", "x", "--kappa=5"},
                message("unknown option `--kappa`", "r2pac train", "give it as `--set cost_limit=VALUE`")},
           Case{{"train", "--data", "x", "--batch-size", "5"},
                message("unknown option `--batch-size`", "r2pac train", "did you mean `--batch`?")},
           Case{{"sample", "x", "--obs", "-", "--guidance-scale", "2"},
                message("unknown option `--guidance-scale`", "r2pac sample",
                        "give it as `--set guidance_scale=VALUE`")},
           Case{{"train", "--hidden", "64", "64", "--data", "x"},
                message("The following argument was not expected: 64", "r2pac train",
                        "`--hidden` takes one value: write a list with commas, as 64,64")},
           Case{{"train", "--data", "x", "--device", "gpu"},
                message("unknown device `gpu`", "--device", "did you mean `cuda`?")},
           Case{{"train", "--data", "x", "--device", "gpu:1"},
                message("unknown device `gpu:1`", "--device", "did you mean `cuda:1`?")},
       }) {
    INFO(expected);
    const Result result = run(arguments);
    CHECK(result.status == 2);
    CHECK(result.err == expected);
    CHECK(result.out.empty());
  }
}

TEST_CASE("missing and bad words of the command line get a message and exit status 2") {
  struct Case {
    std::vector<std::string> arguments;
    std::string beginning;
  };
  for (const auto& [arguments, beginning] : {
           Case{{}, "error: a verb is missing\n  where: r2pac\n"},
           Case{{"data"}, "error: a verb is missing\n  where: r2pac data\n"},
           Case{{"train"}, "error: --data is required\n  where: r2pac train\n"},
           Case{{"train", "-x"}, "error: unknown option `-x`\n  where: r2pac train\n"},
           Case{{"train", "--data"}, "error: --data: "},
           Case{{"train", "--data", "x", "--quiet", "--json"}, "error: --quiet excludes --json\n"},
           Case{{"train", "--data", "x", "--steps", "abc"},
                "error: `steps` cannot be `abc`\n  where: --steps\n"},
           Case{{"train", "--data", "x", "--batch", "0"},
                "error: `batch` cannot be `0`\n  where: --batch\n  to do: allowed: "},
           Case{{"train", "--data", "x", "--set", "alpha"}, "error: `alpha` is not of the form key=value\n"},
           Case{{"train", "--data", "x", "--schedule", "jiont"},
                "error: `schedule` cannot be `jiont`\n  where: --schedule\n"},
           Case{{"train", "--data", "x", "--task", "BalRun"},
                message("unknown task `BalRun`", "--task", "did you mean `BallRun`?")},
           Case{{"train", "--data", "x", "--seeds", "3-1"},
                "error: `3-1` is no list of seeds\n  where: --seeds\n"},
           Case{{"train", "--data", "x", "--seeds", ""}, "error: `` is no list of seeds\n"},
           Case{{"train", "--data", "x", "--seeds", "1-"}, "error: `1-` is no list of seeds\n"},
           Case{{"train", "--data", "x", "--seeds", "1,,2"}, "error: `1,,2` is no list of seeds\n"},
           Case{{"train", "--data", "x", "--seeds", "0-99999999999999999999"},
                "error: `0-99999999999999999999` is no"},
           Case{{"train", "--data", "x", "--seeds", "0-3,2"}, "error: `0-3,2` has the seed 2 twice\n"},
           Case{{"train", "--data", "x", "--seeds", "0,1-1000"},
                "error: `0,1-1000` are more than 1000 seeds\n"},
           Case{{"train", "--data", "x", "--seeds", "0-1", "--seed", "3"},
                "error: --seed excludes --seeds\n"},
           Case{{"train", "--data", "x", "--seeds", "0-1", "--resume", "run"},
                "error: several seeds are not continued from one run\n"},
           Case{{"config", "show", "--task", "BalRun"},
                message("unknown task `BalRun`", "--task", "did you mean `BallRun`?")},
           Case{{"eval", "x", "--env", "reach-avoid", "--episodes", "ten"},
                "error: --episodes: Value ten not in range"},
           Case{{"eval", "x", "--env", "reach-avoid", "--label", "2"},
                "error: `label` cannot be `2`\n  where: --label\n  to do: allowed: 1, null\n"},
           Case{{"bench", "stp"}, "error: suite: stp not in {step,action,kernels,peak,rivals,compare}\n"},
           Case{{"inspect", "a", "b"}, "error: The following argument was not expected: b\n"},
       }) {
    INFO(beginning);
    const Result result = run(arguments);
    INFO(result.err);
    CHECK(result.status == 2);
    CHECK(result.err.rfind(beginning, 0) == 0);
    CHECK(result.err.find("\n  to do: ") != std::string::npos);
  }
}

TEST_CASE("bad settings exit with 4, bad data with 3, bad policies with 5") {
  const ScratchFolder folder;
  const std::string toml = (folder.path / "run.toml").string(), none = (folder.path / "none.hdf5").string();
  const std::string out = (folder.path / "run").string();
  std::ofstream(toml) << "\nseed = true\n";
  const Result key = run({"train", "--data", none, "--out", out, "--set", "alfa=1"});
  CHECK(key.status == 4);
  CHECK(key.err.rfind("error: unknown key `alfa`\n  where: --set\n  to do: did you mean `alpha`?", 0) == 0);
  const Result file = run({"train", "--data", none, "--out", out, "--config", toml});
  CHECK(file.status == 4);
  CHECK(file.err.find("\n  where: " + toml + ":2:8\n") != std::string::npos);
  const Result data = run({"train", "--data", none, "--out", out});
  CHECK(data.status == 3);
  CHECK(data.err.find("\n  where: " + none + "\n") != std::string::npos);
  CHECK(run({"data", "check", none}).status == 3);
  CHECK(run({"data", "info", none}).status == 3);
  CHECK(run({"eval", none, "--env", "reach-avoid"}).status == 5);
  CHECK(run({"inspect", none}).status == 5);
}

TEST_CASE("help and version") {
  const Result version = run({"--version"});
  CHECK(version.status == 0);
  CHECK_THAT(version.out, Catch::Matches("r2pac [0-9]+\\.[0-9]+\\.[0-9]+ "
                                         "\\((unknown|[0-9a-f]{7,40}(-dirty)?)\\)\n"));
  const Result help = run({"-h"});
  CHECK(help.status == 0);
  for (const char* verb : {"demo", "data", "train", "eval", "sample", "serve", "values", "trace", "inspect",
                           "config", "methods", "bench"}) {
    CHECK(help.out.find(std::string("\n  ") + verb + " ") != std::string::npos);
    const Result own = run({verb, "--help"});
    CHECK(own.status == 0);
    CHECK(own.out.find("Example:\n  ") != std::string::npos);
  }
  const Result all = run({"--help-all"});
  CHECK(all.status == 0);
  for (const char* words :
       {"--candidates", "--eval-every", "--episode-steps", "Usage: r2pac data info [OPTIONS]"})
    CHECK(all.out.find(words) != std::string::npos);
}

TEST_CASE("the help of each verb names its options") {
  struct Case {
    std::vector<std::string> verb, options;
  };
  for (const auto& [verb, options] :
       {Case{{"demo"}, {"--out", "--threads"}}, Case{{"data", "make"}, {"-o,--out", "--episodes", "--seed"}},
        Case{{"data", "info"}, {"--json", "--cost-limit"}}, Case{{"data", "check"}, {"--json"}},
        Case{{"train"},
             {"--data", "--task", "--out", "--seed", "--steps", "--schedule", "--threads", "--hidden",
              "--batch", "--config", "--set", "--resume", "--quiet", "--json"}},
        Case{{"eval"},
             {"--env", "--episodes", "--seed", "--flow-steps", "--candidates", "--guidance", "--label",
              "--json"}},
        Case{{"sample"}, {"--obs", "--seed", "--candidates", "--flow-steps"}},
        Case{{"serve"}, {"--socket", "--tcp", "--metrics", "--wait", "--candidates", "--threads"}},
        Case{{"values"}, {"--data", "-o,--out"}},
        Case{{"trace"}, {"--data", "--steps", "-o,--out", "--double"}}, Case{{"inspect"}, {"--json"}},
        Case{{"config", "show"}, {"--task"}}, Case{{"bench"}, {"--threads", "--json"}}}) {
    std::vector<std::string> arguments = verb;
    arguments.push_back("--help");
    const Result help = run(arguments);
    INFO(help.out);
    CHECK(help.status == 0);
    CHECK(help.err.empty());
    for (const std::string& option : options) {
      INFO(option);
      // At the start of a line, so that a mention elsewhere does not count.
      CHECK((help.out.find("\n  " + option + " ") != std::string::npos ||
             help.out.find("\n  " + option + "\n") != std::string::npos));
    }
  }
}

TEST_CASE("help and version are words, too, and help fits 80 columns") {
  CHECK(run({"version"}).out == run({"--version"}).out);
  CHECK(run({"-v"}).out == run({"--version"}).out);
  CHECK(run({"help"}).out == run({"--help"}).out);
  CHECK(run({"help", "data", "make"}).out == run({"data", "make", "--help"}).out);
  for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{{},
                                                                                    {"train"},
                                                                                    {"eval"},
                                                                                    {"sample"},
                                                                                    {"data", "convert"},
                                                                                    {"data", "check"},
                                                                                    {"bench"},
                                                                                    {"report"}}) {
    std::vector<std::string> arguments = verb;
    arguments.emplace_back("--help");
    std::istringstream lines(run(arguments).out);
    for (std::string line; std::getline(lines, line) && line != "Example:";) {
      INFO(line);
      CHECK(line.size() <= 80);
    }
  }
}

TEST_CASE("completion and manual know every verb and option that help shows") {
  const std::string manual = run({"manual"}).out;
  CHECK(manual.starts_with(".TH R2PAC 1 "));
  const ScratchFolder folder;
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Result script = run({"completion", shell});
    CHECK(script.status == 0);
    for (const char* word : {"train", "convert", "candidates", "precision"})
      CHECK(script.out.find(word) != std::string::npos);
  }
  CHECK(run({"completion", "tcsh"}).status == 2);
  for (const char* verb : {"train", "eval", "sample", "values"}) {
    std::istringstream lines(run({verb, "--help"}).out);
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("  --")) continue;
      std::string option = line.substr(2, line.find_first_of(" ,", 4) - 2), roff;
      for (const char c : option) roff += c == '-' ? std::string("\\-") : std::string(1, c);
      INFO(verb << " " << option);
      CHECK(manual.find(roff) != std::string::npos);
    }
  }
  // Bash itself completes.
  std::ofstream(folder / "script") << run({"completion", "bash"}).out << R"(
ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _r2pac; echo "${COMPREPLY[*]}"; }
ask r2pac tra
ask r2pac data c
ask r2pac eval run --cand
ask r2pac train --precision b
ask r2pac train --data ''
)";
  const std::string out = folder / "out";
  REQUIRE(std::system(("bash '" + (folder / "script") + "' >'" + out + "'").c_str()) == 0);
  CHECK(content(out) == "train trace\nconvert check\n--candidates\nbf16\n\n");
}

TEST_CASE("the shells at hand complete r2pac's words") {
  const ScratchFolder folder;
  const std::string script = folder / "script", out = folder / "out";
  const auto at_hand = [](const std::string& shell) {
    return std::system(("command -v " + shell + " >/dev/null").c_str()) == 0;
  };
  struct Question {
    const char *words, *answer;  ///< the last word is begun; the answers, sorted
  };
  const Question questions[] = {{"r2pac tra", "trace train"},
                                {"r2pac data c", "check convert"},
                                {"r2pac eval run --cand", "--candidates"},
                                {"r2pac train --precision b", "bf16"},
                                {"r2pac train --method safe", "safe-chunks"},
                                {"r2pac config show --preset qu", "quick"},
                                {"r2pac sweep --set expec", "expectile="}};
  // As the shell's own machinery would: fish is asked, bash and bashcompinit of zsh call the function; zsh
  // itself drops the words that begin otherwise.
  const std::string call =
      "ask() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _r2pac; "
      "printf '%s\\n' \"${COMPREPLY[@]}\" | grep \"^${COMP_WORDS[COMP_CWORD]}\" | sort | paste -sd' '; }\n";
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    if (!at_hand(shell)) {
      WARN("not tried: " << shell << " is not installed");
      continue;
    }
    std::ofstream file(script);
    file << run({"completion", shell.c_str()}).out;
    std::string expected;
    // bashcompinit's own wrapper makes these two of zsh's arrays begin at 0.
    if (shell == "zsh") file << "setopt ksharrays shwordsplit\n";
    if (shell != "fish") file << call;
    for (const Question& question : questions) {
      if (shell == "fish")
        file << "complete -C '" << question.words << "' | cut -f1 | sort | paste -sd' '\n";
      else
        file << "ask " << question.words << "\n";
      expected += std::string(question.answer) + "\n";
    }
    file.close();
    INFO(shell);
    REQUIRE(std::system(
                (shell + (shell == "zsh" ? " -f" : "") + " '" + script + "' >'" + out + "' 2>&1").c_str()) ==
            0);
    CHECK(content(out) == expected);
  }
}

TEST_CASE("config show writes a file that --config takes") {
  const Result shown = run({"config", "show", "--task", "OfflineBallRun-v0"});
  CHECK(shown.status == 0);
  CHECK(shown.err.empty());
  CHECK(shown.out.find("(preset BallRun)\nalpha = 0.5\n") != std::string::npos);
  CHECK(shown.out.find("task = \"BallRun\"\n") != std::string::npos);
  const ScratchFolder folder;
  std::ofstream(folder.path / "run.toml") << shown.out;
  // The settings pass; what is missing is the data.
  const Result train = run({"train", "--config", (folder.path / "run.toml").string(), "--data",
                            (folder.path / "none.hdf5").string(), "--out", (folder.path / "run").string()});
  CHECK(train.status == 3);
}

TEST_CASE("a full disk at standard output is an error, a closed pipe is not worth a word") {
  const int full_device = open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full_device >= 0);
  const Result full = run({"config", "show"}, full_device);
  close(full_device);
  CHECK(full.status == 8);
  CHECK(full.err.rfind("error: standard output could not be written", 0) == 0);

  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  close(ends[0]);
  const Result closed = run({"config", "show"}, ends[1]);
  close(ends[1]);
  CHECK(closed.status == -SIGPIPE);
  CHECK(closed.err.empty());
}
