// What may go wrong with a simulator, a row each: every one ends with status 9 (2 where it only needs another
// flag), says what happened, and leaves no process.
#include "fake_children.h"

using namespace r2pac;

namespace {

struct Fault {
  const char *modes, *text;
};

std::string check(const Fault& fault, const ChildEnvironmentOptions& options) {
  CAPTURE(fault.modes);
  const Nothing remains;
  const std::string text = error_of([&] { run_episode(options); });
  CHECK_THAT(text, Catch::Contains(fault.text));
  CHECK_THAT(text, Catch::Contains(std::string("fake_environment.py ") + fault.modes));
  return text;
}

constexpr const char* kNoMessage = "is not a message: it does not begin with `R2CE`";

}  // namespace
CATCH_REGISTER_LISTENER(PythonOrSkip)

TEST_CASE("a simulator that ends or speaks otherwise is told from one that serves") {
  // An answer of two copies has 4 + 2 * (3 * 4 + 8 + 8 + 1 + 1) = 64 bytes.
  const Fault fault = GENERATE(values<Fault>({
      {"start-exit", "ended with status 7 instead of answering `hello`; its last output:\n    | last words"},
      {"start-exit-0", "ended with status 0 instead of answering `hello`"},
      {"start-error-output",
       "ended with status 3 instead of answering `hello`; its last output:\n    | no licence"},
      {"start-raise", "ZeroDivisionError"},
      {"start-killed", "was killed by signal 9 (Killed) instead of answering `hello`"},
      {"start-garbage", kNoMessage},
      {"start-type-close", "a message of type 7"},
      {"hello-exit", "ended with status 7 instead of answering `hello`; its last output:\n    | last words"},
      {"hello-exit-0", "ended with status 0 instead of answering `hello`"},
      {"hello-crash", "was killed by signal 11 (Segmentation fault) instead of answering `hello`"},
      {"hello-abort", "was killed by signal 6 (Aborted) instead of answering `hello`"},
      {"hello-garbage", kNoMessage},
      {"hello-zeros", kNoMessage},
      {"hello-request", kNoMessage},
      {"hello-wrong-magic", kNoMessage},
      {"hello-big-endian", "a message of type 100663296, expected 2"},
      {"hello-oversized", "has 4294967295 bytes, expected 16 to 1114112"},
      {"hello-empty", "the answer to `hello` has 0 bytes, expected 16 to 1114112"},
      {"hello-type-0", "a message of type 0, expected 2"},
      {"hello-type-close", "a message of type 7, expected 2"},
      {"hello-type-hello", "a message of type 1, expected 2"},
      {"hello-type-observation", "a message of type 4, expected 2"},
      {"hello-type-huge", "a message of type 4294967295, expected 2"},
      {"hello-working-then-hang", "a message of type 9, expected 2"},
      {"hello-half-and-exit", "ended with status 0 instead of answering `hello`"},
      {"hello-half-hang-up", "instead of answering `hello`"},
      {"hello-error", "raised ValueError: no wheels:\n    | File robot.py, line 3\n    | ?[2Jroll()\nwhere"},
      {"hello-error-empty", "without a text"},
      {"hello-error-binary", "??"},
      {"hello-error-oversized", "has 1048576 bytes, expected 0 to 65536"},
      {"version-0", "its version of the protocol is 0, expected 1 to 3"},
      {"version-4", "its version of the protocol is 4, expected 1 to 3"},
      {"no-width", "its observation width is 0, expected 1 to 1048576"},
      {"wide", "its observation width is 2097152, expected 1 to 1048576"},
      {"no-action", "its action width is 0, expected 1 to 65536"},
      {"wide-action", "its action width is 131072, expected 1 to 65536"},
      {"too-long", "its step limit is 2000000000, expected 0 to 1000000000"},
      {"nan-box", "the bounds of its action 0 are nan and 1"},
      {"crossed-box", "the bounds of its action 0 are 1 and -1"},
      {"empty-box", "the bounds of its action 0 are inf and inf"},
      {"short-box", "is too short for the bounds of 2 actions"},
      {"reset-exit", "ended with status 7 instead of answering `reset`"},
      {"reset-crash", "was killed by signal 11 (Segmentation fault) instead of answering `reset`"},
      {"reset-error", "raised ValueError: no wheels"},
      {"reset-type-close", "the answer to `reset` is a message of type 7, expected 4"},
      {"reset-oversized", "4294967295 bytes, expected"},
      {"reset-nan", "observation 0 of copy 0 is nan after step 0, expected a finite 32-bit number"},
      {"reset-extra", "a message of type 4 came before `step` asked for one"},
      {"old reset-extra", "a message of type 4 came before `step` asked for one"},
      {"step-exit", "ended with status 7 instead of answering `step`; its last output:\n    | last words"},
      {"step-exit-0", "ended with status 0 instead of answering `step`"},
      {"step-raise", "ZeroDivisionError"},
      {"step-crash", "was killed by signal 11 (Segmentation fault) instead of answering `step`"},
      {"step-killed", "was killed by signal 9 (Killed) instead of answering `step`"},
      {"step-garbage", kNoMessage},
      {"step-wrong-magic", kNoMessage},
      {"step-oversized", "has 4294967295 bytes, expected 64"},
      {"step-empty", "the answer to `step` has 0 bytes, expected 64"},
      {"step-type-close", "a message of type 7, expected 6"},
      {"step-type-observation", "a message of type 4, expected 6"},
      {"step-echo", "a message of type 5, expected 6"},
      {"step-half-and-exit", "ended with status 0 instead of answering `step`"},
      {"step-error", "raised ValueError: no wheels"},
      {"step-working-flood", "a message of type 9, expected 6"},
      {"step-working-wrong-number", "has the number 4294967295, expected 4"},
      {"step-working-long", "has 8 bytes, expected 4"},
      {"short", "the answer to `step` has 63 bytes, expected 64"},
      {"long", "the answer to `step` has 65 bytes, expected 64"},
      {"old short", "the answer to `step` has 59 bytes, expected 60"},
      {"no-number", "the answer to `step` has 60 bytes, expected 64"},
      {"old-number", "has the number 3, expected 4: it answers another request"},
      {"future-number", "has the number 5, expected 4: it answers another request"},
      {"twice", "a message of type 6 came before `step` asked for one"},
      {"old twice", "a message of type 6 came before `step` asked for one"},
      {"delayed-twice", "has the number 4, expected 5: it answers another request"},
      {"and-observation", "a message of type 4 came before `step` asked for one"},
      {"and-working", "a message of type 9 came before `step` asked for one"},
      {"and-error", "the motor burns"},
      {"and-garbage", kNoMessage},
      {"and-half", "a message of type 6 came before `step` asked for one"},
      {"nan-observation", "observation 0 of copy 0 is nan after step 3, expected a finite 32-bit number"},
      {"infinite-observation",
       "observation 0 of copy 0 is -inf after step 3, expected a finite 32-bit number"},
      {"nan-reward", "reward of copy 0 is nan after step 3, expected a finite number"},
      {"infinite-reward", "reward of copy 0 is inf after step 3, expected a finite number"},
      {"nan-cost", "cost of copy 0 is nan after step 3, expected a finite number of at least 0"},
      {"infinite-cost", "cost of copy 0 is inf after step 3, expected a finite number of at least 0"},
      {"negative-cost", "cost of copy 0 is -1 after step 3, expected a finite number of at least 0"},
      {"odd-terminated", "terminated of copy 0 is 255 after step 3, expected 0 or 1"},
      {"odd-truncated", "truncated of copy 0 is 2 after step 3, expected 0 or 1"},
  }));
  check(fault, fake(fault.modes));
}

