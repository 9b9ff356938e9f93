// What the engine offers any method: gradients on the CPU in double against central differences.
#include "base/error.h"
#include "engine_cases.h"

using namespace r2pac;

namespace {

template <class F>
std::string message(F f) {
  try {
    f();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("a layer applied several times gets the sum of all gradients") {
  // first 16, second 20, head 5, critics 12, judges 15, norm 8, table 12
  check_gradient(cases::layers_applied_twice, 88);
  Workbench<double> w(on_cpu());
  DenseLayer fewer = w.critics;
  fewer.nets = 2;
  for (const DenseLayer& l : {w.critics, fewer})
    squared_error_loss(w.tape, "loss", w.layer(l, w.input), w.wanted);
  const std::string text = message([&] { w.tape.backward(); });
  CHECK(text.find("`critics.weight` is applied as [2, 3, 1] and as [3, 3, 1]") != std::string::npos);
}

TEST_CASE("a frozen layer passes gradients on and learns nothing, a constant one ends them") {
  check_gradient(cases::frozen_layers, 36);  // first 16, head 5, judges 15
  Workbench<double> w(on_cpu());
  const Tensor<double> x = w.layer(w.first, w.input);
  const auto apply = [&](Tensor<double> in, Gradient gradient) {
    return dense_layer(w.tape, w.parameters, w.second, in, Activation::gelu_erf, gradient)->requires_gradient;
  };
  CHECK(apply(x, Gradient::frozen));
  CHECK_FALSE(apply(x, Gradient::constant));
  CHECK_FALSE(apply(w.data, Gradient::frozen));
  CHECK(apply(w.data, Gradient::learn));
  const Tape<double>::NoGradient constant(w.tape);
  CHECK_FALSE(apply(x, Gradient::frozen));
}

TEST_CASE("several losses on one tensor and its members add up") {
  check_gradient(cases::losses_on_one_tensor, 38);  // first 16, head 5, critics 12, judges: one member of 5
}

TEST_CASE("losses weigh the rows") {
  check_gradient(cases::weighted_losses, 53);  // first 16, second 20, head 5, critics 12
  const auto loss_of = [](bool weighted) {
    return [weighted]<class T>(Workbench<T>& w) {
      const Tensor<T> ones = w.tape.value("ones", {1, w.rows, 1});
      w.tape.rows("ones", w.rows, {}, {ones}, [ones](const Slice& slice) {
        for (int r = 0; r < slice.count; ++r) ones->view(slice).row(r)[0] = 1;
      });
      return std::vector<Tensor<T>>{
          squared_error_loss(w.tape, "loss", w.layer(w.first, w.input), w.noise, weighted ? ones : nullptr)};
    };
  };
  CHECK(gradient_of<float>(on_cpu(), loss_of(true)) == gradient_of<float>(on_cpu(), loss_of(false)));
}

TEST_CASE("the gradient of an ensemble's extreme goes to the chosen member") {
  check_gradient(cases::ensemble_extremes, 22);  // critics 12, two of three judges 10
  // Equal members: the first one is chosen.
  std::vector<double> x(6, 1.0), d_out{2, 3}, d_x(6, 7.0);
  for (const bool maximum : {false, true})
    for (int r = 0; r < 2; ++r)
      EnsembleExtremeGradient<double>{
          {x.data(), 2, 3, 2, 1}, maximum, {d_out.data(), 2, 1, 2, 1}, {d_x.data(), 2, 3, 2, 1}, false}
          .row(r, 0, 1);
  CHECK(d_x == std::vector<double>{2, 3, 0, 0, 0, 0});
}
