#include "engine/operations.h"

#include <algorithm>

#include "base/error.h"

namespace r2pac {

void require_shape(const char* operation, const char* argument, const Shape& expected, const Shape& actual) {
  if (expected == actual) return;
  throw InvalidArgument(std::string(operation) + ": `" + argument + "` must have the shape " +
                        to_string(expected) + ", not " + to_string(actual));
}

namespace {

template <class T>
DenseWeights<T> weights_of(const Parameters<T>& parameters, const DenseLayer& layer,
                           const typename Parameters<T>::Pack* pack) {
  const auto stride = [&](int index) { return parameters.entry(index).net_size(); };
  return {parameters.value(layer.weight, layer.first),
          stride(layer.weight),
          parameters.value(layer.bias, layer.first),
          stride(layer.bias),
          pack != nullptr ? pack->net(layer.first) : nullptr,
          pack != nullptr ? pack->net_size : 0,
          layer.in,
          layer.out,
          layer.place};
}

/// What an application learns, and whether it passes a gradient on to its argument x.
template <class T>
struct Wanted {
  bool parameters, argument;
  Wanted(const Tape<T>& tape, const Parameters<T>& p, const Variable<T>& x, Gradient gradient)
      : parameters(tape.gradient_enabled() && gradient == Gradient::learn && p.trainable()),
        argument(tape.gradient_enabled() && gradient != Gradient::constant && x.requires_gradient) {}
  explicit operator bool() const { return parameters || argument; }
};

/// The result of an element-wise operation on x: a gradient concerns the same members and rows.
template <class T>
Tensor<T> value_like(Tape<T>& tape, const char* name, Tensor<T> x) {
  const Tensor<T> y = tape.value(name, x->shape, tape.gradient_enabled() && x->requires_gradient);
  y->gradient_nets = x->gradient_nets;
  y->gradient_rows = x->gradient_rows;
  if (y->requires_gradient) want_all_columns(x);
  return y;
}

/// d_x += d_y * factor, when the gradient of y is taken.
template <class T>
void multiply_gradient(Tape<T>& tape, Tensor<T> x, Tensor<T> y, Tensor<T> factor) {
  if (!y->requires_gradient) return;
  tape.on_backward(y, [=, &tape] {
    const bool add = !tape.first_contribution(x);
    const Tensor<T> d_y = tape.gradient(y), d_x = tape.gradient(x);
    tape.row_operation("multiply gradient", x->gradient_rows, {d_y, factor, d_x}, {d_x},
                       [=](const Slice& slice) {
                         return Product<T>{d_y->view(slice), factor->view(slice), d_x->view(slice), add};
                       });
  });
}

/// The members and rows of an argument that a gradient of `nets` members and `rows` rows concerns.
template <class T>
View<T> leading(View<T> x, int nets, int rows) {
  x.nets = std::min(x.nets, nets);
  x.rows = rows;
  return x;
}

/// Records the gradients of a dense layer, given that of its result.
template <class T>
void record_dense_backward(Tape<T>& tape, Parameters<T>& parameters, const DenseLayer& layer, Tensor<T> x,
                           Tensor<T> y, Tensor<T> slope, Wanted<T> wants) {
  const Backend<T>& backend = tape.backend();
  const int nets = y->gradient_nets, rows = y->gradient_rows;
  const Tensor<T> d_y = tape.gradient(y);
  // The gradient before the activation takes the slope's place: the weight gradient will read it there.
  const Tensor<T> d_sum = slope != nullptr ? slope : d_y;
  if (slope != nullptr)
    tape.rows("activation backward", rows, {d_y, slope}, {slope},
              [=, &backend](const Slice& slice) { backend.scale(d_y->view(slice), slope->view(slice)); });
  if (wants.argument) {
    const Tensor<T> d_x = tape.gradient(x);
    const bool add = !tape.first_contribution(x);
    const int first_row = x->gradient_begin, wanted = x->gradient_end - x->gradient_begin;
    const auto* pack =
        parameters.pack(layer, first_row, wanted, PackLayout::transposed, tape.device().precision());
    const Tensor<T> weight = tape.place(parameters.entry(layer.weight).place);
    tape.rows(
        "dense backward", rows, {d_sum, weight, d_x}, {d_x}, [=, &backend, &parameters](const Slice& slice) {
          backend.dense_input_gradient(
              {d_sum->view(slice), weights_of(parameters, layer, pack), first_row, d_x->view(slice), add});
        });
  }
  if (!wants.parameters) return;
  const Tensor<T> d_weight =
      tape.parameter_gradient(parameters.entry(layer.weight).name, {nets, layer.in, layer.out},
                              parameters.gradient(layer.weight, layer.first));
  const bool add_weights = !tape.first_contribution(d_weight);
  tape.deferred_tasks(
      "weight gradient", nets, {x, d_sum}, {d_weight},
      [=, &backend, &parameters](int first, int count, std::byte* scratch) {
        const auto some = [&](View<T> all) {
          all = leading(all, nets, rows);
          if (all.nets > 1 || nets == 1) all = {all.net(first), all.net_stride, count, all.rows, all.cols};
          return all;
        };
        backend.dense_weight_gradient(
            {some(x->whole()), some(d_sum->whole()), parameters.gradient(layer.weight, layer.first + first),
             parameters.entry(layer.weight).net_size(), parameters.gradient(layer.bias, layer.first + first),
             parameters.entry(layer.bias).net_size(), layer.place, add_weights},
            scratch);
      },
      backend.weight_gradient_scratch(rows, layer.in, layer.out, layer.place));
}

}  // namespace

template <class T>
Tensor<T> dense_layer(Tape<T>& tape, Parameters<T>& parameters, const DenseLayer& layer, Tensor<T> x,
                      Activation activation, Gradient gradient) {
  const int rows = x->shape.rows;
  require_shape("dense_layer", "x", {x->shape.nets == 1 ? 1 : layer.nets, rows, layer.in}, x->shape);
  const Wanted<T> wants(tape, parameters, *x, gradient);
  const Tensor<T> y =
      tape.value(parameters.entry(layer.weight).name, {layer.nets, rows, layer.out}, bool(wants));
  if (wants.parameters)
    y->gradient_nets = std::min(layer.nets, parameters.entry(layer.weight).shape.nets - layer.first);
  if (x->shape.nets > 1) y->gradient_nets = std::min(y->gradient_nets, x->gradient_nets);
  y->gradient_rows = x->gradient_rows;
  const Tensor<T> slope = wants && activation != Activation::identity
                              ? tape.value("slope", {y->gradient_nets, y->gradient_rows, layer.out})
                              : nullptr;
  const auto* pack = parameters.pack(layer, 0, layer.in, PackLayout::plain, tape.device().precision());
  std::vector<Tensor<T>> writes = {y};
  if (slope != nullptr) writes.push_back(slope);
  const Backend<T>& backend = tape.backend();
  const Tensor<T> weight = tape.place(parameters.entry(layer.weight).place);
  tape.rows("dense", rows, {x, weight}, writes, [=, &backend, &parameters](const Slice& slice) {
    View<T> slopes;
    if (slope != nullptr)
      slopes = leading(slope->view(slice), y->gradient_nets, std::min(slice.count, y->gradient_rows));
    backend.dense({x->view(slice), weights_of(parameters, layer, pack), activation, y->view(slice), slopes});
  });
  if (wants)
    tape.on_backward(
        y, [=, &tape, &parameters] { record_dense_backward(tape, parameters, layer, x, y, slope, wants); });
  return y;
}

template <class T>
Tensor<T> activate(Tape<T>& tape, Tensor<T> x, Activation activation) {
  const Tensor<T> y = value_like(tape, "activation", x);
  const Tensor<T> slope = y->requires_gradient
                              ? tape.value("slope", {y->gradient_nets, y->gradient_rows, y->shape.cols})
                              : nullptr;
  std::vector<Tensor<T>> writes = {y};
  if (slope != nullptr) writes.push_back(slope);
  tape.rows("activation", x->shape.rows, {x}, writes, [=, &backend = tape.backend()](const Slice& slice) {
    View<T> slopes;
    if (slope != nullptr)
      slopes = leading(slope->view(slice), y->gradient_nets, std::min(slice.count, y->gradient_rows));
    backend.activate(x->view(slice), activation, y->view(slice), slopes);
  });
  multiply_gradient(tape, x, y, slope);
  return y;
}

template <class T>
Tensor<T> add(Tape<T>& tape, Tensor<T> x, Tensor<T> y) {
  require_shape("add", "y", x->shape, y->shape);
  const Tensor<T> sum = tape.value("sum", x->shape);
  sum->gradient_nets = sum->gradient_rows = 0;
  tape.row_operation("add", x->shape.rows, {x, y}, {sum}, [=](const Slice& slice) {
    return Sum<T>{x->view(slice), y->view(slice), sum->view(slice)};
  });
  for (const Tensor<T> part : {x, y}) {
    if (!part->requires_gradient || !tape.gradient_enabled()) continue;
    want_all_columns(part);
    sum->requires_gradient = true;
    sum->gradient_nets = std::max(sum->gradient_nets, part->gradient_nets);
    sum->gradient_rows = std::max(sum->gradient_rows, part->gradient_rows);
    tape.on_backward(sum, [=, &tape] {
      const bool accumulate = !tape.first_contribution(part);
      const Tensor<T> d_sum = tape.gradient(sum), d = tape.gradient(part);
      tape.row_operation("add backward", part->gradient_rows, {d_sum, d}, {d}, [=](const Slice& slice) {
        return CopyColumnsGradient<T>{d_sum->view(slice), 0, d->view(slice), accumulate};
      });
    });
  }
  return sum;
}

template <class T>
Tensor<T> dropout_factors(Tape<T>& tape, const Shape& shape, double dropped, std::uint64_t seed,
                          const StepState* state, int which) {
  if (!(dropped >= 0 && dropped < 1)) throw InvalidArgument("dropout: `dropped` must be in [0, 1)");
  if (which < 0 || which >= 4096) throw InvalidArgument("dropout: `which` must be in [0, 4096)");
  if (shape.nets * ((shape.cols + 3) / 4) > 1 << 18)
    throw InvalidArgument("dropout: `x` has too many columns: " + to_string(shape));
  const Tensor<T> factor = tape.value("dropout", shape);
  tape.row_operation("draw dropout", shape.rows, {tape.place(state)}, {factor}, [=](const Slice& slice) {
    return DrawDropout<T>{seed, state, slice.first, which, static_cast<float>(dropped), factor->view(slice)};
  });
  return factor;
}

template <class T>
Tensor<T> dropout(Tape<T>& tape, Tensor<T> x, double dropped, std::uint64_t seed, const StepState* state,
                  int which) {
  return drop_out(tape, x, dropout_factors(tape, x->shape, dropped, seed, state, which));
}

template <class T>
Tensor<T> drop_out(Tape<T>& tape, Tensor<T> x, Tensor<T> factor) {
  require_shape("drop_out", "factors", x->shape, factor->shape);
  const Tensor<T> y = value_like(tape, "dropped out", x);
  tape.row_operation("dropout", x->shape.rows, {x, factor}, {y}, [=](const Slice& slice) {
    return Product<T>{x->view(slice), factor->view(slice), y->view(slice)};
  });
  multiply_gradient(tape, x, y, factor);
  return y;
}

template <class T>
Tensor<T> layer_norm(Tape<T>& tape, Parameters<T>& parameters, const NormLayer& layer, Tensor<T> x,
                     Gradient gradient) {
  const Shape shape = x->shape;
  const Shape gains{layer.nets, 1, parameters.entry(layer.gain).shape.cols};
  require_shape("layer_norm", "gain", {shape.nets, 1, shape.cols}, gains);
  const Wanted<T> wants(tape, parameters, *x, gradient);
  const bool learns(wants);
  if (wants.argument) want_all_columns(x);
  const Tensor<T> y = tape.value("normalised", shape, learns);
  const Tensor<T> unit = learns ? tape.value("unit", shape) : nullptr;
  const Tensor<T> inverse = learns ? tape.value("inverse deviation", {shape.nets, shape.rows, 1}) : nullptr;
  std::vector<Tensor<T>> writes = {y};
  if (learns) writes.insert(writes.end(), {unit, inverse});
  const std::size_t stride = parameters.entry(layer.gain).net_size();
  const Backend<T>& backend = tape.backend();
  const Tensor<T> gain = tape.place(parameters.entry(layer.gain).place);
  tape.rows("layer_norm", shape.rows, {x, gain}, writes, [=, &backend, &parameters](const Slice& slice) {
    backend.layer_norm({x->view(slice), parameters.value(layer.gain, layer.first),
                        parameters.value(layer.bias, layer.first), stride, y->view(slice),
                        learns ? unit->view(slice) : View<T>{}, learns ? inverse->view(slice) : View<T>{},
                        static_cast<T>(layer.epsilon)});
  });
  if (!learns) return y;
  tape.on_backward(y, [=, &tape, &backend, &parameters] {
    const Tensor<T> d_y = tape.gradient(y);
    if (wants.parameters) {
      const Tensor<T> d_gain = tape.parameter_gradient(parameters.entry(layer.gain).name, gains,
                                                       parameters.gradient(layer.gain, layer.first));
      const bool add = !tape.first_contribution(d_gain);
      tape.deferred_tasks("layer_norm gains", shape.nets, {d_y, unit}, {d_gain},
                          [=, &backend, &parameters](int first, int count, std::byte*) {
                            const auto some = [&](View<T> all) {
                              return View<T>{all.net(first), all.net_stride, count, all.rows, all.cols};
                            };
                            backend.layer_norm_gains(some(d_y->whole()), some(unit->whole()),
                                                     parameters.gradient(layer.gain, layer.first + first),
                                                     parameters.gradient(layer.bias, layer.first + first),
                                                     stride, add);
                          });
    }
    if (!wants.argument) return;
    const bool add = !tape.first_contribution(x);
    const Tensor<T> d_x = tape.gradient(x);
    tape.rows(
        "layer_norm backward", shape.rows, {d_y, gain, unit, inverse, d_x}, {d_x},
        [=, &backend, &parameters](const Slice& slice) {
          backend.layer_norm_gradient({d_y->view(slice), parameters.value(layer.gain, layer.first), stride,
                                       unit->view(slice), inverse->view(slice), d_x->view(slice), add});
        });
  });
  return y;
}

template <class T>
Tensor<T> concatenate(Tape<T>& tape, const std::vector<Tensor<T>>& parts) {
  if (parts.empty()) throw InvalidArgument("concatenate: no parts");
  Shape shape{1, parts.front()->shape.rows, 0};
  for (const Tensor<T> part : parts) {
    require_shape("concatenate", part->name.c_str(), {1, shape.rows, part->shape.cols}, part->shape);
    shape.cols += part->shape.cols;
  }
  const Tensor<T> joined = tape.value("concatenation", shape);
  joined->gradient_end = 0;
  int column = 0;
  for (const Tensor<T> part : parts) {
    const int first = column;
    tape.row_operation("concatenate", shape.rows, {part}, {joined}, [=](const Slice& slice) {
      return CopyColumns<T>{part->view(slice), joined->view(slice), first};
    });
    column += part->shape.cols;
    if (!part->requires_gradient || !tape.gradient_enabled()) continue;
    if (!joined->requires_gradient) joined->gradient_begin = first;
    if (joined->requires_gradient && joined->gradient_end != first)
      throw InvalidArgument("concatenate: the parts that want a gradient must be neighbours");
    joined->requires_gradient = true;
    joined->gradient_end = column;
    tape.on_backward(joined, [=, &tape] {
      const Tensor<T> d_joined = tape.gradient(joined), d_part = tape.gradient(part);
      const bool add = !tape.first_contribution(part);
      const int offset = first - joined->gradient_begin;
      tape.row_operation(
          "concatenate backward", shape.rows, {d_joined, d_part}, {d_part}, [=](const Slice& slice) {
            return CopyColumnsGradient<T>{d_joined->view(slice), offset, d_part->view(slice), add};
          });
    });
  }
  return joined;
}

template <class T>
Tensor<T> filled(Tape<T>& tape, const std::string& name, Shape shape, double value) {
  const Tensor<T> x = tape.value(name, shape);
  tape.row_operation(name, shape.rows, {}, {x}, [x, value](const Slice& slice) {
    return Fill<T>{static_cast<T>(value), x->view(slice)};
  });
  return x;
}

template <class T>
Tensor<T> embedding(Tape<T>& tape, Parameters<T>& parameters, int table, Tensor<T> label, Gradient gradient) {
  const Shape entry = parameters.entry(table).shape;
  require_shape("embedding", "label", {1, label->shape.rows, 1}, label->shape);
  const bool learns = Wanted<T>(tape, parameters, *label, gradient).parameters;
  const Tensor<T> rows = tape.value(parameters.entry(table).name, {1, label->shape.rows, entry.cols}, learns);
  tape.row_operation("embedding", label->shape.rows, {label, tape.place(parameters.entry(table).place)},
                     {rows}, [=, &parameters](const Slice& slice) {
                       return Embed<T>{parameters.value(table), label->view(slice), rows->view(slice)};
                     });
  if (learns)
    tape.on_backward(rows, [=, &tape, &parameters] {
      const Tensor<T> d_rows = tape.gradient(rows);
      const Tensor<T> d_table =
          tape.parameter_gradient(parameters.entry(table).name, entry, parameters.gradient(table));
      const bool add = !tape.first_contribution(d_table);
      tape.deferred_tasks("embedding backward", 1, {label, d_rows}, {d_table},
                          [=, &backend = tape.backend(), &parameters](int, int, std::byte*) {
                            backend.embed_backward(label->whole(), d_rows->whole(), entry.rows,
                                                   parameters.gradient(table), add);
                          });
    });
  return rows;
}

template <class T>
Tensor<T> free_vector(Tape<T>& tape, Parameters<T>& parameters, int entry, int rows, Gradient gradient) {
  const Shape shape = parameters.entry(entry).shape;
  require_shape("free_vector", parameters.entry(entry).name.c_str(), {1, 1, shape.cols}, shape);
  const bool learns = tape.gradient_enabled() && gradient == Gradient::learn && parameters.trainable();
  const Tensor<T> vector = tape.value(parameters.entry(entry).name, {1, rows, shape.cols}, learns);
  tape.row_operation("free vector", rows, {tape.place(parameters.entry(entry).place)}, {vector},
                     [=, &parameters](const Slice& slice) {
                       return Broadcast<T>{parameters.value(entry), vector->view(slice)};
                     });
  if (learns)
    tape.on_backward(vector, [=, &tape, &parameters] {
      const Tensor<T> d = tape.gradient(vector);
      const Tensor<T> d_entry =
          tape.parameter_gradient(parameters.entry(entry).name, shape, parameters.gradient(entry));
      const bool add = !tape.first_contribution(d_entry);
      tape.deferred_tasks("free vector backward", 1, {d}, {d_entry},
                          [=, &backend = tape.backend()](int, int, std::byte*) {
                            backend.sum_rows(d->whole(), d_entry->whole().data, add);
                          });
    });
  return vector;
}

namespace {

constexpr bool kMinimum = false, kMaximum = true;

template <class T>
Tensor<T> ensemble_reduction(Tape<T>& tape, Tensor<T> x, bool maximum) {
  const char* name = maximum ? "ensemble_max" : "ensemble_min";
  require_shape(name, "x", {x->shape.nets, x->shape.rows, 1}, x->shape);
  const bool wanted = tape.gradient_enabled() && x->requires_gradient;
  if (wanted && x->gradient_nets < x->shape.nets)
    throw InvalidArgument(std::string(name) + ": some members of `" + x->name + "` are constants");
  const Tensor<T> out = tape.value(name, {1, x->shape.rows, 1}, wanted);
  tape.row_operation(name, x->shape.rows, {x}, {out}, [=](const Slice& slice) {
    return EnsembleExtreme<T>{x->view(slice), maximum, out->view(slice)};
  });
  if (wanted)
    tape.on_backward(out, [=, &tape] {
      const bool add = !tape.first_contribution(x);
      const Tensor<T> d_out = tape.gradient(out), d_x = tape.gradient(x);
      tape.row_operation("extreme backward", x->gradient_rows, {x, d_out, d_x}, {d_x},
                         [=](const Slice& slice) {
                           return EnsembleExtremeGradient<T>{x->view(slice), maximum, d_out->view(slice),
                                                             d_x->view(slice), add};
                         });
    });
  return out;
}

}  // namespace

template <class T>
Tensor<T> ensemble_min(Tape<T>& tape, Tensor<T> x) {
  return ensemble_reduction(tape, x, kMinimum);
}

template <class T>
Tensor<T> ensemble_max(Tape<T>& tape, Tensor<T> x) {
  return ensemble_reduction(tape, x, kMaximum);
}

template <class T>
Tensor<T> stack_rows(Tape<T>& tape, Tensor<T> learning, Tensor<T> constant) {
  const Shape shape = learning->shape;
  require_shape("stack_rows", "constant", {shape.nets, constant->shape.rows, shape.cols}, constant->shape);
  const int rows = shape.rows;
  const Tensor<T> stacked = tape.value("stack", {shape.nets, rows + constant->shape.rows, shape.cols});
  stacked->gradient_rows = rows;
  const auto copy = [&](Tensor<T> from, int first) {
    const Tensor<T> to = tape.row_range(stacked, first, from->shape.rows);
    tape.row_operation("stack", from->shape.rows, {from}, {to}, [=](const Slice& slice) {
      return CopyColumns<T>{from->view(slice), to->view(slice), 0};
    });
  };
  copy(learning, 0);
  copy(constant, rows);
  return stacked;
}

#define R2_INSTANTIATE(T)                                                                                   \
  template Tensor<T> dense_layer(Tape<T>&, Parameters<T>&, const DenseLayer&, Tensor<T>, Activation,        \
                                 Gradient);                                                                 \
  template Tensor<T> layer_norm(Tape<T>&, Parameters<T>&, const NormLayer&, Tensor<T>, Gradient);           \
  template Tensor<T> activate(Tape<T>&, Tensor<T>, Activation);                                             \
  template Tensor<T> add(Tape<T>&, Tensor<T>, Tensor<T>);                                                   \
  template Tensor<T> dropout(Tape<T>&, Tensor<T>, double, std::uint64_t, const StepState*, int);            \
  template Tensor<T> concatenate(Tape<T>&, const std::vector<Tensor<T>>&);                                  \
  template Tensor<T> filled(Tape<T>&, const std::string&, Shape, double);                                   \
  template Tensor<T> embedding(Tape<T>&, Parameters<T>&, int, Tensor<T>, Gradient);                         \
  template Tensor<T> dropout_factors(Tape<T>&, const Shape&, double, std::uint64_t, const StepState*, int); \
  template Tensor<T> drop_out(Tape<T>&, Tensor<T>, Tensor<T>);                                              \
  template Tensor<T> free_vector(Tape<T>&, Parameters<T>&, int, int, Gradient);                             \
  template Tensor<T> ensemble_min(Tape<T>&, Tensor<T>);                                                     \
  template Tensor<T> ensemble_max(Tape<T>&, Tensor<T>);                                                     \
  template Tensor<T> stack_rows(Tape<T>&, Tensor<T>, Tensor<T>);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