TEST_CASE("a simulator that hangs is ended within the stated time") {
  const std::string mode =
      GENERATE("start-hang", "hello-hang", "hello-deaf", "hello-spin", "hello-stop", "hello-half-header",
               "hello-half-payload", "reset-hang", "reset-half-payload", "step-hang", "step-deaf",
               "step-spin", "step-stop", "step-half-header", "step-half-payload", "step-working-then-hang",
               "step-session", "step-orphan-and-exit", "step-many-orphans");
  const bool stepping = mode.starts_with("step-");
  ChildEnvironmentOptions options = fake(mode);
  (stepping ? options.step_timeout : options.start_timeout) =
      0.5;  // a busy machine only makes the text come later
  const auto start = std::chrono::steady_clock::now();
  const std::string text = check({mode.c_str(), "no answer to `"}, options);
  CHECK(seconds_since(start) < 20);  // a child sleeps for 1000 s
  if (stepping) CHECK_THAT(text, Catch::Contains("no answer to `step` within 0.5 s"));
}

TEST_CASE("a simulator with other bounds of actions is refused as a matter of usage") {
  const std::string mode = GENERATE("large-box", "odd-box", "half-box");
  const Nothing remains;
  CHECK_THAT(error_of([&] { run_episode(fake(mode)); }, ExitCode::usage),
             Catch::Contains("takes actions within"));
}
