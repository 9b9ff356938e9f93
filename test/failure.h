// What a call failed with, as one line to compare.
#pragma once

#include <string>

#include "base/error.h"
#include "settings/settings.h"

namespace r2pac {

/// The error of a call, as "code | what | where | todo". Anything but an Error passes through.
template <class Call>
std::string failure(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.code())) + " | " + error.what() + " | " + error.where() +
           " | " + error.todo();
  }
  return "no error";
}

/// What an InvalidArgument of the call says. Anything else passes through.
template <class Call>
std::string message(Call call) {
  try {
    call();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

inline std::string failure_of_toml(const std::string& text) {
  return failure([&] { parse_settings(text, "run.toml"); });
}

}  // namespace r2pac
