#include "model/networks.h"

#include "base/philox.h"

namespace r2pac {
namespace {

template <class T>
Mlp add_mlp(Parameters<T>& parameters, const std::string& name, int nets, int in,
            const std::vector<int>& hidden, int out, Activation activation, bool norm) {
  Mlp mlp;
  mlp.activation = activation;
  int width = in;
  for (std::size_t i = 0; i <= hidden.size(); ++i) {
    const int next = i < hidden.size() ? hidden[i] : out;
    const std::string layer = name + "." + std::to_string(i);
    mlp.layers.push_back(add_dense(parameters, layer, nets, width, next));
    mlp.layers.back().head = i == hidden.size();
    if (norm && i < hidden.size()) mlp.norms.push_back(add_norm(parameters, layer + ".norm", nets, next));
    width = next;
  }
  return mlp;
}

template <class T>
void initialize(Parameters<T>& parameters, const Mlp& mlp, Initializer initializer, std::uint64_t seed) {
  for (const DenseLayer& layer : mlp.layers) initialize_dense(parameters, layer, initializer, seed);
  for (const NormLayer& norm : mlp.norms) {
    const auto& gain = parameters.entry(norm.gain);
    const std::vector<T> ones(gain.shape.size(), T(1));
    parameters.values().copy_in(ones.data(), ones.size(), gain.offset);
  }
}

}  // namespace

template <class T>
Networks<T>::Networks(const Settings& settings, Dimensions dimensions, Device& device)
    : observation_mean(static_cast<std::size_t>(dimensions.observation), T(0)),
      observation_scale(static_cast<std::size_t>(dimensions.observation), T(1)),
      dimensions_(dimensions),
      critics_per_side_(settings.twin_critics ? 2 : 1) {
  const int s = dimensions.observation, chunk = dimensions.chunk();
  const auto add_critics = [&](Parameters<T>& parameters) {
    return add_mlp(parameters, "q", 2 * critics_per_side_, s + chunk, settings.hidden, 1, settings.activation,
                   settings.layer_norm);
  };
  critic = add_critics(online);
  value = add_mlp(online, "v", 2, s, settings.hidden, 1, settings.activation, settings.layer_norm);
  values_end_ = flow_end();
  velocity = add_mlp(online, "velocity", 1, s + settings.label_dim + chunk + 1, settings.hidden, chunk,
                     settings.activation, false);
  label_table = online.add("label_table", {1, 3, settings.label_dim});
  add_critics(target);
  online.allocate(true, device, &target);

  const auto seed = static_cast<std::uint64_t>(settings.seed);
  for (const Mlp* mlp : {&critic, &value, &velocity}) initialize(online, *mlp, settings.initializer, seed);
  std::vector<T> table(online.entry(label_table).shape.size());
  for (std::size_t i = 0; i < table.size(); ++i)
    table[i] =
        static_cast<T>(random_normal(seed, Purpose::initial_weights, 0,
                                     static_cast<std::uint32_t>(label_table), static_cast<std::uint32_t>(i)));
  online.values().copy_in(table.data(), table.size(), online.entry(label_table).offset);
  for (int entry = 0; entry < static_cast<int>(target.entries().size()); ++entry) {
    std::vector<T> critics(online.entry(entry).shape.size());
    online.values().copy_out(critics.data(), critics.size(), online.entry(entry).offset);
    target.values().copy_in(critics.data(), critics.size(), target.entry(entry).offset);
  }
}

template <class T>
Mlp Networks<T>::critic_and_target() const {
  Mlp both = critic;
  for (DenseLayer& layer : both.layers) layer.nets *= 2;
  return both;
}

template <class T>
Tensor<T> apply(Tape<T>& tape, Parameters<T>& parameters, const Mlp& mlp, Tensor<T> x) {
  for (std::size_t i = 0; i < mlp.layers.size(); ++i) {
    const bool hidden = i + 1 < mlp.layers.size();
    x = dense_layer(tape, parameters, mlp.layers[i], x, hidden ? mlp.activation : Activation::identity);
    if (hidden && !mlp.norms.empty()) x = layer_norm(tape, parameters, mlp.norms[i], x);
  }
  return x;
}

template <class T>
std::vector<NamedTensor> named_tensors(const Networks<T>& networks) {
  std::vector<NamedTensor> named;
  const int side = networks.critics_per_side();
  for (std::size_t i = 0; i < networks.online.entries().size(); ++i) {
    const std::string& name = networks.online.entries()[i].name;
    const int entry = static_cast<int>(i);
    const std::string rest = name.substr(name.find('.') == std::string::npos ? name.size() : name.find('.'));
    if (name.rfind("q.", 0) == 0) {
      named.push_back({"q_r" + rest, entry, 0, side});
      named.push_back({"q_c" + rest, entry, side, side});
    } else if (name.rfind("v.", 0) == 0) {
      named.push_back({"v_r" + rest, entry, 0, 1});
      named.push_back({"v_c" + rest, entry, 1, 1});
    } else {
      named.push_back({name, entry, 0, 1});
    }
  }
  return named;
}

template <class T>
std::vector<std::size_t> tensor_shape(const Networks<T>& networks, const NamedTensor& tensor) {
  const Shape shape = networks.online.entry(tensor.entry).shape;
  std::vector<std::size_t> sizes;
  if (tensor.nets > 1) sizes.push_back(static_cast<std::size_t>(tensor.nets));
  if (shape.rows > 1) sizes.push_back(static_cast<std::size_t>(shape.rows));
  sizes.push_back(static_cast<std::size_t>(shape.cols));
  return sizes;
}

#define R2_INSTANTIATE(T)                                                    \
  template class Networks<T>;                                                \
  template Tensor<T> apply(Tape<T>&, Parameters<T>&, const Mlp&, Tensor<T>); \
  template std::vector<NamedTensor> named_tensors(const Networks<T>&);       \
  template std::vector<std::size_t> tensor_shape(const Networks<T>&, const NamedTensor&);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
