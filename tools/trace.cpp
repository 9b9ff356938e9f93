#include "training/trace.h"

#include <cstdio>

#include "base/counted.h"
#include "base/error.h"
#include "base/printable.h"
#include "storage/atomic_file.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/training.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

struct TraceOptions {
  SettingsRequest training;
  int steps = 3;
  std::string out;
  bool in_double = false;
  DeviceFlags device;
};

int run_trace(const TraceOptions& options) {
  require_output(options.out, {options.training.data_file, options.training.config_file});
  const Settings settings = resolve_settings(options.training).values;
  const Dataset dataset = load_data(options.training.data_file, settings);
  const std::shared_ptr<Device> device = open_device(options.device);
  if (options.in_double && device->whole_batches())
    throw Error(ExitCode::usage, "a CUDA device computes in single precision", "--double",
                "leave it out, or use --device cpu");
  if (options.in_double)
    write_trace<double>(settings, dataset, options.steps, device, options.out);
  else
    write_trace<float>(settings, dataset, options.steps, device, options.out);
  std::printf("%s in %s precision -> %s\n", counted(options.steps, "step").c_str(),
              options.in_double ? "double" : "single", printable(options.out).c_str());
  return 0;
}

}  // namespace

void add_trace(CLI::App& app, Action& action) {
  const auto [verb, options] =
      add_verb(app, action, run_trace, "trace", "Record some gradient steps for another program to redo",
               "r2pac trace --data FILE.hdf5 --steps 3 --double -o trace.safetensors");
  add_training_flags(*verb, options->training, false);
  verb->add_option("--steps", options->steps, "Steps to record")->required()->check(CLI::Range(1, 20));
  add_output(*verb, "-o,--out", options->out, "File to write")->required();
  verb->add_flag("--double", options->in_double, "Double precision");
  add_device_flags(*verb, options->device);
}

}  // namespace r2pac
