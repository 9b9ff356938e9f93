// The tape: messages, where gradients flow and where not, what is kept.
#include <algorithm>
#include <catch2/catch.hpp>

#include "engine/losses.h"
#include "entry_values.h"
#include "failure.h"
#include "guarded.h"
#include "model/region.h"
#include "near.h"
#include "on_cpu.h"
#include "small_method.h"

using namespace r2pac;

namespace {

constexpr int kRows = 150;  // more than two tiles, the last one short

/// One random input and three layers of different widths to build small tapes from.
struct Workbench {
  Parameters<double> parameters;
  DenseLayer first, second, third;
  Guarded<double> x = Guarded<double>::normal(kRows, 3, 0, 70),
                  target = Guarded<double>::normal(kRows, 1, 0, 71);
  Tape<double> tape{on_cpu()};
  Tensor<double> input, wanted;

  explicit Workbench(int nets = 1, int second_in = 4) {
    first = add_dense(parameters, "first", nets, 3, nets == 1 ? 4 : 1);
    second = add_dense(parameters, "second", 1, second_in, 1);
    third = add_dense(parameters, "third", 1, 4, 1);
    parameters.allocate(true, *on_cpu());
    for (const DenseLayer& layer : {first, second, third})
      initialize_dense(parameters, layer, Initializer::torch, 5);
    input = tape.external("input", {1, kRows, 3}, x.data());
    wanted = tape.external("wanted", {1, kRows, 1}, target.data());
  }
  Tensor<double> layer(const DenseLayer& l, Tensor<double> in, Activation activation = Activation::gelu_erf) {
    return dense_layer(tape, parameters, l, in, activation);
  }
  Tensor<double> loss(Tensor<double> y) { return squared_error_loss(tape, "loss", y, wanted); }

  /// Checks the gradient of the sum of `losses` against central differences in every parameter from entry
  /// `begin`; those before must get exactly zero.
  void check_gradient(const std::vector<Tensor<double>>& losses, int begin = 0) {
    tape.backward();
    Program program = tape.finish();
    program.run();
    std::vector<double> gradient(parameters.gradients().size()), values(parameters.size());
    parameters.gradients().copy_out(gradient.data(), gradient.size());
    parameters.values().copy_out(values.data(), values.size());
    const auto total = [&](std::size_t i, double move) {
      std::vector<double> moved = values;
      moved[i] += move;
      parameters.values().copy_in(moved.data(), moved.size());
      parameters.repack();
      program.run();
      double sum = 0;
      for (const Tensor<double> loss : losses) sum += *loss->whole().data;
      return sum;
    };
    int compared = 0;
    for (int e = 0; e < static_cast<int>(parameters.entries().size()); ++e)
      for (std::size_t i = 0; i < parameters.entry(e).shape.size(); ++i) {
        const std::size_t at = parameters.entry(e).offset + i;
        const double found = gradient[parameters.entry(e).trained_offset + i];
        INFO(parameters.entry(e).name << " " << i);
        if (e < begin) {
          CHECK(found == 0);
          continue;
        }
        // Truncation 1e-10 of a third derivative of order one; rounding 1e-16 / 1e-5 of losses of order one.
        const double expected = (total(at, 1e-5) - total(at, -1e-5)) / 2e-5;
        CHECK(near(found, expected, 1e-8 * std::max(1.0, std::abs(expected))));
        compared += found != 0;
      }
    CHECK(compared > 0);
  }
};

}  // namespace

TEST_CASE("orthogonal weights keep lengths, times the root of two") {
  for (const auto& [in, out] : {std::pair{3, 7}, {7, 3}, {4, 4}, {5, 1}}) {
    constexpr int kNets = 2;
    Parameters<double> parameters;
    const DenseLayer layer = add_dense(parameters, "layer", kNets, in, out);
    parameters.allocate(false, *on_cpu());
    initialize_dense(parameters, layer, Initializer::orthogonal, 5);
    const auto at = [&](int net, int row, int col) {
      return *(parameters.value(layer.weight, net) + row * out + col);
    };
    const bool rows = in < out;  // which are the fewer
    for (int net = 0; net < kNets; ++net)
      for (int a = 0; a < std::min(in, out); ++a)
        for (int b = 0; b <= a; ++b) {
          double product = 0;
          for (int i = 0; i < std::max(in, out); ++i)
            product += rows ? at(net, a, i) * at(net, b, i) : at(net, i, a) * at(net, i, b);
          CHECK(product == Approx(a == b ? 2 : 0).margin(1e-13));  // some roundings of numbers near 1
        }
    CHECK(at(0, 0, 0) != at(1, 0, 0));
    CHECK(*parameters.value(layer.bias, 0) == 0);
  }
}

