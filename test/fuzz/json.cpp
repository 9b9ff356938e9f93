// The JSON reader, and the lines of scores that it serves.
#include "storage/json.h"

#include "test/fuzz/fuzz.h"
#include "training/evaluation.h"

using namespace r2pac;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  try {
    const nlohmann::json json = read_json(text, {.bytes = 1 << 16, .depth = 6, .values = 4000});
    const nlohmann::json copy = json;  // goes as deep as the value
    fuzz::require(copy == json);
    const std::string written = json.dump();
    fuzz::require(read_json(written).dump() == written);
  } catch (const JsonFault& fault) {
    fuzz::require(fault.what()[0] != '\0');
  }
  parse_evaluation_line(text);
  return 0;
}
