// Ctrl-C for verbs that have something to say before they end.
#pragma once

#include <string>

namespace r2pac {

/// While it lives, the first SIGINT, SIGTERM or SIGHUP (unless ignored before) is only noted, so that the
/// verb can say how far it got; a second one ends the program at once. One per process.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  bool requested() const;
  /// Prints the sentence to standard error and ends the program by the signal that came, as if it had not
  /// been held up.
  [[noreturn]] void end(const std::string& sentence) const;
};

}  // namespace r2pac