TEST_CASE("a wrong shape is refused by operation, argument, expected and actual shape") {
  Workbench w;
  const auto value = [&](const char* name, Shape shape) { return w.tape.value(name, shape); };
  const auto wrong = [](const std::string& text, const char* operation, const char* argument,
                        const char* expected, const char* actual) {
    INFO(text);
    for (const char* part : {operation, argument, expected, actual})
      CHECK(text.find(part) != std::string::npos);
  };
  wrong(message([&] { w.layer(w.second, w.input); }), "dense_layer", "`x`", "[1, 150, 4]", "[1, 150, 3]");
  wrong(message([&] {
          w.layer(w.first, value("x", {2, 9, 3}));
        }),
        "dense_layer", "`x`", "[1, 9, 3]", "[2, 9, 3]");
  wrong(message([&] {
          concatenate<double>(w.tape, {w.input, value("short", {1, 149, 2})});
        }),
        "concatenate", "`short`", "[1, 150, 2]", "[1, 149, 2]");
  wrong(message([&] {
          concatenate<double>(w.tape, {w.input, value("pair", {2, 150, 2})});
        }),
        "concatenate", "`pair`", "[1, 150, 2]", "[2, 150, 2]");
  wrong(message([&] {
          squared_error_loss(w.tape, "l", value("p", {2, 150, 1}), value("t", {1, 9, 1}));
        }),
        "squared_error_loss", "`target`", "[1, 150, 1]", "[1, 9, 1]");
  wrong(message([&] {
          expectile_loss(w.tape, "l", value("p", {2, 150, 1}), w.wanted, 0.9, Side::upper);
        }),
        "expectile_loss", "`prediction`", "[1, 150, 1]", "[2, 150, 1]");
  wrong(message([&] {
          expectile_loss(w.tape, "l", value("p", {1, 150, 1}), w.input, 0.9, Side::upper);
        }),
        "expectile_loss", "`target`", "[1, 150, 1]", "[1, 150, 3]");
  wrong(message([&] { flow_matching_loss(w.tape, "l", w.input, w.wanted, w.input); }), "flow_matching_loss",
        "`noise`", "[1, 150, 3]", "[1, 150, 1]");
  wrong(message([&] { flow_matching_loss(w.tape, "l", w.input, w.input, w.wanted); }), "flow_matching_loss",
        "`actions`", "[1, 150, 3]", "[1, 150, 1]");
  wrong(message([&] { embedding(w.tape, w.parameters, w.first.weight, w.input); }), "embedding", "`label`",
        "[1, 150, 1]", "[1, 150, 3]");
  wrong(message([&] {
          layer_norm(w.tape, w.parameters, {w.first.bias, w.first.bias}, w.input);
        }),
        "layer_norm", "gain", "[1, 1, 3]", "[1, 1, 4]");
  wrong(message([&] { ensemble_min(w.tape, w.input); }), "ensemble_min", "`x`", "[1, 150, 1]", "[1, 150, 3]");
  StepState state;
  wrong(message([&] {
          optimizer_step<double>(w.tape, w.parameters, {{{0, 1}, {}, 0, nullptr}}, &state, 0, {},
                                 value("s", {1, 3, 1}));
        }),
        "optimizer_step", "`squares`", "[1, 2, 1]", "[1, 3, 1]");
  Batch<double> batch{w.input, w.input, w.input, w.wanted, w.wanted, w.wanted};
  wrong(message([&] { critic_targets(w.tape, batch, w.wanted, w.input, w.wanted, {}); }), "critic_targets",
        "`v_cost_next`", "[1, 150, 1]", "[1, 150, 3]");
  wrong(message([&] { critic_targets(w.tape, batch, w.wanted, w.wanted, w.input, {}); }), "critic_targets",
        "`region_end`", "[1, 150, 1]", "[1, 150, 3]");
  wrong(message([&] { w.tape.members(value("q", {4, 9, 1}), 3, 2); }), "members", "3", "5", "[4, 9, 1]");
  wrong(message([&] { value("flat", {1, 0, 3}); }), "tape", "`flat`", "impossible", "[1, 0, 3]");
  wrong(message([&] { concatenate<double>(w.tape, {}); }), "concatenate", "no parts", "", "");
}

