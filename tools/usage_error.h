// Mistakes of the command line, said with what was meant.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace r2pac {

/// CLI11's complaint about `arguments` (without the program's name) in our form: the verb concerned, and the
/// nearest name, or the way to the setting that an unknown option stands for.
Error usage_error(const CLI::App& app, const CLI::ParseError& error,
                  const std::vector<std::string>& arguments);

}  // namespace r2pac
