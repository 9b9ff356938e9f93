#include "engine/optidice.h"

#include "engine/record_loss.h"
#include "engine/sampling.h"

namespace r2pac {
namespace {

template <class T>
DiceBatch<T> views(const Transitions<T>& b, const Slice& slice) {
  return {b.rewards->view(slice), b.costs->view(slice),       b.mask->view(slice),
          b.initial->view(slice), static_cast<T>(b.discount), static_cast<T>(b.initial_weight)};
}

/// The batch's columns and others, all of which must be columns.
template <class T>
std::vector<Tensor<T>> columns(const char* operation, const Transitions<T>& b,
                               const std::vector<Tensor<T>>& others) {
  std::vector<Tensor<T>> all = {b.rewards, b.costs, b.mask, b.initial};
  all.insert(all.end(), others.begin(), others.end());
  for (const Tensor<T> x : all)
    require_shape(operation, x->name.c_str(), {1, b.rewards->shape.rows, 1}, x->shape);
  return all;
}

}  // namespace

template <class T>
Ratios<T> dice_ratios(Tape<T>& tape, const Transitions<T>& batch, Tensor<T> multiplier, Tensor<T> nu,
                      Tensor<T> nu_next, double alpha) {
  const std::vector<Tensor<T>> reads = columns<T>("dice_ratios", batch, {multiplier, nu, nu_next});
  const Shape shape = nu->shape;
  const Ratios<T> ratios{tape.value("error", shape), tape.value("ratio", shape)};
  tape.row_operation("ratios", shape.rows, reads, {ratios.error, ratios.ratio}, [=](const Slice& slice) {
    return DiceRatio<T>{views(batch, slice),      multiplier->view(slice), nu->view(slice),
                        nu_next->view(slice),     static_cast<T>(alpha),   ratios.error->view(slice),
                        ratios.ratio->view(slice)};
  });
  return ratios;
}

template <class T>
Tensor<T> dice_loss(Tape<T>& tape, const std::string& name, const Transitions<T>& batch, Tensor<T> nu,
                    Tensor<T> nu_next, const Ratios<T>& ratios, double alpha) {
  const std::vector<Tensor<T>> reads =
      columns<T>("dice_loss", batch, {nu, nu_next, ratios.error, ratios.ratio});
  const auto gradient = [=](bool of_next) {
    return [=](const Slice& slice, T scale, View<T> d, View<T>, bool add) {
      return DiceGradient<T>{views(batch, slice), ratios.ratio->view(slice), of_next, scale, d, add};
    };
  };
  constexpr bool kOfThis = false, kOfNext = true;
  record_gradient<T>(tape, name, nu_next, reads, nullptr, gradient(kOfNext));
  return record_loss<T>(
      tape, name, nu, reads, nullptr,
      [=](const Slice& slice, View<T> loss, View<T>) {
        return DiceLoss<T>{views(batch, slice),       nu->view(slice),       ratios.error->view(slice),
                           ratios.ratio->view(slice), static_cast<T>(alpha), loss};
      },
      gradient(kOfThis));
}

template <class T>
CostBound<T> cost_bound(Tape<T>& tape, const std::string& name, const Transitions<T>& batch, Tensor<T> ratio,
                        Tensor<T> chi, Tensor<T> chi_next, Tensor<T> temperature, const StepState* state) {
  std::vector<Tensor<T>> reads = columns<T>("cost_bound", batch, {ratio, chi, chi_next, temperature});
  const Shape shape = chi->shape;
  const auto column = [&](const char* what) { return tape.value(name + " " + what, shape); };
  const Tensor<T> level = column("level"), logit = column("logit"), power = column("power"),
                  weight = column("weight"), weighted = column("weighted level"),
                  divergence = column("divergence"), cost = column("cost");
  tape.row_operation(name + " levels", shape.rows, reads, {level, logit}, [=](const Slice& slice) {
    return BoundLevel<T>{views(batch, slice),   ratio->view(slice),       chi->view(slice),
                         chi_next->view(slice), temperature->view(slice), level->view(slice),
                         logit->view(slice)};
  });
  constexpr double kGreatest = 1;
  const Tensor<T> greatest = batch_quantile(tape, name + " greatest", logit, kGreatest, state);
  tape.row_operation(name + " powers", shape.rows, {logit, greatest}, {power}, [=](const Slice& slice) {
    return BoundPower<T>{logit->view(slice), greatest->whole().data, power->view(slice)};
  });
  const Tensor<T> mean_power = batch_mean(tape, name + " mean power", power);
  tape.row_operation(
      name + " terms", shape.rows, {batch.costs, ratio, level, logit, power, greatest, mean_power},
      {weight, weighted, divergence, cost}, [=](const Slice& slice) {
        return BoundTerms<T>{views(batch, slice),      ratio->view(slice),  level->view(slice),
                             logit->view(slice),       power->view(slice),  greatest->whole().data,
                             mean_power->whole().data, weight->view(slice), weighted->view(slice),
                             divergence->view(slice),  cost->view(slice)};
      });
  const Tensor<T> mean_level = batch_mean(tape, name + " mean level", weighted);
  reads.insert(reads.end(), {level, weight, mean_level});
  for (const bool of_next : {false, true})
    record_gradient<T>(tape, name, of_next ? chi_next : chi, reads, nullptr,
                       [=](const Slice& slice, T scale, View<T> d, View<T>, bool add) {
                         return BoundGradient<T>{views(batch, slice),
                                                 ratio->view(slice),
                                                 temperature->view(slice),
                                                 level->view(slice),
                                                 weight->view(slice),
                                                 mean_level->whole().data,
                                                 of_next,
                                                 scale,
                                                 d,
                                                 add};
                       });
  return {sum_of_means(tape, name, weighted), batch_mean(tape, name + " mean divergence", divergence),
          batch_mean(tape, name + " mean cost", cost)};
}

template <class T>
Tensor<T> perturbed(Tape<T>& tape, Tensor<T> x, const T* deviation, double factor, Tensor<T> noise) {
  require_shape("perturbed", "noise", {1, x->shape.rows, x->shape.cols}, noise->shape);
  const Tensor<T> out = tape.value("perturbed", noise->shape);
  tape.row_operation("perturb", x->shape.rows, {x, noise}, {out}, [=](const Slice& slice) {
    return Perturb<T>{x->view(slice), noise->view(slice), deviation, static_cast<T>(factor),
                      out->view(slice)};
  });
  return out;
}

template <class T>
Tensor<T> before_tanh(Tape<T>& tape, Tensor<T> x) {
  const Tensor<T> out = tape.value("before tanh", x->shape);
  tape.row_operation("before tanh", x->shape.rows, {x}, {out}, [=](const Slice& slice) {
    return BeforeTanh<T>{x->view(slice), out->view(slice)};
  });
  return out;
}

template <class T>
Tensor<T> in_each_row(Tape<T>& tape, Tensor<T> x, int rows) {
  require_shape("in_each_row", "x", {1, 1, 1}, x->shape);
  const Tensor<T> out = tape.value(x->name + " of rows", {1, rows, 1});
  tape.row_operation("in each row", rows, {x}, {out}, [=](const Slice& slice) {
    return Broadcast<T>{x->whole().data, out->view(slice)};
  });
  return out;
}

#define R2_INSTANTIATE(T)                                                                                   \
  template Ratios<T> dice_ratios(Tape<T>&, const Transitions<T>&, Tensor<T>, Tensor<T>, Tensor<T>, double); \
  template Tensor<T> dice_loss(Tape<T>&, const std::string&, const Transitions<T>&, Tensor<T>, Tensor<T>,   \
                               const Ratios<T>&, double);                                                   \
  template CostBound<T> cost_bound(Tape<T>&, const std::string&, const Transitions<T>&, Tensor<T>,          \
                                   Tensor<T>, Tensor<T>, Tensor<T>, const StepState*);                      \
  template Tensor<T> perturbed(Tape<T>&, Tensor<T>, const T*, double, Tensor<T>);                           \
  template Tensor<T> before_tanh(Tape<T>&, Tensor<T>);                                                      \
  template Tensor<T> in_each_row(Tape<T>&, Tensor<T>, int);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