TEST_CASE("gradients add up over two readers of a tensor") {
  Workbench w;
  const Tensor<double> shared = w.layer(w.first, w.input);
  const Tensor<double> a = w.loss(w.layer(w.second, shared, Activation::identity));
  w.check_gradient({a, w.loss(w.layer(w.third, shared, Activation::gelu_tanh))});
}

TEST_CASE("gradients add up over a layer and a concatenation, and reach neighbouring parts only") {
  Workbench w(1, 8);
  const Tensor<double> shared = w.layer(w.first, w.input);
  const Tensor<double> data = w.tape.external("data", {1, kRows, 1}, w.target.data());
  const Tensor<double> joined = concatenate<double>(w.tape, {w.input, data, shared});
  CHECK(joined->gradient_begin == 4);
  CHECK(joined->gradient_end == 8);
  const Tensor<double> a = w.loss(w.layer(w.second, joined));
  w.check_gradient({a, w.loss(w.layer(w.third, shared))});
  Workbench apart;
  const Tensor<double> part = apart.layer(apart.first, apart.input);
  CHECK(message([&] {
          concatenate<double>(apart.tape, {part, apart.input, part});
        }).find("neighbours") != std::string::npos);
}

TEST_CASE("members of an ensemble send their gradients to their own nets") {
  Workbench w(4);
  const Tensor<double> all = w.layer(w.first, w.input);  // [4, B, 1]
  const Tensor<double> a = expectile_loss(w.tape, "a", w.tape.members(all, 0, 1), w.wanted, 0.9, Side::upper);
  const Tensor<double> b = w.loss(w.tape.members(all, 1, 2));
  const Tensor<double> pair = w.tape.members(w.tape.members(all, 2, 2), 1, 1);  // a member of members
  const Tensor<double> c = expectile_loss(w.tape, "c", pair, w.wanted, 0.7, Side::lower);
  w.layer(w.third, concatenate<double>(w.tape, {w.input, w.wanted}),
          Activation::identity);  // a layer of no loss
  const Tensor<double> lonely = w.loss(w.layer(w.second, concatenate<double>(w.tape, {w.input, w.wanted})));
  w.check_gradient({a, b, c, lonely});
}

TEST_CASE("no gradient passes stop_gradient") {
  Workbench w;
  const Tensor<double> stopped = w.tape.stop_gradient(w.layer(w.first, w.input));
  CHECK_FALSE(stopped->requires_gradient);
  w.check_gradient({w.loss(w.layer(w.second, stopped))}, 2);
}

TEST_CASE("what is recorded under NoGradient is a constant") {
  Workbench w;
  Tensor<double> constant;
  {
    const Tape<double>::NoGradient outer(w.tape);
    { const Tape<double>::NoGradient inner(w.tape); }
    CHECK_FALSE(w.tape.gradient_enabled());
    constant = w.layer(w.first, w.input);
  }
  CHECK(w.tape.gradient_enabled());
  CHECK_FALSE(constant->requires_gradient);
  w.check_gradient({w.loss(w.layer(w.second, constant))}, 2);
}

TEST_CASE("a loss shares its prediction with another reader or refuses to") {
  Workbench w;
  const Tensor<double> y = w.layer(w.second, w.layer(w.first, w.input));
  const Tensor<double> a = w.loss(y), b = expectile_loss(w.tape, "b", y, w.wanted, 0.9, Side::upper);
  try {
    w.check_gradient({a, b});
  } catch (const InvalidArgument& error) {
    CHECK(std::string(error.what()).find("reader") != std::string::npos);
  }
}

