#include "engine/losses.h"

#include "engine/record_loss.h"
#include "kernels/flow.h"
#include "kernels/gate.h"
#include "kernels/gaussian.h"

namespace r2pac {
template <class T>
Tensor<T> squared_error_loss(Tape<T>& tape, const std::string& name, Tensor<T> prediction, Tensor<T> target,
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
Tensor<T> expectile_loss(Tape<T>& tape, const std::string& name, Tensor<T> prediction, Tensor<T> target,
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
Tensor<T> flow_matching_loss(Tape<T>& tape, const std::string& name, Tensor<T> velocity, Tensor<T> noise,
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
Tensor<T> gaussian_loss(Tape<T>& tape, const std::string& name, Tensor<T> mean, Tensor<T> log_deviation,
                        Tensor<T> x, Tensor<T> weights, const DeviationRange<T>& range) {
  const Shape shape{1, mean->shape.rows, mean->shape.cols};
  require_shape("gaussian_loss", "mean", shape, mean->shape);
  require_shape("gaussian_loss", "log_deviation", shape, log_deviation->shape);
  require_shape("gaussian_loss", "x", shape, x->shape);
  constexpr bool kOfMean = false, kOfDeviation = true;
  const auto gradient = [=](bool of_deviation) {
    return [=](const Slice& slice, T scale, View<T> d, View<T> w, bool add) {
      return GaussianGradient<T>{mean->view(slice),
                                 log_deviation->view(slice),
                                 x->view(slice),
                                 of_deviation,
                                 scale,
                                 d,
                                 w,
                                 add,
                                 range};
    };
  };
  std::vector<Tensor<T>> reads = {mean, log_deviation, x};
  if (weights != nullptr) reads.push_back(weights);
  record_gradient(tape, name, log_deviation, reads, weights, gradient(kOfDeviation));
  return record_loss(
      tape, name, mean, {log_deviation, x}, weights,
      [=](const Slice& slice, View<T> loss, View<T> w) {
        return GaussianLoss<T>{mean->view(slice), log_deviation->view(slice), x->view(slice), loss, w, range};
      },
      gradient(kOfMean));
}

namespace {

template <class T>
std::vector<Tensor<T>> reads_of_gate(Tensor<T> q_reward, Tensor<T> q_cost, const Gate<T>& gate) {
  const Shape shape{1, q_reward->shape.rows, 1};
  for (const Tensor<T> x : {q_reward, q_cost, gate.v_cost, gate.share})
    require_shape("gate", x->name.c_str(), shape, x->shape);
  for (const Tensor<T> x : {gate.greatest_bound, gate.reward_square, gate.cost_square})
    require_shape("gate", x->name.c_str(), {1, 1, 1}, x->shape);
  return {q_reward,           q_cost,          gate.v_cost, gate.share, gate.greatest_bound,
          gate.reward_square, gate.cost_square};
}

template <class T>
GateTerms<T> gate_terms(Tensor<T> q_reward, Tensor<T> q_cost, const Gate<T>& gate, const Slice& slice) {
  return {q_reward->view(slice),
          q_cost->view(slice),
          gate.v_cost->view(slice),
          gate.share->view(slice),
          gate.greatest_bound->whole().data,
          gate.reward_square->whole().data,
          gate.cost_square->whole().data,
          static_cast<T>(gate.weight)};
}

}  // namespace

template <class T>
Tensor<T> gate_loss(Tape<T>& tape, const std::string& name, Tensor<T> q_reward, Tensor<T> q_cost,
                    const Gate<T>& gate) {
  const std::vector<Tensor<T>> reads = reads_of_gate(q_reward, q_cost, gate);
  constexpr bool kOfReward = false, kOfCost = true;
  const auto gradient = [=](bool of_cost) {
    return [=](const Slice& slice, T scale, View<T> d, View<T>, bool add) {
      return GateGradient<T>{gate_terms(q_reward, q_cost, gate, slice), of_cost, scale, d, add};
    };
  };
  record_gradient<T>(tape, name, q_cost, reads, nullptr, gradient(kOfCost));
  return record_loss<T>(
      tape, name, q_reward, reads, nullptr,
      [=](const Slice& slice, View<T> loss, View<T>) {
        return GateLoss<T>{gate_terms(q_reward, q_cost, gate, slice), loss};
      },
      gradient(kOfReward));
}

template <class T>
Tensor<T> gate_passed(Tape<T>& tape, Tensor<T> q_reward, Tensor<T> q_cost, const Gate<T>& gate) {
  const Tensor<T> passed = tape.value("passed", q_reward->shape);
  tape.row_operation("gate", q_reward->shape.rows, reads_of_gate(q_reward, q_cost, gate), {passed},
                     [=](const Slice& slice) {
                       return GatePassed<T>{gate_terms(q_reward, q_cost, gate, slice), passed->view(slice)};
                     });
  return passed;
}

template <class T>
Tensor<T> mean_square(Tape<T>& tape, const std::string& name, Tensor<T> prediction, Tensor<T> target) {
  const Shape shape{1, prediction->shape.rows, 1};
  require_shape("mean_square", "prediction", shape, prediction->shape);
  require_shape("mean_square", "target", shape, target->shape);
  const Tensor<T> squares = tape.value(name + " of rows", shape), mean = tape.value(name, {1, 1, 1});
  tape.row_operation(name + " of rows", shape.rows, {prediction, target}, {squares}, [=](const Slice& slice) {
    return SquaredError<T>{prediction->view(slice), target->view(slice), squares->view(slice)};
  });
  tape.tasks(name, 1, {squares}, {mean}, [=, &backend = tape.backend()](int, int, std::byte*) {
    backend.sum_of_means(squares->whole(), mean->whole().data);
  });
  return mean;
}

template <class T>
Tensor<T> sum_of_means(Tape<T>& tape, const std::string& name, Tensor<T> x) {
  require_shape("sum_of_means", name.c_str(), {x->shape.nets, x->shape.rows, 1}, x->shape);
  const Tensor<T> mean = tape.kept(name, {1, 1, 1});
  tape.deferred_tasks(name, 1, {x}, {mean}, [=, &backend = tape.backend()](int, int, std::byte*) {
    backend.sum_of_means(x->whole(), mean->whole().data);
  });
  return mean;
}

#define R2_INSTANTIATE(T)                                                                                    \
  template Tensor<T> squared_error_loss(Tape<T>&, const std::string&, Tensor<T>, Tensor<T>, Tensor<T>);      \
  template Tensor<T> expectile_loss(Tape<T>&, const std::string&, Tensor<T>, Tensor<T>, double, Side,        \
                                    Tensor<T>);                                                              \
  template Tensor<T> flow_matching_loss(Tape<T>&, const std::string&, Tensor<T>, Tensor<T>, Tensor<T>,       \
                                        Tensor<T>);                                                          \
  template Tensor<T> gaussian_loss(Tape<T>&, const std::string&, Tensor<T>, Tensor<T>, Tensor<T>, Tensor<T>, \
                                   const DeviationRange<T>&);                                                \
  template Tensor<T> gate_loss(Tape<T>&, const std::string&, Tensor<T>, Tensor<T>, const Gate<T>&);          \
  template Tensor<T> gate_passed(Tape<T>&, Tensor<T>, Tensor<T>, const Gate<T>&);                            \
  template Tensor<T> mean_square(Tape<T>&, const std::string&, Tensor<T>, Tensor<T>);                        \
  template Tensor<T> sum_of_means(Tape<T>&, const std::string&, Tensor<T>);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
