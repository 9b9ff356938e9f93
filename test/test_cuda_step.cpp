// The recorded step on a CUDA device: against the CPU's in double, bit for bit from run to run, and the
// number of its launches.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>

#include "allowed_settings.h"
#include "entry_values.h"
#include "near.h"
#include "on_cpu.h"
#include "on_cuda.h"
#include "small_method.h"
#ifdef R2PAC_CUDA_HOST
#include "cuda_host/blas.h"
#endif
#ifdef R2PAC_CUDA_HOST_CHECK
#include "report_of.h"
#endif

using namespace r2pac;

namespace {

Settings small_settings() {
  Settings settings;
  settings.hidden = {24, 17, 20};
  settings.batch = 70;
  settings.label_dim = 6;
  settings.alpha = 0.6;
  settings.penalty = 0.02;
  return settings;
}

/// A step of a stage on a device, with the float weights whatever T is.
template <class T>
struct Trial : MethodStep<T> {
  Trial(const Settings& of, const std::string& stage, std::shared_ptr<Device> on, bool update = true)
      : MethodStep<T>(of, stage, std::move(on), {.update = update}) {
    const MethodNetworks<float> rounded(of, MethodStep<T>::kDimensions, *on_cpu());
    const auto set = [](Parameters<T>& to, const Parameters<float>& from) {
      const std::vector<float> values = entry_values(from, from.values());
      set_entry_values(to, std::vector<T>(values.begin(), values.end()));
    };
    set(this->nets.online, rounded.online);
    set(this->nets.follower, rounded.follower);
  }
  std::vector<double> gradients(int first, int last) {
    const auto values = entry_values(this->nets.online, this->nets.online.gradients(), first, last);
    return {values.begin(), values.end()};
  }
  std::vector<T> weights() const { return entry_values(this->nets.online, this->nets.online.values()); }
};

double greatest_error(const std::vector<double>& values, const std::vector<double>& exact) {
  REQUIRE(values.size() == exact.size());
  double greatest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) return INFINITY;
    greatest = std::max(greatest, std::abs(values[i] - exact[i]));
  }
  return greatest;
}

Settings variant(int number) {
  Settings settings = small_settings();
  settings.layer_norm = number == 1;
  settings.activation = number == 2 ? Activation::gelu_tanh : Activation::gelu_erf;
  settings.twin_critics = number != 3;
  if (number == 4) settings.hidden = {32, 16};  // widths of whole vectors
  if (number == 5) choose_allowed_method(settings, "budgeted");
  return settings;
}

#ifdef R2PAC_CUDA_HOST_CHECK
/// A device that forgets, while it records, what one of the calls reads: in the last of the replays that it
/// takes at once.
class Forgetful : public Device {
 public:
  Forgetful(std::size_t call, int replays_at_once) : call_(call), at_once_(replays_at_once) {}

  std::unique_ptr<Recording> record(const std::vector<WholeCall>& given) override {
    std::vector<WholeCall> changed = given;
    if (calls.empty())
      for (const WholeCall& call : given) calls.push_back(call.name);
    if (call_ < calls.size() && given.size() == calls.size() * static_cast<std::size_t>(at_once_))
      changed[given.size() - calls.size() + call_].reads.clear();
    return device_->record(changed);
  }
  std::vector<std::string> calls;  ///< of one replay

  std::string name() const override { return device_->name(); }
  std::string description() const override { return device_->description(); }
  Memory& memory() override { return device_->memory(); }
  const Backend<float>& backend(float) const override { return device_->backend<float>(); }
  const Backend<double>& backend(double) const override { return device_->backend<double>(); }
  Precision precision() const override { return device_->precision(); }
  ThreadPool* pool() override { return device_->pool(); }
  void synchronize() override { device_->synchronize(); }
  std::uint64_t check_interval() const override { return device_->check_interval(); }
  int replays_at_once() const override { return at_once_; }

 private:
  std::shared_ptr<Device> device_ = on_cuda();
  std::size_t call_;
  int at_once_;
};
#endif

}  // namespace

TEST_CASE("a step's gradients and losses err at most twice as much as the CPU's in single precision") {
  any_order();
  for (const char* const kind : kStages)
    for (const int number : {0, 1, 2, 3, 4, 5}) {
      INFO("stage " << kind << ", variant " << number);
      const Settings settings = variant(number);
      Trial<double> exact(settings, kind, on_cpu(), false);
      Trial<float> cpu(settings, kind, on_cpu(), false), cuda(settings, kind, on_cuda(), false);
      exact.step->run();
      cpu.step->run();
      cuda.step->run();
      const auto [first, last] = trained_entries(exact.nets, stages_of(exact.method, kind));
      for (int entry = first; entry < last; ++entry) {
        INFO(exact.nets.online.entry(entry).name);
        const auto truth = exact.gradients(entry, entry + 1);
        // Sums over the batch in another order: where the CPU's error is small by chance, one unit in the
        // last place of the largest gradient is granted.
        double unit = 0;
        for (const double g : truth) unit = std::max(unit, std::abs(g) * 0x1p-23);
        CHECK(greatest_error(cuda.gradients(entry, entry + 1), truth) <=
              2 * greatest_error(cpu.gradients(entry, entry + 1), truth) + unit);
      }
      const auto truth = exact.step->losses(), near_cpu = cpu.step->losses(), found = cuda.step->losses();
      REQUIRE(found.size() == truth.size());
      for (std::size_t i = 0; i < truth.size(); ++i)
        CHECK(std::abs(found[i].second - truth[i].second) <=
              2 * std::abs(near_cpu[i].second - truth[i].second) + std::abs(truth[i].second) * 0x1p-22);
    }
}

