// JSON text that anybody may have written, read within limits.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

namespace r2pac {

/// What a text may make us spend.
struct JsonLimits {
  std::size_t bytes = std::size_t{1} << 20;   ///< of text
  int depth = 8;                              ///< of lists and objects in one another
  std::size_t values = std::size_t{1} << 20;  ///< numbers, texts, true, false, null, lists and objects
};

/// Why a text cannot be used, as the end of a sentence: "is nested too deeply".
class JsonFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The one value that the text holds. Each limit is kept while reading, before it costs memory. Of two
/// members of one name the later one counts. Throws JsonFault for anything else: text that is no JSON in
/// UTF-8, a number beyond double precision, a limit.
nlohmann::json read_json(std::string_view text, const JsonLimits& limits = {});

}  // namespace r2pac
