#include "storage/json.h"

#include <string>

namespace r2pac {

nlohmann::json read_json(std::string_view text, const JsonLimits& limits) {
  using Json = nlohmann::json;
  if (text.size() > limits.bytes)
    throw JsonFault("has " + std::to_string(text.size()) + " bytes, more than " +
                    std::to_string(limits.bytes));
  // The parser would take a zero byte for the end.
  if (text.find('\0') != std::string_view::npos) throw JsonFault("holds a zero byte");
  std::size_t values = 0;
  const auto watch = [&](int depth, Json::parse_event_t event, Json&) {
    using Event = Json::parse_event_t;
    const bool opens = event == Event::array_start || event == Event::object_start;
    if (opens && depth >= limits.depth) throw JsonFault("is nested too deeply");
    if ((opens || event == Event::value) && ++values > limits.values)
      throw JsonFault("holds more than " + std::to_string(limits.values) + " values");
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::out_of_range&) {
    throw JsonFault("holds a number that is out of range");
  } catch (const Json::exception&) {
    throw JsonFault("is not JSON");
  }
}

}  // namespace r2pac