TEST_CASE("steps of several turns, with clipped gradients and norms before activations, follow the CPU") {
  Settings settings = small_settings();
  settings.method = "bcrl";
  settings.threshold = Threshold::limit;
  settings.layer_norm = true;
  settings.reward_scale = 100;  // so that gradients are clipped
  std::vector<std::vector<float>> after;
  for (const std::uint64_t seed : {0, 3}) {
    cuda_host::set_seed(seed);
    Trial<float> trial(settings, "joint", on_cuda());
    for (int i = 0; i < 4; ++i) trial.step->run();
    after.push_back(trial.weights());
    CHECK(trial.progress().first_bad_step == 0);
  }
  cuda_host::set_seed(0);
  CHECK(after[0] == after[1]);
  Trial<float> cpu(settings, "joint", on_cpu());
  for (int i = 0; i < 4; ++i) cpu.step->run();
  const std::vector<float> expected = cpu.weights();
  float greatest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    greatest = std::max(greatest, std::abs(expected[i] - after[0][i]));
  CHECK(greatest < static_cast<float>(settings.learning_rate));  // as below
  CHECK(greatest > 0);
}

TEST_CASE("many steps follow the CPU, and any order of threads gives the same bits") {
  for (const char* const kind : kStages) {
    const Settings settings = small_settings();
    std::vector<std::vector<float>> after;
    for (const std::uint64_t seed : {0, 0, 3, 44}) {
      cuda_host::set_seed(seed);
      Trial<float> trial(settings, kind, on_cuda());
      for (int i = 0; i < 6; ++i) trial.step->run();
      after.push_back(trial.weights());
      const std::vector<float> target = entry_values(trial.nets.follower, trial.nets.follower.values());
      after.back().insert(after.back().end(), target.begin(), target.end());
      const StepState state = trial.progress();
      CHECK(state.step == 6);
      CHECK(state.first_bad_step == 0);
    }
    cuda_host::set_seed(0);
    for (const auto& other : after) CHECK(other == after.front());
    Trial<float> cpu(settings, kind, on_cpu());
    for (int i = 0; i < 6; ++i) cpu.step->run();
    const std::vector<float> expected = cpu.weights();
    float greatest = 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
      greatest = std::max(greatest, std::abs(expected[i] - after.front()[i]));
    // An Adam step moves a weight by at most the learning rate, in a direction that rounding may turn only
    // where the gradient is nearly zero: the weights stay well within one step of each other.
    CHECK(greatest < static_cast<float>(settings.learning_rate));
    CHECK(greatest > 0);  // they are different programs
  }
}

TEST_CASE("steps that overlap have the bits of steps one after the other") {
  any_order();
  std::vector<Settings> trials = {small_settings()};
  for (const char* const method : {"safe-chunks", "budgeted", "bcrl"}) {
    trials.push_back(small_settings());
    choose_allowed_method(trials.back(), method);
  }
  for (const Settings& settings : trials) {
    INFO(settings.method);
    Trial<float> one_by_one(settings, "joint", on_cuda()), at_once(settings, "joint", on_cuda());
    const int steps = at_once.device->replays_at_once() + 2;
    for (int i = 0; i < steps; ++i) one_by_one.step->run();
    at_once.step->run(steps);
    CHECK(at_once.weights() == one_by_one.weights());
    CHECK(at_once.step->losses() == one_by_one.step->losses());
    CHECK(at_once.step->gradient_norms() == one_by_one.step->gradient_norms());
    CHECK(at_once.progress().step == static_cast<unsigned long long>(steps));
    CHECK(at_once.progress().completed == static_cast<unsigned long long>(steps));
    CHECK(at_once.progress().first_bad_step == 0);
  }
}

TEST_CASE("steps without a graph, one call after the other, have the same bits") {
  for (const char* const kind : kStages) {
    std::vector<std::vector<float>> after;
    for (const char* eager : {"0", "1"}) {
      setenv("R2PAC_CUDA_EAGER", eager, 1);
      Trial<float> trial(small_settings(), kind, on_cuda());
      unsetenv("R2PAC_CUDA_EAGER");
      CHECK((trial.step->statistics().launches == 0) == (std::string(eager) == "1"));
      for (int i = 0; i < 3; ++i) trial.step->run();
      after.push_back(trial.weights());
    }
    CHECK(after[0] == after[1]);
  }
}

