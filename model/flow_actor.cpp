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
  r.tape().row_operation("label dropout", label->shape.rows, {label}, {out},
                         [=, dropout = static_cast<T>(r.settings().label_dropout), seed = r.seed(),
                          state = r.state()](const Slice& slice) {
                           return LabelDropout<T>{label->view(slice), dropout,         seed, state,
                                                  slice.first,        out->view(slice)};
                         });
  return out;
}

template <class T>
struct FlowSample {
  Tensor<T> noise, time, point;  // [1, B, hA], [1, B, 1], [1, B, hA]
};

template <class T>
FlowSample<T> draw_flow_sample(Recorder<T>& r, Tensor<T> actions) {
  Tape<T>& tape = r.tape();
  const Shape shape = actions->shape;
  const FlowSample<T> f{tape.value("noise", shape), tape.value("flow_time", {1, shape.rows, 1}),
                        tape.value("flow_point", shape)};
  tape.row_operation(
      "draw flow", shape.rows, {}, {f.noise, f.time},
      [=, seed = r.seed(), state = r.state()](const Slice& slice) {
        return DrawFlow<T>{seed, state, slice.first, f.noise->view(slice), f.time->view(slice)};
      });
  tape.row_operation("flow path", shape.rows, {actions, f.noise, f.time}, {f.point}, [=](const Slice& slice) {
    return FlowPath<T>{f.noise->view(slice), actions->view(slice), f.time->view(slice), f.point->view(slice)};
  });
  return f;
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
void learn_flow(Recorder<T>& r, Tensor<T> label, Tensor<T> weights) {
  const Batch<T> batch = r.batch();
  const Tensor<T> dropped = drop_labels(r, label);
  const FlowSample<T> sample = draw_flow_sample(r, batch.actions);
  Networks<T>& networks = r.networks();
  const Tensor<T> embedded = embedding(r.tape(), networks.online, networks.table(kLabelTable), dropped);
  const Tensor<T> input =
      concatenate<T>(r.tape(), {seen_states(r, kVelocity), embedded, sample.point, sample.time});
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

template void learn_labelled_flow(Recorder<float>&, const RecordColumn<float>&);
template void learn_labelled_flow(Recorder<double>&, const RecordColumn<double>&);
template void learn_flow(Recorder<float>&, Tensor<float>, Tensor<float>);
template void learn_flow(Recorder<double>&, Tensor<double>, Tensor<double>);

}  // namespace r2pac
