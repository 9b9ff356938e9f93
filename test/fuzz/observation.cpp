// Lines of observations, as `sample` gets them.
#include <cmath>
#include <sstream>

#include "test/fuzz/fuzz.h"
#include "tools/observation_line.h"

using namespace r2pac;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream in{std::string(fuzz::text_of(data, size))};
  for (std::string line; next_line(in, line);) {
    fuzz::require(line.size() <= kLongestObservationLine + 1);
    fuzz::expect(ExitCode::data, [&] {
      const Question question = parse_question(line, 3, "standard input");
      fuzz::require(question.observation.size() == 3);
      for (const float value : question.observation) fuzz::require(std::isfinite(value));
    });
  }
  return 0;
}
