#include "engine/operations.h"

#include "base/error.h"
#include "kernels/dense.h"
#include "kernels/rows.h"
#include "kernels/update.h"
#include "kernels/vector_kernels.h"

namespace r2pac {

void require_shape(const char* operation, const char* argument, const Shape& expected, const Shape& actual) {
  if (expected == actual) return;
  throw InvalidArgument(std::string(operation) + ": `" + argument + "` must have the shape " +
                        to_string(expected) + ", not " + to_string(actual));
}

namespace {

template <class T>
std::size_t stride_of(const View<T>& view) {
  return static_cast<std::size_t>(view.cols);
}

/// y = x W + b for one slice of one net, heads of one output by a dot product.
template <class T>
void forward_net(const DenseLayer& layer, const View<T>& x, const T* weight, const T* packed, const T* bias,
                 Activation activation, const View<T>& y, T* slope, int k) {
  const VectorKernels<T>& kernels = vector_kernels<T>();
  if (layer.out == 1) {
    kernels.dot(x.net(k), stride_of(x), x.rows, layer.in, weight, bias[0], y.net(k), 1);
    if (activation == Activation::identity) return;
    const T zero = 0;
    return kernels.bias_activation(y.net(k), 1, x.rows, 1, &zero, activation, slope, 1);
  }
  dense<T>().multiply(x.net(k), stride_of(x), x.rows, layer.in, packed, layer.out, y.net(k), stride_of(y),
                      false);
  kernels.bias_activation(y.net(k), stride_of(y), x.rows, layer.out, bias, activation, slope, stride_of(y));
}

/// Records the gradients of a dense layer, given that of its result.
template <class T>
void record_dense_backward(Tape<T>& tape, Parameters<T>& parameters, const DenseLayer& layer, Tensor<T> x,
                           Tensor<T> y, Tensor<T> slope) {
  const Tensor<T> d_y = tape.gradient(y);
  // The gradient before the activation takes the slope's place: the weight gradient will read it there.
  const Tensor<T> d_sum = slope != nullptr ? slope : d_y;
  if (slope != nullptr)
    tape.rows("activation backward", y->shape.rows, {d_y, slope}, [d_y, slope](const Slice& slice) {
      const View<T> from = d_y->view(slice), to = slope->view(slice);
      for (int k = 0; k < to.nets; ++k)
        vector_kernels<T>().scale(to.net(k), from.net(k), static_cast<std::size_t>(to.rows) * stride_of(to));
    });
  if (x->requires_gradient) {
    const Tensor<T> d_x = tape.gradient(x);
    const bool overwrite = tape.first_contribution(x);
    const int first_row = x->gradient_begin, wanted = x->gradient_end - x->gradient_begin;
    const auto* pack = layer.out > 1 ? parameters.pack(layer.weight, first_row, wanted, true) : nullptr;
    tape.rows("dense backward", y->shape.rows, {d_sum, d_x}, [=, &parameters](const Slice& slice) {
      const View<T> from = d_sum->view(slice), to = d_x->view(slice);
      for (int k = 0; k < layer.nets; ++k) {
        const bool add = !overwrite || (to.nets == 1 && k > 0);
        if (pack == nullptr)
          vector_kernels<T>().outer(from.net(k), 1, from.rows, wanted,
                                    parameters.value(layer.weight, k) + first_row, to.net(k), stride_of(to),
                                    add);
        else
          dense<T>().multiply(from.net(k), stride_of(from), from.rows, layer.out, pack->net(k), wanted,
                              to.net(k), stride_of(to), add);
      }
    });
  }
  tape.deferred_tasks(
      "weight gradient", layer.nets, {x, d_sum},
      [=, &parameters](int k, std::byte* scratch) {
        const View<T> inputs = x->whole(), gradients = d_sum->whole();
        dense<T>().weight_gradient(inputs.net(k), stride_of(inputs), gradients.net(k), stride_of(gradients),
                                   inputs.rows, layer.in, layer.out, parameters.gradient(layer.weight, k),
                                   parameters.gradient(layer.bias, k), reinterpret_cast<T*>(scratch));
      },
      dense<T>().weight_gradient_scratch(y->shape.rows, layer.in, layer.out) * sizeof(T));
}

}  // namespace

template <class T>
Tensor<T> dense_layer(Tape<T>& tape, Parameters<T>& parameters, const DenseLayer& layer, Tensor<T> x,
                      Activation activation) {
  const int rows = x->shape.rows;
  require_shape("dense_layer", "x", {x->shape.nets == 1 ? 1 : layer.nets, rows, layer.in}, x->shape);
  const bool learns = tape.gradient_enabled() && parameters.trainable();
  const Tensor<T> y = tape.value(parameters.entry(layer.weight).name, {layer.nets, rows, layer.out}, learns);
  const Tensor<T> slope =
      learns && activation != Activation::identity ? tape.value("slope", y->shape) : nullptr;
  const auto* pack = layer.out > 1 ? parameters.pack(layer.weight, 0, layer.in, false) : nullptr;
  std::vector<Tensor<T>> touches = {x, y};
  if (slope != nullptr) touches.push_back(slope);
  tape.rows("dense", rows, touches, [=, &parameters](const Slice& slice) {
    const View<T> in = x->view(slice), out = y->view(slice);
    for (int k = 0; k < layer.nets; ++k)
      forward_net(layer, in, parameters.value(layer.weight, k), pack != nullptr ? pack->net(k) : nullptr,
                  parameters.value(layer.bias, k), activation, out,
                  slope != nullptr ? slope->view(slice).net(k) : nullptr, k);
  });
  if (learns)
    tape.on_backward(
        y, [=, &tape, &parameters] { record_dense_backward(tape, parameters, layer, x, y, slope); });
  return y;
}

template <class T>
Tensor<T> layer_norm(Tape<T>& tape, Parameters<T>& parameters, const NormLayer& layer, Tensor<T> x) {
  const Shape shape = x->shape;
  require_shape("layer_norm", "gain", {shape.nets, 1, shape.cols}, parameters.entry(layer.gain).shape);
  const bool learns = tape.gradient_enabled() && parameters.trainable();
  const Tensor<T> y = tape.value("normalised", shape, learns);
  const Tensor<T> unit = learns ? tape.value("unit", shape) : nullptr;
  const Tensor<T> inverse = learns ? tape.value("inverse deviation", {shape.nets, shape.rows, 1}) : nullptr;
  std::vector<Tensor<T>> touches = {x, y};
  if (learns) touches.insert(touches.end(), {unit, inverse});
  tape.rows("layer_norm", shape.rows, touches, [=, &parameters](const Slice& slice) {
    const View<T> from = x->view(slice), to = y->view(slice);
    for (int k = 0; k < to.nets; ++k)
      vector_kernels<T>().layer_norm(from.net(k), to.rows, to.cols, parameters.value(layer.gain, k),
                                     parameters.value(layer.bias, k), to.net(k),
                                     learns ? unit->view(slice).net(k) : nullptr,
                                     learns ? inverse->view(slice).net(k) : nullptr);
  });
  if (!learns) return y;
  tape.on_backward(y, [=, &tape, &parameters] {
    const Tensor<T> d_y = tape.gradient(y);
    tape.deferred_tasks("layer_norm gains", shape.nets, {d_y, unit}, [=, &parameters](int k, std::byte*) {
      const View<T> d = d_y->whole(), n = unit->whole();
      vector_kernels<T>().column_products(d.net(k), n.net(k), d.rows, d.cols,
                                          parameters.gradient(layer.gain, k),
                                          parameters.gradient(layer.bias, k));
    });
    if (!x->requires_gradient) return;
    if (!tape.first_contribution(x))
      throw InvalidArgument("layer_norm: its argument must have no other reader");
    const Tensor<T> d_x = tape.gradient(x);
    tape.rows(
        "layer_norm backward", shape.rows, {d_y, unit, inverse, d_x}, [=, &parameters](const Slice& slice) {
          const View<T> from = d_y->view(slice), to = d_x->view(slice);
          for (int k = 0; k < to.nets; ++k)
            vector_kernels<T>().layer_norm_backward(from.net(k), to.rows, to.cols,
                                                    parameters.value(layer.gain, k), unit->view(slice).net(k),
                                                    inverse->view(slice).net(k), to.net(k));
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
    tape.rows("concatenate", shape.rows, {part, joined},
              [=](const Slice& slice) { copy_columns(part->view(slice), joined->view(slice), first); });
    column += part->shape.cols;
    if (!part->requires_gradient) continue;
    if (!joined->requires_gradient) joined->gradient_begin = first;
    if (joined->requires_gradient && joined->gradient_end != first)
      throw InvalidArgument("concatenate: the parts that want a gradient must be neighbours");
    joined->requires_gradient = true;
    joined->gradient_end = column;
    tape.on_backward(joined, [=, &tape] {
      const Tensor<T> d_joined = tape.gradient(joined), d_part = tape.gradient(part);
      const bool add = !tape.first_contribution(part);
      const int offset = first - joined->gradient_begin;
      tape.rows("concatenate backward", shape.rows, {d_joined, d_part}, [=](const Slice& slice) {
        copy_columns_backward(d_joined->view(slice), offset, d_part->view(slice), add);
      });
    });
  }
  return joined;
}

template <class T>
Tensor<T> embedding(Tape<T>& tape, Parameters<T>& parameters, int table, Tensor<T> label) {
  const Shape entry = parameters.entry(table).shape;
  require_shape("embedding", "label", {1, label->shape.rows, 1}, label->shape);
  const bool learns = tape.gradient_enabled() && parameters.trainable();
  const Tensor<T> rows = tape.value(parameters.entry(table).name, {1, label->shape.rows, entry.cols}, learns);
  tape.rows("embedding", label->shape.rows, {label, rows}, [=, &parameters](const Slice& slice) {
    embed(parameters.value(table), label->view(slice), rows->view(slice));
  });
  if (learns)
    tape.on_backward(rows, [=, &tape, &parameters] {
      const Tensor<T> d_rows = tape.gradient(rows);
      tape.deferred_tasks("embedding backward", 1, {label, d_rows}, [=, &parameters](int, std::byte*) {
        embed_backward(label->whole(), d_rows->whole(), entry.rows, parameters.gradient(table));
      });
    });
  return rows;
}

namespace {

template <class T>
Tensor<T> ensemble_reduction(Tape<T>& tape, Tensor<T> x, bool maximum) {
  const char* name = maximum ? "ensemble_max" : "ensemble_min";
  require_shape(name, "x", {x->shape.nets, x->shape.rows, 1}, x->shape);
  const Tensor<T> out = tape.value(name, {1, x->shape.rows, 1});
  tape.rows(name, x->shape.rows, {x, out},
            [=](const Slice& slice) { ensemble_extreme(x->view(slice), maximum, out->view(slice)); });
  return out;
}

}  // namespace

template <class T>
Tensor<T> ensemble_min(Tape<T>& tape, Tensor<T> x) {
  return ensemble_reduction(tape, x, false);
}

template <class T>
Tensor<T> ensemble_max(Tape<T>& tape, Tensor<T> x) {
  return ensemble_reduction(tape, x, true);
}

template <class T>
void optimizer_step(Tape<T>& tape, Parameters<T>& parameters, Parameters<T>* target, int first, int last,
                    const AdamSettings& settings, StepState* state, unsigned long long first_step,
                    Tensor<T> squares) {
  struct Piece {
    int entry, net;
  };
  std::vector<Piece> pieces;  // one task per net of each entry, so that a weight is repacked while it is warm
  for (int index = first; index < last; ++index)
    for (int net = 0; net < parameters.entry(index).shape.nets; ++net) pieces.push_back({index, net});
  require_shape("optimizer_step", "squares", {1, static_cast<int>(pieces.size()), 1}, squares->shape);
  const int targets = target != nullptr ? static_cast<int>(target->entries().size()) : 0;
  tape.tasks("optimizer", static_cast<int>(pieces.size()), {squares}, [=, &parameters](int task, std::byte*) {
    const Piece piece = pieces[static_cast<std::size_t>(task)];
    const bool averaged = piece.entry < targets;
    update_parameters<T>(
        {parameters.value(piece.entry, piece.net), parameters.first_moment(piece.entry, piece.net),
         parameters.second_moment(piece.entry, piece.net), parameters.gradient(piece.entry, piece.net),
         averaged ? target->value(piece.entry, piece.net) : nullptr,
         parameters.entry(piece.entry).net_size()},
        settings, state, first_step, squares->whole().row(task));
    parameters.repack(piece.entry, piece.net);
    if (averaged) target->repack(piece.entry, piece.net);
  });
  tape.tasks("advance", 1, {}, [state](int, std::byte*) { advance(state); });
}

#define R2_INSTANTIATE(T)                                                                               \
  template Tensor<T> dense_layer(Tape<T>&, Parameters<T>&, const DenseLayer&, Tensor<T>, Activation);   \
  template Tensor<T> layer_norm(Tape<T>&, Parameters<T>&, const NormLayer&, Tensor<T>);                 \
  template Tensor<T> concatenate(Tape<T>&, const std::vector<Tensor<T>>&);                              \
  template Tensor<T> embedding(Tape<T>&, Parameters<T>&, int, Tensor<T>);                               \
  template Tensor<T> ensemble_min(Tape<T>&, Tensor<T>);                                                 \
  template Tensor<T> ensemble_max(Tape<T>&, Tensor<T>);                                                 \
  template void optimizer_step(Tape<T>&, Parameters<T>&, Parameters<T>*, int, int, const AdamSettings&, \
                               StepState*, unsigned long long, Tensor<T>);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
