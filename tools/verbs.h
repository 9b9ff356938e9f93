// The verbs of the `r2pac` command: one structure of options and one function each. Every function returns
// the program's exit status and throws Error for what the user can mend.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acting/select.h"
#include "engine/device.h"
#include "model/settings.h"
#include "report/report.h"

namespace r2pac {

/// Where to compute: --device, --threads, --precision.
struct DeviceFlags {
  std::string device = "cpu";  ///< auto, cpu, cuda, cuda:N or cuda-host
  int threads = 0;             ///< of the CPU; 0: all processors
  Precision precision = Precision::fp32;
};
/// The device they name; a remark about the choice goes to standard error. Throws Error: usage, device.
std::shared_ptr<Device> open_device(const DeviceFlags& flags);

/// Flags that `train` and `trace` share.
struct TrainingFlags {
  std::string data, config_file;
  std::vector<std::string> overrides;                      ///< --set key=value
  std::vector<std::pair<std::string, std::string>> flags;  ///< other flags that name a setting, in order
};

/// How a policy acts where it is not to be as trained.
struct ActingFlags {
  std::optional<int> flow_steps, candidates;
  std::optional<double> guidance;
  std::optional<Selection> selection;
  std::optional<double> threshold;  ///< of Selection::region, instead of the policy's l
  std::string label = "1";  ///< "1" follows the good label, "null" clones the data
};

/// Where a policy acts: --env and what belongs to it.
struct EnvironmentFlags {
  std::string env;             ///< a name, or cmd:PROGRAM; "" for the policy's own task
  std::string python;          ///< interpreter of the simulators; "" looks for it
  int processes = 0;           ///< children that share the copies; 0: as many as processors
  double start_timeout = 120;  ///< seconds
  double step_timeout = 60;    ///< seconds
};

struct DemoOptions {
  std::string out = "demo";
  DeviceFlags device;
};
int run_demo(const DemoOptions& options);

struct TrainOptions {
  TrainingFlags training;
  std::string out;  ///< "" chooses runs/<task>-seed<seed>
  std::string resume = "auto";
  std::string critics;           ///< run or policy whose finished critics are taken over; "" trains them
  EnvironmentFlags environment;  ///< `env` empty: no scores on the way
  std::uint64_t eval_every = 0;
  int eval_episodes = 20;
  std::uint64_t eval_seed = 0;
  DeviceFlags device;
  bool quiet = false, json = false;
  std::vector<std::string> command_line;
};
int run_train(const TrainOptions& options);

struct EvalOptions {
  std::string policy;
  std::string checkpoint = "last";  ///< of a run folder: last, safe-best or a number of steps
  EnvironmentFlags environment;
  int episodes = 20;
  std::uint64_t seed = 0;
  ActingFlags acting;
  std::optional<double> cost_limit;  ///< the policy's if not given
  std::string out;                   ///< "" writes eval.json into a run folder
  DeviceFlags device;
  bool json = false;
};
int run_eval(const EvalOptions& options);

struct SampleOptions {
  std::string policy;
  std::string observations = "-";  ///< file with one JSON array a line; "-" for standard input
  std::uint64_t seed = 0;
  ActingFlags acting;
  DeviceFlags device;
};
int run_sample(const SampleOptions& options);

struct ValuesOptions {
  std::string policy, data, out;
  DeviceFlags device;
};
int run_values(const ValuesOptions& options);

struct TraceOptions {
  TrainingFlags training;
  int steps = 3;
  std::string out;
  bool in_double = false;
  DeviceFlags device;
};
int run_trace(const TraceOptions& options);

struct ConfigShowOptions {
  std::string task;
};
int run_config_show(const ConfigShowOptions& options);

struct BenchOptions {
  std::string suite = "step";  ///< step, action or kernels
  DeviceFlags device{"cpu", 1, Precision::fp32};
  bool json = false;
};
int run_bench(const BenchOptions& options);

int run_report(const ReportOptions& options);

/// Threads to use where the flag says 0: the processors of this machine. Throws Error(usage).
int resolve_threads(int flag);

}  // namespace r2pac
