#include <cstdio>

#include "report/diagnosis.h"
#include "report/gnuplot.h"
#include "storage/atomic_file.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/training.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

struct DiagnoseOptions {
  std::string policy, data;
  std::string out, picture;  ///< "" writes none
  DeviceFlags device;
  bool json = false;
};

int run_diagnose(const DiagnoseOptions& options) {
  if (!options.picture.empty()) require_gnuplot("--picture");
  const Policy policy = Policy::load(options.policy, open_device(options.device));
  for (const std::string& out : {options.out, options.picture})
    require_output(out, {options.data, policy.path()});
  const Dataset dataset = load_data(options.data, policy.settings());
  const Diagnosis diagnosis = diagnose(policy, dataset);
  const std::string json = diagnosis_json(diagnosis, policy);
  std::fputs(options.json ? json.c_str() : diagnosis_text(diagnosis).c_str(), stdout);
  std::fflush(stdout);
  if (!options.out.empty()) write_file_atomically(options.out, json);
  if (!options.picture.empty())
    draw_diagnosis(
        {options.picture}, diagnosis,
        policy.settings().method + (policy.settings().task.empty() ? "" : ", ") + policy.settings().task);
  return 0;
}

}  // namespace

void add_diagnose(CLI::App& app, Action& action) {
  const auto [verb, options] =
      add_verb(app, action, run_diagnose, "diagnose",
               "Say why a policy earns what it earns: its critics and labels against the data",
               "r2pac diagnose runs/ball --data FILE.hdf5 --picture ball.png");
  verb->add_option("policy", options->policy, "Run folder, policy or checkpoint file")->required();
  verb->add_option("--data", options->data, "DSRL file (HDF5) that it was trained on")->required();
  add_output(*verb, "-o,--out", options->out, "File for all numbers (JSON)");
  add_picture(*verb, options->picture, "Picture to draw");
  add_device_flags(*verb, options->device);
  verb->add_flag("--json", options->json, "Print one JSON object");
}

}  // namespace r2pac
