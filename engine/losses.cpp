#include "engine/losses.h"

#include "engine/operations.h"
#include "kernels/flow.h"

namespace r2pac {
namespace {

/// Records a loss. value(slice, loss, weights) makes the row operation of its rows' values,
/// gradient(slice, scale, d, weights, add) that of their gradient.
template <class T, class Value, class Gradient>
Tensor<T> record_loss(Tape<T>& tape, const char* name, Tensor<T> prediction, std::vector<Tensor<T>> reads,
                      Tensor<T> weights, Value value, Gradient gradient) {
  const int rows = prediction->shape.rows;
  reads.push_back(prediction);
  if (weights != nullptr) {
    require_shape(name, "weights", {1, rows, 1}, weights->shape);
    reads.push_back(weights);
  }
  const auto weights_of = [weights](const Slice& slice) {
    return weights != nullptr ? weights->view(slice) : View<T>{};
  };
  const Tensor<T> loss = tape.value(name, {prediction->shape.nets, rows, 1});
  tape.row_operation(name, rows, reads, {loss},
                     [=](const Slice& slice) { return value(slice, loss->view(slice), weights_of(slice)); });
  if (prediction->requires_gradient) {
    want_all_columns(prediction);
    tape.on_backward(nullptr, [=, &tape]() mutable {
      const bool add = !tape.first_contribution(prediction);
      const Tensor<T> d = tape.gradient(prediction);
      const T scale = T(1) / static_cast<T>(rows);  // the mean's derivative
      if (add) reads.push_back(d);
      tape.row_operation(
          std::string(name).append(" backward"), prediction->gradient_rows, reads, {d},
          [=](const Slice& slice) { return gradient(slice, scale, d->view(slice), weights_of(slice), add); });
    });
  }
  return sum_of_means(tape, name, loss);
}

}  // namespace

template <class T>
Tensor<T> squared_error_loss(Tape<T>& tape, const char* name, Tensor<T> prediction, Tensor<T> target,
                             Tensor<T> weights) {
  Shape expected = prediction->shape;
  if (target->shape.nets == 1) expected.nets = 1;
  require_shape("squared_error_loss", "target", expected, target->shape);
  return record_loss(
      tape, name, prediction, {target}, weights,
      [=](const Slice& slice, View<T> loss, View<T> w) {
        return SquaredError<T>{prediction->view(slice), target->view(slice), loss, w};
      },
      [=](const Slice& slice, T scale, View<T> d, View<T> w, bool add) {
        return SquaredErrorGradient<T>{prediction->view(slice), target->view(slice), scale, d, w, add};
      });
}

template <class T>
Tensor<T> expectile_loss(Tape<T>& tape, const char* name, Tensor<T> prediction, Tensor<T> target,
                         double expectile, Side side, Tensor<T> weights) {
  const Shape shape = prediction->shape;
  require_shape("expectile_loss", "prediction", {1, shape.rows, 1}, shape);
  require_shape("expectile_loss", "target", shape, target->shape);
  const T tau = static_cast<T>(expectile);
  return record_loss(
      tape, name, prediction, {target}, weights,
      [=](const Slice& slice, View<T> loss, View<T> w) {
        return ExpectileLoss<T>{prediction->view(slice), target->view(slice), tau, side, loss, w};
      },
      [=](const Slice& slice, T scale, View<T> d, View<T> w, bool add) {
        return ExpectileGradient<T>{
            prediction->view(slice), target->view(slice), tau, side, scale, d, w, add};
      });
}

template <class T>
Tensor<T> flow_matching_loss(Tape<T>& tape, const char* name, Tensor<T> velocity, Tensor<T> noise,
                             Tensor<T> actions, Tensor<T> weights) {
  const Shape shape{1, velocity->shape.rows, velocity->shape.cols};
  require_shape("flow_matching_loss", "velocity", shape, velocity->shape);
  require_shape("flow_matching_loss", "noise", shape, noise->shape);
  require_shape("flow_matching_loss", "actions", shape, actions->shape);
  return record_loss(
      tape, name, velocity, {noise, actions}, weights,
      [=](const Slice& slice, View<T> loss, View<T> w) {
        return FlowLoss<T>{velocity->view(slice), noise->view(slice), actions->view(slice), loss, w};
      },
      [=](const Slice& slice, T scale, View<T> d, View<T> w, bool add) {
        return FlowLossGradient<T>{
            velocity->view(slice), noise->view(slice), actions->view(slice), scale, d, w, add};
      });
}

template <class T>
Tensor<T> sum_of_means(Tape<T>& tape, const char* name, Tensor<T> x) {
  require_shape("sum_of_means", name, {x->shape.nets, x->shape.rows, 1}, x->shape);
  const Tensor<T> mean = tape.kept(name, {1, 1, 1});
  tape.deferred_tasks(name, 1, {x}, {mean}, [=, &schedules = tape.schedules()](int, int, std::byte*) {
    schedules.sum_of_means(x->whole(), mean->whole().data);
  });
  return mean;
}

#define R2_INSTANTIATE(T)                                                                                   \
  template Tensor<T> squared_error_loss(Tape<T>&, const char*, Tensor<T>, Tensor<T>, Tensor<T>);            \
  template Tensor<T> expectile_loss(Tape<T>&, const char*, Tensor<T>, Tensor<T>, double, Side, Tensor<T>);  \
  template Tensor<T> flow_matching_loss(Tape<T>&, const char*, Tensor<T>, Tensor<T>, Tensor<T>, Tensor<T>); \
  template Tensor<T> sum_of_means(Tape<T>&, const char*, Tensor<T>);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
