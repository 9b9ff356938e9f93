#include "model/trace.h"

#include <cstdio>

#include "base/error.h"
#include "tools/verbs.h"

namespace r2pac {

int run_trace(const TraceOptions& options) {
  const SettingsRequest request{options.training.data, options.training.config_file,
                                options.training.overrides, options.training.flags};
  const Settings settings = resolve_settings(request).values;
  const Dataset dataset =
      load_dataset(options.training.data, settings.pad_terminals ? settings.chunk_length : 1);
  const std::shared_ptr<Device> device = open_device(options.device);
  if (options.in_double && device->whole_batches())
    throw Error(ExitCode::usage, "a CUDA device computes in single precision", "--double",
                "leave it out, or use --device cpu");
  if (options.in_double)
    write_trace<double>(settings, dataset, options.steps, device, options.out);
  else
    write_trace<float>(settings, dataset, options.steps, device, options.out);
  std::printf("%d steps in %s precision -> %s\n", options.steps, options.in_double ? "double" : "single",
              options.out.c_str());
  return 0;
}

}  // namespace r2pac
