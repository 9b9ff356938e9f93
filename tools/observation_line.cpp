#include "tools/observation_line.h"

#include <cmath>
#include <istream>

#include "base/error.h"
#include "storage/json.h"

namespace r2pac {
namespace {

constexpr std::uint64_t kLastStep = 1'000'000'000;

}  // namespace

bool next_line(std::istream& in, std::string& line) try {
  line.clear();
  std::streambuf& bytes = *in.rdbuf();
  for (int byte; (byte = bytes.sbumpc()) != std::char_traits<char>::eof();) {
    if (byte == '\n') return true;
    line += static_cast<char>(byte);
    if (line.size() > kLongestObservationLine) return true;
  }
  return !line.empty();
} catch (const std::ios_base::failure& failure) {
  throw Error(ExitCode::data, std::string("the observations cannot be read: ") + failure.code().message(), "",
              "check the file and its disk");
}

Question parse_question(std::string_view line, int width, const std::string& where) {
  const auto refuse = [&](const std::string& what) {
    return Error(ExitCode::data, what, where,
                 "give one JSON array of " + std::to_string(width) + " numbers a line");
  };
  if (line.size() > kLongestObservationLine) throw refuse("the line is longer than a mebibyte");
  nlohmann::json json;
  try {
    json = read_json(line, {kLongestObservationLine, 3});
  } catch (const JsonFault& fault) {
    throw refuse(std::string("the line ") + fault.what());
  }
  Question question;
  const nlohmann::json* numbers = &json;
  if (json.is_object()) {
    if (const auto spent = json.find("spent"); spent != json.end()) {
      if (!spent->is_number()) throw refuse("`spent` is not a number");
      question.spent = spent->get<double>();
      if (!std::isfinite(*question.spent)) throw refuse("`spent` is not finite");
    }
    if (const auto step = json.find("step"); step != json.end()) {
      if (!step->is_number_unsigned() || step->get<std::uint64_t>() > kLastStep)
        throw refuse("`step` is no whole number from 0 to " + std::to_string(kLastStep));
      question.step = step->get<std::int64_t>();
    }
    if (const auto found = json.find("observation"); found != json.end()) numbers = &*found;
  }
  if (!numbers->is_array()) throw refuse("the line is no JSON array");
  if (numbers->size() != static_cast<std::size_t>(width))
    throw refuse("the observation has " + std::to_string(numbers->size()) + " numbers, the policy wants " +
                 std::to_string(width));
  for (const nlohmann::json& value : *numbers) {
    if (!value.is_number()) throw refuse("the observation holds something that is not a number");
    question.observation.push_back(value.get<float>());
    if (!std::isfinite(question.observation.back()))
      throw refuse("the observation holds a number that is not finite");
  }
  return question;
}

}  // namespace r2pac