TEST_CASE("a step that is not finite is noted once, and the steps go on") {
  any_order();
  Settings settings = small_settings();
  Trial<float> trial(settings, "joint", on_cuda());
  trial.step->run();
  std::vector<float> weights = trial.weights();
  weights[3] = NAN;
  set_entry_values(trial.nets.online, weights);
  const int more = trial.device->replays_at_once();
  trial.step->run(more);
  const StepState state = trial.progress();
  CHECK(state.step == 1 + static_cast<unsigned long long>(more));
  CHECK(state.completed == state.step);
  CHECK(state.first_bad_step == 2);
}

TEST_CASE("a full-depth step launches at most 80 kernels and products") {
  Settings settings = small_settings();
  settings.hidden = {16, 16, 16, 16};
  settings.batch = 32;
  const auto launches = [&](const std::string& kind) {
    const auto statistics = Trial<float>(settings, kind, on_cuda()).step->statistics();
    INFO(kind << ": critical path " << statistics.critical_path);
    // Q, V and the flow run side by side, forward and backward, and the flow of a step beside the critics of
    // the next: a joint step takes hardly longer than the longer of the two.
    CHECK(statistics.critical_path < 26);
    return statistics.launches;
  };
  const int joint = launches("joint"), critics = launches("critics"), flow = launches("actor");
  INFO("joint " << joint << ", critics " << critics << ", flow " << flow);
  CHECK(joint <= 80);
  CHECK(joint < critics + flow);  // the stages share what they have in common
  CHECK(flow > 20);
  CHECK(critics > 40);
}

#ifdef R2PAC_CUDA_HOST
TEST_CASE(
    "products between hidden layers of whole vectors have aligned columns, those of odd rows have not") {
  const auto counted = [](std::vector<int> hidden) {
    Settings settings = small_settings();
    settings.hidden = std::move(hidden);
    const std::shared_ptr<Device> device = on_cuda();
    const cuda_host::ProductCounts before = cuda_host::product_counts();
    const Trial<float> trial(settings, "joint", device);
    const cuda_host::ProductCounts after = cuda_host::product_counts();
    return cuda_host::ProductCounts{after.all - before.all, after.aligned - before.aligned};
  };
  const auto two = counted({32, 16}), three = counted({32, 16, 16}), odd = counted({31, 17, 15});
  CHECK(two.aligned > 0);
  CHECK(three.all > two.all);
  CHECK(three.aligned - two.aligned == three.all - two.all);  // of the layer that is more
  CHECK(odd.all == three.all);
  CHECK(odd.aligned == 0);
}
#endif

#ifdef R2PAC_CUDA_HOST
TEST_CASE("no handle of the library takes its first product of a kind in a capture") {
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    const cuda_host::ProductCounts before = cuda_host::product_counts();
    const Trial<float> trial(small_settings(), "joint", on_cuda(precision));
    const cuda_host::ProductCounts after = cuda_host::product_counts();
    CHECK(after.all > before.all);
    CHECK(after.first_in_capture == before.first_in_capture);
  }
}
#endif

#ifdef R2PAC_CUDA_HOST_CHECK
TEST_CASE("a call whose reads are forgotten races with another branch, and the report names both nodes") {
  const int at_once = GENERATE(1, 2);
  const bool update = at_once > 1;  // two steps meet at the optimiser
  const auto forgetting = [&](std::size_t call) {
    auto device = std::make_shared<Forgetful>(call, at_once);
    Trial<float>(small_settings(), "joint", device, update).step->run(at_once);
    return device->calls;
  };
  constexpr std::size_t kNone = ~std::size_t{0};
  const std::vector<std::string> calls = forgetting(kNone);
  CHECK(report_of([&] { forgetting(kNone); }).empty());
  std::size_t found = 0, hidden_layers = 0, weights = 0;
  for (std::size_t call = 0; call < calls.size(); ++call) {
    const std::string report = report_of([&] { forgetting(call); });
    if (report.empty()) continue;
    INFO(calls[call] << ", " << report);
    CHECK(report.find("cuda_host: race between branches of a graph") != std::string::npos);
    ++found;
    // A hidden layer's product reads what the layer before wrote by its pass of bias and activation.
    hidden_layers += report.find("bias_activation_kernel") < report.find(" writes and node ") &&
                     report.find("(cuBLAS GEMM of m = ") != std::string::npos;
    // A layer's product reads weights that the step before wrote.
    weights += report.find("update_kernel") != std::string::npos &&
               report.find("(cuBLAS GEMM of m = ") != std::string::npos;
  }
  INFO(found << " of " << calls.size());
  // The others are ordered all the same: they share a launch with a call that reads the same, or their
  // stream.
  CHECK(found > calls.size() / 3);
  CHECK((at_once > 1 ? weights : hidden_layers) >= 3);
}
#endif
