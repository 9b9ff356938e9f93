#include "model/flow_actor.h"

#include "engine/losses.h"
#include "engine/operations.h"
#include "kernels/flow.h"
#include "model/budget.h"

namespace r2pac {
namespace {

template <class T>
Tensor<T> drop_labels(Recorder<T>& r, Tensor<T> label) {
  const Tensor<T> out = r.tape().value("dropped label", label->shape);
  r.tape().row_operation("label dropout", label->shape.rows, {label, r.tape().place(r.state())}, {out},
                         [=, dropout = static_cast<T>(r.settings().label_dropout), seed = r.seed(),
                          state = r.state()](const Slice& slice) {
                           return LabelDropout<T>{label->view(slice), dropout,         seed, state,
                                                  slice.first,        out->view(slice)};
                         });
  return out;
}

/// The points of straight paths from noise to chunks at times, [1, B, hA].
template <class T>
Tensor<T> flow_points(Tape<T>& tape, const FlowDraw<T>& f, Tensor<T> actions) {
  const Tensor<T> point = tape.value("flow_point", actions->shape);
  tape.row_operation("flow path", actions->shape.rows, {actions, f.noise, f.time}, {point},
                     [=](const Slice& slice) {
                       return FlowPath<T>{f.noise->view(slice), actions->view(slice), f.time->view(slice),
                                          point->view(slice)};
                     });
  return point;
}

}  // namespace

void declare_flow_actor(const Settings& settings, Dimensions dimensions, Declaration& declaration) {
  Network velocity;
  velocity.name = kVelocity;
  velocity.inputs = {{"observation", dimensions.observation},
                     {"label", settings.label_dim},
                     {"chunk", dimensions.chunk()},
                     {"time", 1}};
  velocity.outputs = dimensions.chunk();
  velocity.hidden = settings.resolved_actor_hidden();
  velocity.activation = settings.activation;
  declaration.networks.push_back(velocity);
  declaration.tables.push_back({kLabelTable, kVelocity, 3, settings.label_dim, TableStart::normal});
}

template <class T>
FlowDraw<T> draw_flow(Recorder<T>& r) {
  return r.template once<FlowDraw<T>>("flow draw", [&r] {
    const Shape shape = r.batch().actions->shape;
    const FlowDraw<T> f{r.tape().value("noise", shape), r.tape().value("flow_time", {1, shape.rows, 1})};
    r.tape().row_operation(
        "draw flow", shape.rows, {r.tape().place(r.state())}, {f.noise, f.time},
        [=, seed = r.seed(), state = r.state()](const Slice& slice) {
          return DrawFlow<T>{seed, state, slice.first, f.noise->view(slice), f.time->view(slice)};
        });
    return f;
  });
}

template <class T>
Tensor<T> flow_chunks(Recorder<T>& r, Tensor<T> noise, int steps) {
  Tape<T>& tape = r.tape();
  Networks<T>& networks = r.networks();
  const Shape of_row{1, noise->shape.rows, 1};
  const Tensor<T> good = embedding(tape, networks.online, networks.table(kLabelTable),
                                   filled(tape, "good", of_row, kLabelGood), Gradient::constant);
  const T dt = T(1) / static_cast<T>(steps);
  Tensor<T> x = noise;
  for (int n = 0; n < steps; ++n) {
    const Tensor<T> time = filled(tape, "time", of_row, static_cast<double>(n) / steps);
    const Tensor<T> input = concatenate<T>(tape, {r.batch().observations, good, x, time});
    const Tensor<T> velocity = r.apply({{kVelocity, Weights::constant, input}}).front();
    const Tensor<T> moved = tape.value("flow chunk", noise->shape);
    tape.row_operation(
        "Euler step", noise->shape.rows, {x, velocity}, {moved},
        [=, last = n + 1 == steps](const Slice& slice) {
          return EulerStep<T>{x->view(slice), velocity->view(slice), dt, last, moved->view(slice)};
        });
    x = moved;
  }
  return x;
}

template <class T>
void learn_flow(Recorder<T>& r, Tensor<T> label, Tensor<T> weights) {
  const Batch<T> batch = r.batch();
  const Tensor<T> dropped = drop_labels(r, label);
  const FlowDraw<T> sample = draw_flow(r);
  const Tensor<T> point = flow_points(r.tape(), sample, batch.actions);
  Networks<T>& networks = r.networks();
  const Tensor<T> embedded = embedding(r.tape(), networks.online, networks.table(kLabelTable), dropped);
  const Tensor<T> input = concatenate<T>(r.tape(), {seen_states(r, kVelocity), embedded, point, sample.time});
  const Tensor<T> velocity = r.apply({{kVelocity, Weights::learning, input}}).front();
  r.loss("flow", flow_matching_loss(r.tape(), "loss flow", velocity, sample.noise, batch.actions, weights));
  r.mean("good", label, kLabelBad);
  for (const auto& [name, value] : {std::pair{"observations", batch.observations},
                                    {"actions", batch.actions},
                                    {"label", label},
                                    {"dropped_label", dropped},
                                    {"noise", sample.noise},
                                    {"flow_time", sample.time}})
    r.trace(name, value);
}

template <class T>
void learn_labelled_flow(Recorder<T>& r, const RecordColumn<T>& label) {
  const bool wanted = r.settings().label_dropout < 1;  // otherwise no label is ever looked at
  learn_flow(r, r.per_window("label", label, wanted));
}

template FlowDraw<float> draw_flow(Recorder<float>&);
template FlowDraw<double> draw_flow(Recorder<double>&);
template Tensor<float> flow_chunks(Recorder<float>&, Tensor<float>, int);
template Tensor<double> flow_chunks(Recorder<double>&, Tensor<double>, int);
template void learn_labelled_flow(Recorder<float>&, const RecordColumn<float>&);
template void learn_labelled_flow(Recorder<double>&, const RecordColumn<double>&);
template void learn_flow(Recorder<float>&, Tensor<float>, Tensor<float>);
template void learn_flow(Recorder<double>&, Tensor<double>, Tensor<double>);

}  // namespace r2pac
