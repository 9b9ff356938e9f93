// The recorded step: its gradients against finite differences, its bits for any number of threads.
#include <catch2/catch.hpp>
#include <cmath>

#include "allowed_settings.h"
#include "base/philox.h"
#include "cpu_precisions.h"
#include "entry_values.h"
#include "on_cpu.h"
#include "small_method.h"

using namespace r2pac;

namespace {

Settings small_settings() {
  Settings settings;
  settings.hidden = {24, 17};
  settings.batch = 70;
  settings.label_dim = 4;
  settings.alpha = 0.6;
  settings.penalty = 0.02;  // -2 after division by 1 - discount: of the size of the other targets
  settings.learning_rate = 1e-3;
  return settings;
}

double total(const std::vector<std::pair<std::string, double>>& losses) {
  double sum = 0;
  for (const auto& loss : losses) sum += loss.second;
  return sum;
}

template <class T>
std::vector<T> values_after(const Settings& settings, const std::string& stage, int threads, int steps,
                            Precision precision = Precision::fp32) {
  MethodStep<T> trial(settings, stage, cpu_device(threads, precision));
  for (int i = 0; i < steps; ++i) trial.step->run();
  const Parameters<T>&online = trial.nets.online, &follower = trial.nets.follower;
  std::vector<T> values(online.size() + follower.size());
  online.values().copy_out(values.data(), online.size());
  follower.values().copy_out(values.data() + online.size(), follower.size());
  return values;
}

}  // namespace

TEST_CASE("the complete loss has the gradient that finite differences find") {
  for (const int variant : {0, 1, 2, 3, 4}) {
    Settings settings = small_settings();
    if (variant == 4) choose_allowed_method(settings, "budgeted");
    settings.layer_norm = variant == 1;
    settings.activation = variant == 2 ? Activation::gelu_tanh : Activation::gelu_erf;
    settings.twin_critics = variant != 3;
    MethodNetworks<double> reference(settings, MethodStep<double>::kDimensions, *on_cpu());
    // Targets must not equal the critics, or residuals of the value losses would sit near their kink.
    std::vector<double> target = entry_values(reference.follower, reference.follower.values());
    for (std::uint32_t i = 0; i < target.size(); ++i)
      target[i] = 0.5 * static_cast<double>(random_normal(3, Purpose::test, 1, 0, i));
    set_entry_values(reference.follower, target);
    MethodStep<double> trial(settings, "joint", on_cpu(), {.update = false}, &reference);
    Step<double>& step = *trial.step;
    step.run();
    Parameters<double>& p = trial.nets.online;
    std::vector<double> gradient(p.gradients().size()), values(p.size());
    p.gradients().copy_out(gradient.data(), gradient.size());
    p.values().copy_out(values.data(), values.size());

    double worst = 0;
    for (std::size_t e = 0; e < p.entries().size(); ++e) {
      const auto& entry = p.entries()[e];
      // A random direction within the entry, and three single elements.
      for (int probe = 0; probe < 4; ++probe) {
        std::vector<double> direction(entry.shape.size(), 0.0);
        if (probe == 0)
          for (std::uint32_t i = 0; i < direction.size(); ++i)
            direction[i] = static_cast<double>(random_normal(11, Purpose::test, e, 0, i));
        else
          direction[random_below(13, Purpose::test, e, static_cast<std::uint32_t>(probe),
                                 static_cast<std::uint32_t>(direction.size()))] = 1;
        double expected = 0;
        for (std::size_t i = 0; i < direction.size(); ++i)
          expected += direction[i] * gradient[entry.trained_offset + i];
        const double step_size = 1e-5;
        double side[2];
        for (int s = 0; s < 2; ++s) {
          std::vector<double> moved = values;
          for (std::size_t i = 0; i < direction.size(); ++i)
            moved[entry.offset + i] += (s == 0 ? step_size : -step_size) * direction[i];
          p.values().copy_in(moved.data(), moved.size());
          p.repack();
          step.run();
          side[s] = total(step.losses());
        }
        const double actual = (side[0] - side[1]) / (2 * step_size);
        const double error = std::abs(actual - expected) / std::max(1e-3, std::abs(expected));
        INFO(entry.name << " probe " << probe << ": tape " << expected << ", differences " << actual);
        // Central differences: truncation 1e-10 of a third derivative of order one, rounding 1e-16 / 1e-5
        // of losses of order ten; relative to at least 1e-3 that is below 1e-6.
        CHECK(error < 1e-6);
        worst = std::max(worst, error);
      }
    }
    p.values().copy_in(values.data(), values.size());
    p.repack();
    WARN("variant " << variant << ": worst relative error " << worst);
  }
}

TEST_CASE("a step has the same bits for any number of threads") {
  for (const Precision precision : cpu_precisions())
    for (const char* const kind : kStages) {
      INFO(kind << " in " << precision_name(precision));
      Settings settings = small_settings();
      settings.hidden = {24, 17, 19};
      settings.batch = 200;
      const std::vector<float> one = values_after<float>(settings, kind, 1, 5, precision);
      CHECK(one != values_after<float>(settings, kind, 1, 4, precision));
      for (const int threads : {2, 4})
        CHECK(one == values_after<float>(settings, kind, threads, 5, precision));
    }
}

TEST_CASE("in bf16 a step's losses and gradients are off by the rounding of operands") {
  if (!has_bf16_products()) return;
  for (const bool norm : {false, true}) {
    Settings settings = small_settings();
    settings.hidden = {64, 64, 64, 64};
    settings.batch = 256;
    settings.layer_norm = norm;
    MethodStep<double> exact(settings, "joint", on_cpu(), {.update = false});
    MethodStep<float> rounding(settings, "joint", cpu_device(1, Precision::bf16), {.update = false});
    exact.step->run();
    rounding.step->run();
    const auto expected = exact.step->losses(), actual = rounding.step->losses();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      INFO(expected[i].first);
      CHECK(actual[i].second == Approx(expected[i].second).epsilon(0.01));
    }
    std::size_t other = 0;
    for (const auto& entry : exact.nets.online.entries()) {
      std::vector<double> wanted(entry.shape.size());
      std::vector<float> had(entry.shape.size());
      exact.nets.online.gradients().copy_out(wanted.data(), wanted.size(), entry.trained_offset);
      rounding.nets.online.gradients().copy_out(had.data(), had.size(), entry.trained_offset);
      double error = 0, size = 0;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double d = static_cast<double>(had[i]) - wanted[i];
        error += d * d;
        size += wanted[i] * wanted[i];
      }
      INFO(entry.name << ": " << std::sqrt(error / size));
      // Each of up to three products on the way rounds two operands by at most 2^-9 of them; in sums of many
      // terms that is less. In fp32 the gradients are off by 1e-6.
      CHECK(error < 0.02 * 0.02 * size);
      other += error > 1e-4 * 1e-4 * size;
    }
    CHECK(other > exact.nets.online.entries().size() / 2);  // it was bf16 indeed
  }
}