TEST_CASE("each kind of step moves its own networks and no other") {
  Settings settings;
  settings.hidden = {16, 16};
  settings.batch = 80;
  settings.label_dim = 4;
  MethodStep<float> trial(settings, "joint", on_cpu());
  Networks<float>& nets = trial.nets;
  CHECK_FALSE(nets.follower.trainable());
  const int first_of_actor = trained_entries(nets, stages_of(trial.method, "actor")).first;
  const std::size_t values_end = entry_values(nets.online, nets.online.values(), 0, first_of_actor).size();
  const auto same = [](const std::vector<float>& a, const std::vector<float>& b, std::size_t begin,
                       std::size_t end) {
    return std::equal(a.begin() + static_cast<std::ptrdiff_t>(begin),
                      a.begin() + static_cast<std::ptrdiff_t>(end),
                      b.begin() + static_cast<std::ptrdiff_t>(begin));
  };
  for (const std::string kind : {"actor", "critics", "joint"}) {
    trial.make(kind);
    const auto online = entry_values(nets.online, nets.online.values()),
               moments = entry_values(nets.online, nets.online.first_moments());
    const auto target = entry_values(nets.follower, nets.follower.values());
    trial.step->run();
    const auto online_after = entry_values(nets.online, nets.online.values());
    const auto moments_after = entry_values(nets.online, nets.online.first_moments());
    const auto target_after = entry_values(nets.follower, nets.follower.values());
    INFO("stage " << kind);
    CHECK(same(online, online_after, 0, values_end) == (kind == "actor"));
    CHECK(same(moments, moments_after, 0, values_end) == (kind == "actor"));
    CHECK(same(online, online_after, values_end, online.size()) == (kind == "critics"));
    CHECK(same(moments, moments_after, values_end, online.size()) == (kind == "critics"));
    CHECK((target == target_after) == (kind == "actor"));
    bool averaged = true;  // and nothing but the average moves a target
    for (std::size_t i = 0; i < target.size() && kind != "actor"; ++i)
      averaged &= near(static_cast<double>(target_after[i]),
                       static_cast<double>(formula::polyak_update(target[i], online_after[i], 0.005f)), 1e-7);
    CHECK(averaged);
    CHECK(trial.progress().step == static_cast<unsigned long long>(kind == "actor"     ? 1
                                                                   : kind == "critics" ? 2
                                                                                       : 3));
  }
}

TEST_CASE("a value that two groups read is kept, one of a single group lives in the tile") {
  for (const int threads : {1, 3}) {
    Tape<double> tape{cpu_device(threads)};
    const auto step = [&](Tensor<double> from, Tensor<double> to) {
      tape.rows("add one", kRows, {from}, {to}, [=](const Slice& slice) {
        for (int r = 0; r < slice.count; ++r) to->view(slice).row(r)[0] = from->view(slice).row(r)[0] + 1;
      });
    };
    Guarded<double> x = Guarded<double>::normal(kRows, 1, 0, 72);
    const Tensor<double> input = tape.external("x", {1, kRows, 1}, x.data());
    const Tensor<double> local = tape.value("local", {1, kRows, 1}), wide = tape.value("wide", {1, kRows, 1}),
                         carried =
                             tape.value("carried", {1, kRows, 1}),  // over a group that does not touch it
        last = tape.value("last", {1, kRows, 1}), out = tape.kept("out", {1, kRows, 1});
    double sum = 0;
    step(input, local);
    step(local, wide);
    step(local, carried);
    tape.tasks("sum", 1, {wide}, {}, [&sum, wide](int, int, std::byte*) {
      sum = 0;
      for (int r = 0; r < kRows; ++r) sum += wide->whole().row(r)[0];
    });
    step(carried, last);
    step(last, out);
    Program program = tape.finish();
    CHECK(program.statistics().calls == 6);
    CHECK(program.statistics().groups == 3);
    CHECK(wide->stored != nullptr);
    CHECK(carried->stored != nullptr);
    CHECK(local->stored == nullptr);
    CHECK(last->stored == nullptr);
    CHECK(program.statistics().tile_bytes == 64 * sizeof(double));  // both local values share one place
    for (int replay = 0; replay < 3; ++replay) {
      program.run();
      double expected = 0;
      for (int r = 0; r < kRows; ++r) {
        expected += x(r, 0) + 2;
        REQUIRE(out->whole().row(r)[0] == x(r, 0) + 1 + 1 + 1 + 1);
      }
      CHECK(near(sum, expected, 1e-11));  // 150 terms of order one
      x(3, 0) += 1;
    }
  }
}
