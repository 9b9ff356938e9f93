#include "engine/sampling.h"

#include "base/error.h"
#include "engine/record_loss.h"

namespace r2pac {
namespace {

template <class T>
const T* data_or_none(Tensor<T> x) {
  return x != nullptr ? x->whole().data : nullptr;
}

}  // namespace

template <class T>
Tensor<T> normal_noise(Tape<T>& tape, int rows, int cols, std::uint64_t seed, const StepState* state,
                       int which) {
  constexpr int kMost = 1 << 16;
  if (cols > kMost || which < 0 || which >= kMost)
    throw InvalidArgument("normal_noise: at most 2^16 columns, and `which` in [0, 2^16)");
  const Tensor<T> noise = tape.value("normal noise", {1, rows, cols});
  tape.row_operation("normal noise", rows, {tape.place(state)}, {noise}, [=](const Slice& slice) {
    return DrawNormal<T>{seed, state, slice.first, which, noise->view(slice)};
  });
  return noise;
}

template <class T>
Tensor<T> gaussian_sample(Tape<T>& tape, Tensor<T> mean, Tensor<T> log_deviation, Tensor<T> noise,
                          const DeviationRange<T>& range) {
  const Shape shape{1, mean->shape.rows, mean->shape.cols};
  require_shape("gaussian_sample", "mean", shape, mean->shape);
  require_shape("gaussian_sample", "log_deviation", shape, log_deviation->shape);
  require_shape("gaussian_sample", "noise", shape, noise->shape);
  const bool of_mean = tape.gradient_enabled() && mean->requires_gradient,
             of_deviation = tape.gradient_enabled() && log_deviation->requires_gradient;
  const Tensor<T> sample = tape.value("sample", shape, of_mean || of_deviation);
  tape.row_operation("gaussian sample", shape.rows, {mean, log_deviation, noise}, {sample},
                     [=](const Slice& slice) {
                       return GaussianSample<T>{mean->view(slice), log_deviation->view(slice),
                                                noise->view(slice), range, sample->view(slice)};
                     });
  if (of_mean) {
    want_all_columns(mean);
    tape.on_backward(sample, [=, &tape] {
      const bool add = !tape.first_contribution(mean);
      const Tensor<T> d_sample = tape.gradient(sample), d = tape.gradient(mean);
      tape.row_operation("sample backward", shape.rows, {d_sample, d}, {d}, [=](const Slice& slice) {
        return CopyColumnsGradient<T>{d_sample->view(slice), 0, d->view(slice), add};
      });
    });
  }
  if (of_deviation) {
    want_all_columns(log_deviation);
    tape.on_backward(sample, [=, &tape] {
      const bool add = !tape.first_contribution(log_deviation);
      const Tensor<T> d_sample = tape.gradient(sample), d = tape.gradient(log_deviation);
      tape.row_operation(
          "sample backward", shape.rows, {d_sample, log_deviation, noise, d}, {d}, [=](const Slice& slice) {
            return GaussianSampleGradient<T>{log_deviation->view(slice), noise->view(slice), range,
                                             d_sample->view(slice),      d->view(slice),     add};
          });
    });
  }
  return sample;
}

template <class T>
Tensor<T> divergence(Tape<T>& tape, Tensor<T> mean, Tensor<T> log_deviation, const DeviationRange<T>& range) {
  require_shape("divergence", "log_deviation", mean->shape, log_deviation->shape);
  const Tensor<T> out = tape.value("divergence", {1, mean->shape.rows, 1});
  tape.row_operation("divergence", mean->shape.rows, {mean, log_deviation}, {out}, [=](const Slice& slice) {
    return Divergence<T>{mean->view(slice), log_deviation->view(slice), range, out->view(slice)};
  });
  return out;
}

template <class T>
Tensor<T> divergence_loss(Tape<T>& tape, const std::string& name, Tensor<T> mean, Tensor<T> log_deviation,
                          const DeviationRange<T>& range, double factor) {
  const Tensor<T> value = divergence(tape, mean, log_deviation, range);
  for (const bool of_deviation : {false, true})
    record_gradient<T>(tape, name, of_deviation ? log_deviation : mean, {mean, log_deviation}, nullptr,
                       [=](const Slice& slice, T scale, View<T> d, View<T>, bool add) {
                         return DivergenceGradient<T>{mean->view(slice),
                                                      log_deviation->view(slice),
                                                      range,
                                                      of_deviation,
                                                      scale * static_cast<T>(factor),
                                                      d,
                                                      add};
                       });
  return linear_loss(tape, name, value, factor);
}

template <class T>
Tensor<T> limited_backup(Tape<T>& tape, const std::string& name, Tensor<T> earned, Tensor<T> mask,
                         Tensor<T> value, double discount, Tensor<T> cost, Tensor<T> limit) {
  const Shape shape{1, earned->shape.rows, 1};
  std::vector<Tensor<T>> reads = {earned, value};
  if (mask != nullptr) reads.push_back(mask);
  if (cost != nullptr) reads.push_back(cost);
  for (const Tensor<T> x : reads) require_shape("limited_backup", x->name.c_str(), shape, x->shape);
  if ((cost == nullptr) != (limit == nullptr))
    throw InvalidArgument("limited_backup: a cost has a limit, and a limit a cost");
  if (limit != nullptr) reads.push_back(limit);
  const Tensor<T> target = tape.value(name, shape);
  tape.row_operation(name, shape.rows, reads, {target}, [=](const Slice& slice) {
    return LimitedBackup<T>{earned->view(slice),  rows_of(mask, slice), value->view(slice),
                            rows_of(cost, slice), data_or_none(limit),  static_cast<T>(discount),
                            target->view(slice)};
  });
  return target;
}

template <class T>
Tensor<T> linear_loss(Tape<T>& tape, const std::string& name, Tensor<T> x, double factor, Tensor<T> weights,
                      Tensor<T> log_factor) {
  require_shape("linear_loss", "x", {1, x->shape.rows, 1}, x->shape);
  const auto loss_of = [=](const Slice& slice, View<T> loss, View<T> w) {
    return LinearLoss<T>{x->view(slice), w, loss, static_cast<T>(factor), data_or_none(log_factor)};
  };
  std::vector<Tensor<T>> reads;
  if (log_factor != nullptr) reads.push_back(log_factor);
  return record_loss(tape, name, x, reads, weights, loss_of,
                     [=](const Slice& slice, T scale, View<T> d, View<T> w, bool add) {
                       return LinearLossGradient<T>{loss_of(slice, View<T>{}, w), scale, d, add};
                     });
}

template <class T>
Tensor<T> mean_of_far(Tape<T>& tape, Tensor<T> x, Tensor<T> distance, Tensor<T> bound) {
  const Shape shape{1, x->shape.rows, x->shape.cols};
  require_shape("mean_of_far", "x", shape, x->shape);
  require_shape("mean_of_far", "distance", shape, distance->shape);
  require_shape("mean_of_far", "bound", {1, 1, 1}, bound->shape);
  const bool wanted = tape.gradient_enabled() && x->requires_gradient;
  const Tensor<T> out = tape.value("mean of far", {1, shape.rows, 1}, wanted);
  tape.row_operation("mean of far", shape.rows, {x, distance, bound}, {out}, [=](const Slice& slice) {
    return MeanOfFar<T>{x->view(slice), distance->view(slice), bound->whole().data, out->view(slice)};
  });
  if (!wanted) return out;
  want_all_columns(x);
  tape.on_backward(out, [=, &tape] {
    const bool add = !tape.first_contribution(x);
    const Tensor<T> d_out = tape.gradient(out), d_x = tape.gradient(x);
    tape.row_operation("mean of far backward", shape.rows, {distance, bound, d_out, d_x}, {d_x},
                       [=](const Slice& slice) {
                         return MeanOfFarGradient<T>{distance->view(slice), bound->whole().data,
                                                     d_out->view(slice), d_x->view(slice), add};
                       });
  });
  return out;
}

template <class T>
Tensor<T> batch_mean(Tape<T>& tape, const std::string& name, Tensor<T> x) {
  require_shape("batch_mean", "x", {1, x->shape.rows, 1}, x->shape);
  const Tensor<T> mean = tape.value(name, {1, 1, 1});
  tape.tasks(name, 1, {x}, {mean}, [=, &backend = tape.backend()](int, int, std::byte*) {
    backend.sum_of_means(x->whole(), mean->whole().data);
  });
  return mean;
}

template <class T>
Tensor<T> batch_quantile(Tape<T>& tape, const std::string& name, Tensor<T> x, double alpha,
                         const StepState* state) {
  require_shape("batch_quantile", "x", {1, x->shape.rows, x->shape.cols}, x->shape);
  constexpr double kKeepNothing = 0;
  const int values = x->shape.rows * x->shape.cols;
  const Tensor<T> quantile = tape.value(name, {1, 1, 1});
  tape.tasks(
      name, 1, {x, tape.place(state)}, {quantile},
      [=, &backend = tape.backend()](int, int, std::byte* scratch) {
        const View<T> column{x->whole().data, 0, 1, values, 1};  // all values below each other
        backend.update_threshold(column, alpha, kKeepNothing, state, 0, quantile->whole().data,
                                 reinterpret_cast<T*>(scratch));
      },
      static_cast<std::size_t>(values) * sizeof(T));
  return quantile;
}

template <class T>
void dual_ascent(Tape<T>& tape, Tensor<T> log, Tensor<T> measured, double rate, double goal, double bound) {
  for (const Tensor<T> x : {log, measured})
    require_shape("dual_ascent", x->name.c_str(), {1, 1, 1}, x->shape);
  tape.tasks("dual ascent", 1, {log, measured}, {log}, [=, &backend = tape.backend()](int, int, std::byte*) {
    backend.rows(
        RowOperation<T>(DualAscent<T>{log->whole().data, measured->whole().data, static_cast<T>(rate),
                                      static_cast<T>(goal), static_cast<T>(bound)}),
        1);
  });
}

#define R2_INSTANTIATE(T)                                                                                  \
  template Tensor<T> normal_noise(Tape<T>&, int, int, std::uint64_t, const StepState*, int);               \
  template Tensor<T> gaussian_sample(Tape<T>&, Tensor<T>, Tensor<T>, Tensor<T>, const DeviationRange<T>&); \
  template Tensor<T> divergence(Tape<T>&, Tensor<T>, Tensor<T>, const DeviationRange<T>&);                 \
  template Tensor<T> divergence_loss(Tape<T>&, const std::string&, Tensor<T>, Tensor<T>,                   \
                                     const DeviationRange<T>&, double);                                    \
  template Tensor<T> limited_backup(Tape<T>&, const std::string&, Tensor<T>, Tensor<T>, Tensor<T>, double, \
                                    Tensor<T>, Tensor<T>);                                                 \
  template Tensor<T> linear_loss(Tape<T>&, const std::string&, Tensor<T>, double, Tensor<T>, Tensor<T>);   \
  template Tensor<T> mean_of_far(Tape<T>&, Tensor<T>, Tensor<T>, Tensor<T>);                               \
  template Tensor<T> batch_mean(Tape<T>&, const std::string&, Tensor<T>);                                  \
  template Tensor<T> batch_quantile(Tape<T>&, const std::string&, Tensor<T>, double, const StepState*);    \
  template void dual_ascent(Tape<T>&, Tensor<T>, Tensor<T>, double, double, double);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
