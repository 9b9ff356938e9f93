// Settings files and values that are refused: with key, place and remedy, and never with a crash.
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <random>
#include <sstream>

#include "base/error.h"
#include "failure.h"
#include "scratch_folder.h"
#include "settings/settings.h"
#include "settings/text_value.h"

using namespace r2pac;

namespace {

/// What `--set key=text` gives: "no error", or the error.
std::string failure_of_value(const std::string& key, const std::string& text) {
  SettingsRequest request;
  request.overrides = {key + "=" + text};
  return failure([&] { resolve_settings(request); });
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("every number is accepted up to its bounds and refused beyond them") {
  struct Bounds {
    const char* key;
    bool real;
    double low, high;
    bool open_low = false, open_high = false;
  };
  const Bounds all[] = {{"seed", false, 0, 9007199254740992.0},
                        {"steps", false, 1, 1e12},
                        {"critic_steps", false, -1, 1e12},
                        {"distill_steps", false, -1, 1e12},
                        {"heads", false, 2, 64},
                        {"batch", false, 1, 65536},
                        {"chunk_length", false, 1, 1000},
                        {"discount", true, 0, 1, true, true},
                        {"expectile", true, 0, 1, true, true},
                        {"alpha", true, 0, 1},
                        {"penalty", true, 0, 1e9},
                        {"cost_ceiling", true, 0, 1e9},
                        {"reward_scale", true, 0, 1e9, true},
                        {"cost_scale", true, 0, 1e9, true},
                        {"cost_limit", true, 0, 1e9},
                        {"greatest_limit", true, 0, 1e9, true},
                        {"threshold_ema", true, 0, 1, false, true},
                        {"feasibility_scale", true, 0, 1e9, true},
                        {"hold_out", true, 0, 0.9},
                        {"learning_rate", true, 0, 1e30, true},
                        {"adam_beta1", true, 0, 1, false, true},
                        {"adam_beta2", true, 0, 1, false, true},
                        {"adam_epsilon", true, 0, 1, true},
                        {"polyak", true, 0, 1, true},
                        {"advantage_temperature", true, 0, 1e6},
                        {"weight_cap", true, 0, 1e30, true},
                        {"bound_scale", true, 0, 1e9, true},
                        {"gate_weight", true, 0, 1e6},
                        {"distill_flow_steps", false, 1, 100000},
                        {"label_dropout", true, 0, 1},
                        {"label_dim", false, 1, 4096},
                        {"guidance_scale", true, 0, 1e3},
                        {"flow_steps", false, 1, 100000},
                        {"num_candidates", false, 1, 65536},
                        {"log_every", false, 1, 1e12},
                        {"checkpoint_every", false, 1, 1e12},
                        {"keep_checkpoints", false, 1, 1000}};
  std::size_t numbers = 0;  // so that no number of the table is left out
  for (const SettingInfo& info : settings_fields()) numbers += info.range.find_first_of("[(") == 0;
  CHECK(std::size(all) == numbers);
  for (const Bounds& b : all) {
    INFO(b.key);
    const auto text = [&](double value) {
      return b.real ? format_number(value) : format_number(static_cast<std::int64_t>(value));
    };
    const auto below = [&](double value) { return b.real ? std::nextafter(value, -1e300) : value - 1; };
    const auto above = [&](double value) { return b.real ? std::nextafter(value, 1e300) : value + 1; };
    CHECK((failure_of_value(b.key, text(b.low)) == "no error") == !b.open_low);
    CHECK((failure_of_value(b.key, text(b.high)) == "no error") == !b.open_high);
    CHECK(failure_of_value(b.key, text(above(b.low))) == "no error");
    CHECK(failure_of_value(b.key, text(below(b.high))) == "no error");
    std::vector<std::string> bad = {"nan",   "-nan",   "NaN",
                                    "inf",   "-inf",   "infinity",
                                    "1e999", "-1e999", "99999999999999999999999999999999",
                                    "0x1",   "+1",     "1 ",
                                    " 1",    "1_0",    "1,0",
                                    "",      "-",      "true",
                                    "\"1\"", "[1]"};
    bad.push_back(text(below(b.low)));
    // Above 2^53 the next whole number is no double.
    bad.push_back(std::string(b.key) == "seed" ? "9007199254740993" : text(above(b.high)));
    if (!b.real) bad.insert(bad.end(), {"1.0", "1e0"});
    for (const std::string& value : bad) {
      INFO(value);
      CHECK(failure_of_value(b.key, value)
                .rfind("4 | `" + std::string(b.key) + "` cannot be `" + value + "` | --set | allowed: ", 0) ==
            0);
    }
  }
}

TEST_CASE("a bad settings file is refused with line and column") {
  struct Case {
    const char *toml, *beginning;
  };
  for (const auto& [toml, beginning] : {
           Case{"alpha = 0.5\nalpah = 0.5\n",
                "4 | unknown key `alpah` | run.toml:2:9 | did you mean `alpha`?"},
           Case{"[train]\nseed = 1", "4 | unknown key `train` | run.toml:1:1"},
           Case{"seed = \"5\"",
                "4 | `seed` has a value of the wrong kind | run.toml:1:8 | give a whole number; allowed: "
                "[0, "},
           Case{"seed = [5]", "4 | `seed` has a value of the wrong kind"},
           Case{"seed = 1.5", "4 | `seed` has a value of the wrong kind"},
           Case{"batch = 1e3", "4 | `batch` has a value of the wrong kind"},
           Case{"alpha = { a = 1 }", "4 | `alpha` has a value of the wrong kind"},
           Case{"alpha.beta = 1", "4 | `alpha` has a value of the wrong kind"},
           Case{"[alpha]", "4 | `alpha` has a value of the wrong kind"},
           Case{"[[alpha]]", "4 | `alpha` has a value of the wrong kind"},
           Case{"alpha = 2020-01-01", "4 | `alpha` has a value of the wrong kind"},
           Case{"discount = true",
                "4 | `discount` has a value of the wrong kind | run.toml:1:12 | give a number"},
           Case{"twin_critics = \"true\"", "4 | `twin_critics` has a value of the wrong kind"},
           Case{"twin_critics = 1", "4 | `twin_critics` has a value of the wrong kind"},
           Case{"hidden = 512", "4 | `hidden` has a value of the wrong kind"},
           Case{"hidden = [\"512\"]", "4 | `hidden` has a value of the wrong kind"},
           Case{"hidden = [[512]]", "4 | `hidden` has a value of the wrong kind"},
           Case{"hidden = []", "4 | `hidden` cannot be ``"},
           Case{"hidden = [4294967808]", "4 | `hidden` cannot be `4294967808`"},  // 2^32 + 512 must not wrap
           Case{"schedule = \"jiont\"",
                "4 | `schedule` cannot be `jiont` | run.toml:1:12 | allowed: sequential, joint"},
           Case{"alpha = inf", "4 | `alpha` cannot be `inf`"},
           Case{"alpha = nan", "4 | `alpha` cannot be `nan`"},
           Case{"alpha = 1e999", "4 | "},
           Case{"seed = 99999999999999999999", "4 | this is not TOML"},
           Case{"alpha = 0.5\nalpha = 0.6", "4 | this is not TOML"},
           Case{"seed = 0x7fffffffffffffff", "4 | `seed` cannot be `9223372036854775807`"},
           Case{"seed = 9223372036854775808", "4 | this is not TOML"},
           Case{"batch = 4294968320", "4 | `batch` cannot be `4294968320`"},  // 2^32 + 1024
           Case{"alpha = 0.5\n\"alpha\" = 0.5", "4 | this is not TOML"},
           Case{"[alpha]\n[alpha]", "4 | this is not TOML"},
           Case{"hidden = [512, true]", "4 | `hidden` has a value of the wrong kind"},
           Case{"hidden = [1.5]", "4 | `hidden` has a value of the wrong kind"},
           Case{"hidden = [{ a = 1 }]", "4 | `hidden` has a value of the wrong kind"},
           Case{"task = [\"BallRun\"]", "4 | `task` has a value of the wrong kind"},
           Case{"\"\" = 1", "4 | unknown key `` | run.toml:1:6 | "},
           Case{"task = \"\xc3\x28\"", "4 | this is not TOML"},
           Case{"# \xed\xa0\x80", "4 | this is not TOML"},
           Case{"task = \"\\ud800\"", "4 | this is not TOML"},
           Case{"alpha =", "4 | this is not TOML"},
           Case{"\xff\xfe", "4 | this is not TOML"},
           Case{"alpha", "4 | this is not TOML"},
       }) {
    INFO(toml);
    const std::string message = failure_of_toml(toml);
    INFO(message);
    CHECK(message.rfind(beginning, 0) == 0);
  }
  // A whole number serves as a real one; an empty file changes nothing.
  CHECK(parse_settings("penalty = 3", "").penalty == 3);
  CHECK(differences(Settings{}, parse_settings("", "")).empty());
  CHECK(differences(Settings{}, parse_settings("# only a comment", "")).empty());
  // A byte order mark and the line ends of Windows.
  CHECK(parse_settings("\xef\xbb\xbf# 7\r\nbatch = 7\r\n", "").batch == 7);
  CHECK(failure_of_toml(std::string("alpha = 0.5\n\0", 13)).rfind("4 | this is not TOML", 0) == 0);
}

TEST_CASE("a settings file that cannot be read is refused") {
  const ScratchFolder folder;
  const std::string missing = (folder.path / "none.toml").string(),
                    large = (folder.path / "large.toml").string();
  CHECK(failure([&] {
          read_settings(missing);
        }).rfind("4 | the settings file cannot be read | " + missing, 0) == 0);
  CHECK(failure([&] {
          read_settings(folder.path.string());
        }).rfind("4 | the settings file cannot be read | ", 0) == 0);
  std::ofstream(large) << std::string((1 << 20) + 1, '#');
  CHECK(failure([&] { read_settings(large); }).rfind("4 | the settings file is larger than a mebibyte", 0) ==
        0);
  CHECK(failure([] {
          read_settings("/dev/zero");
        }).rfind("4 | the settings file is larger than a mebibyte", 0) == 0);
}

TEST_CASE("deep nesting and endless names end in a message") {
  // 100,000 levels would overflow the stack of the parser or of what frees its tables.
  constexpr int kLevels = 100000;
  const std::string dots = repeated("a.", kLevels) + "a";
  for (const std::string& text :
       {"hidden = " + repeated("[", kLevels), "alpha = " + repeated("{a=", kLevels), dots + " = 1",
        "[" + dots + "]", "[[" + dots + "]]", repeated("alpha.", kLevels) + "a = 1",
        "alpha = {" + dots + " = 1}", "alpha = " + repeated("{b.c = [\n", kLevels)})
    CHECK(failure_of_toml(text).rfind("4 | this ", 0) == 0);
  CHECK(failure_of_toml("\nalpha.a.b = 1\n" + repeated("a.", 100) + "a = 1") ==
        "4 | this line has too many dots | run.toml:3 | write one `key = value` a line");
  // As deep as is let through to the parser: 64 tables in each of 120 inline tables.
  CHECK(failure_of_toml("alpha = " + repeated("{" + repeated("a.", 64) + "a = [\n", 120) +
                        repeated("]}\n", 120))
            .rfind("4 | `alpha` has a value of the wrong kind", 0) == 0);

  const std::string endless(1000000, 'a'), shown(100, 'a');
  CHECK(failure_of_toml(endless + " = 1").rfind("4 | unknown key `" + shown + "` | ", 0) == 0);
  CHECK(failure_of_toml("task = \"" + endless + "\"").rfind("4 | unknown task `" + shown + "` | ", 0) == 0);
  CHECK(failure_of_toml("schedule = \"" + endless + "\"")
            .rfind("4 | `schedule` cannot be `" + shown + "` | ", 0) == 0);
}

TEST_CASE("a settings file with random damage is read or refused, never more") {
  std::ostringstream whole;
  SettingsRequest request;
  request.overrides = {"task=CarGoal1", "schedule=joint", "hidden=3,1,4", "penalty=1e-300",
                       "twin_critics=false"};
  write_settings(whole, resolve_settings(request));
  const std::string original = whole.str();
  const std::string pieces[] = {"=",
                                "\n",
                                "\"",
                                "\"\"\"",
                                "'''",
                                "[",
                                "]",
                                "[[",
                                "{",
                                "}",
                                ".",
                                "#",
                                ",",
                                "-",
                                "e99",
                                "nan",
                                "inf",
                                "true",
                                "0x",
                                "\\",
                                "\\u12",
                                "\xff",
                                "\t",
                                "1979-05-27",
                                "alpha",
                                std::string(1, '\0'),
                                std::string(30, '9')};
  std::mt19937_64 bits(11);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(bits() % bound); };
  int read = 0, refused = 0;
  for (int mutant = 0; mutant < 20000; ++mutant) {
    // A few lines only, so that damage is seldom hidden behind earlier damage.
    const std::size_t first = original.find('\n', below(original.size() - 1)) + 1;
    std::string text = original.substr(first < original.size() ? first : 0, 400);
    text.resize(text.rfind('\n') + 1);
    for (std::size_t edits = 1 + below(3); edits > 0; --edits) {
      const std::size_t at = below(text.size() + 1), length = below(20);
      const std::string some = text.substr(below(text.size() + 1), length);
      switch (below(5)) {
        case 0:
          text.insert(at, pieces[below(std::size(pieces))]);
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, some);
          break;
        case 3:
          text.replace(at, std::min(length, text.size() - at), some);
          break;
        default:
          if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
      }
    }
    try {
      const Settings settings = parse_settings(text, "mutant");
      std::ostringstream again;
      write_settings(again, {settings, {}});
      if (!differences(settings, parse_settings(again.str(), "again")).empty())
        FAIL("reads back changed: " << text);
      ++read;
    } catch (const Error& error) {
      if (error.code() != ExitCode::settings) FAIL("another class of error: " << text);
      ++refused;
    }
  }
  // The damage is neither always harmless (inside comments) nor always fatal.
  CHECK(read > 2000);
  CHECK(refused > 2000);
}
