// Settings files.
#include "settings/settings.h"
#include "test/fuzz/fuzz.h"

using namespace r2pac;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::expect(ExitCode::settings, [&] {
    const Settings settings = parse_settings(fuzz::text_of(data, size), "run.toml");
    // What was accepted is within its range, so that it is read again as it was written.
    const std::string written = settings_toml({settings, {}});
    fuzz::require(differences(parse_settings(written, "again"), settings).empty());
  });
  return 0;
}
