#include "engine/networks.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/philox.h"

namespace r2pac {
namespace {

/// Whether two networks are one ensemble: equal but for name and count.
bool same_kind(Network a, const Network& b) {
  a.name = b.name;
  a.count = b.count;
  return a == b;
}

template <class T>
Mlp add_mlp(Parameters<T>& parameters, const std::string& name, int nets, const Network& kind) {
  Mlp mlp;
  mlp.activation = kind.activation;
  mlp.norm_first = kind.norm_first;
  int width = kind.input_width();
  constexpr double kFlaxEpsilon = 1e-6;
  if (kind.input_norm) mlp.input_norm = add_norm(parameters, name + ".norm", nets, width, kFlaxEpsilon);
  for (std::size_t i = 0; i <= kind.hidden.size(); ++i) {
    const bool head = i == kind.hidden.size();
    const int next = head ? kind.outputs : kind.hidden[i];
    const std::string layer = name + "." + std::to_string(i);
    mlp.layers.push_back(add_dense(parameters, layer, nets, width, next));
    mlp.layers.back().place = head && !kind.features ? LayerPlace::head
                              : i == 0               ? LayerPlace::input
                                                     : LayerPlace::hidden;
    if (kind.layer_norm && !head)
      mlp.norms.push_back(
          add_norm(parameters, layer + ".norm", nets, next, kind.norm_first ? kFlaxEpsilon : kNormEpsilon));
    width = next;
  }
  return mlp;
}

/// Members first .. first + count of a group; more than it has reach into its followers.
Mlp members_of(Mlp mlp, int first, int count) {
  for (DenseLayer& layer : mlp.layers) {
    layer.first = first;
    layer.nets = count;
  }
  for (NormLayer& norm : mlp.norms) {
    norm.first = first;
    norm.nets = count;
  }
  if (mlp.input_norm) {
    mlp.input_norm->first = first;
    mlp.input_norm->nets = count;
  }
  return mlp;
}

[[noreturn]] void no_such(const char* what, std::string_view name) {
  throw InvalidArgument(std::string("Networks: there is no ") + what + " `" + std::string(name) + "`");
}

}  // namespace

int Network::input_width() const {
  int width = 0;
  for (const Columns& columns : inputs) width += columns.width;
  return width;
}

int Network::column(std::string_view input) const {
  int first = 0;
  for (const Columns& columns : inputs) {
    if (columns.name == input) return first;
    first += columns.width;
  }
  no_such("input", input);
}

template <class T>
Networks<T>::Networks(Declaration declaration, Initializer initializer, std::uint64_t seed, Device& device)
    : declaration_(std::move(declaration)) {
  std::set<std::string> names;
  for (const Network& network : declaration_.networks)
    if (!names.insert(network.name).second)
      throw InvalidArgument("Networks: `" + network.name + "` is declared twice");
  const auto declare_groups = [&](bool after_tables) {
    std::vector<const Network*> neighbours;
    for (const Network& network : declaration_.networks) {
      if (network.after_tables != after_tables) continue;
      if (!neighbours.empty() && !same_kind(*neighbours.back(), network)) {
        declare_group(neighbours);
        neighbours.clear();
      }
      neighbours.push_back(&network);
    }
    if (!neighbours.empty()) declare_group(neighbours);
  };
  declare_groups(false);
  for (const Table& table : declaration_.tables) {
    if (!names.insert(table.name).second)
      throw InvalidArgument("Networks: `" + table.name + "` is declared twice");
    tables_.push_back(online.add(table.name, {1, table.rows, table.cols}));
    if (table.followed) follower.add(table.name, {1, table.rows, table.cols});
  }
  declare_groups(true);
  online.allocate(true, device, &follower);
  name_tensors();
  initialize(initializer, seed);
  for (const auto& entry : follower.entries()) {
    const auto& followed = online.entry(online.find(entry.name));
    std::vector<T> values(followed.shape.size());
    online.values().copy_out(values.data(), values.size(), followed.offset);
    follower.values().copy_in(values.data(), values.size(), entry.offset);
  }
}

template <class T>
void Networks<T>::declare_group(const std::vector<const Network*>& networks) {
  const Network& kind = *networks.front();
  if (kind.absent) {
    online.skip_keys(
        static_cast<int>(2 * (kind.hidden.size() + 1) + (kind.layer_norm ? 2 * kind.hidden.size() : 0)));
    return;
  }
  Group group;
  group.networks = networks;
  std::string name;
  for (const Network* network : networks) {
    group.nets += network->count;
    name += (name.empty() ? "" : "+") + network->name;
  }
  group.mlp = add_mlp(online, name, group.nets, kind);
  if (kind.followed) group.follower = add_mlp(follower, name, group.nets, kind);
  groups_.push_back(std::move(group));
}

template <class T>
void Networks<T>::name_tensors() {
  for (const Group& group : groups_) {
    const auto add = [&](int entry) {
      const std::string& full = online.entry(entry).name;
      const std::string rest = full.substr(full.find('.'));
      int first = 0;
      for (const Network* network : group.networks) {
        tensors_.push_back(
            {network->name + rest, network->name, entry, follower.find(full), first, network->count});
        first += network->count;
      }
    };
    if (group.mlp.input_norm) {
      add(group.mlp.input_norm->gain);
      add(group.mlp.input_norm->bias);
    }
    for (std::size_t i = 0; i < group.mlp.layers.size(); ++i) {
      add(group.mlp.layers[i].weight);
      add(group.mlp.layers[i].bias);
      if (i < group.mlp.norms.size()) {
        add(group.mlp.norms[i].gain);
        add(group.mlp.norms[i].bias);
      }
    }
  }
  for (std::size_t i = 0; i < tables_.size(); ++i)
    tensors_.push_back({declaration_.tables[i].name, declaration_.tables[i].owner, tables_[i],
                        follower.find(declaration_.tables[i].name), 0, 1});
  std::ranges::stable_sort(tensors_, {}, &NamedTensor::entry);  // some networks lie behind the tables
}

template <class T>
void Networks<T>::initialize(Initializer initializer, std::uint64_t seed) {
  for (const Group& group : groups_) {
    for (const DenseLayer& layer : group.mlp.layers)
      initialize_dense(online, layer, group.networks.front()->initializer.value_or(initializer), seed);
    std::vector<NormLayer> norms = group.mlp.norms;
    if (group.mlp.input_norm) norms.push_back(*group.mlp.input_norm);
    for (const NormLayer& norm : norms) {
      const auto& gain = online.entry(norm.gain);
      const std::vector<T> ones(gain.shape.size(), T(1));
      online.values().copy_in(ones.data(), ones.size(), gain.offset);
    }
  }
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    if (declaration_.tables[t].start == TableStart::zero) continue;
    const auto& entry = online.entry(tables_[t]);
    std::vector<T> values(entry.shape.size(), T(1));
    for (std::size_t i = 0; declaration_.tables[t].start == TableStart::normal && i < values.size(); ++i)
      values[i] =
          static_cast<T>(random_normal(seed, Purpose::initial_weights, 0,
                                       static_cast<std::uint32_t>(entry.key), static_cast<std::uint32_t>(i)));
    for (T& value : values) value *= static_cast<T>(declaration_.tables[t].scale);
    online.values().copy_in(values.data(), values.size(), entry.offset);
  }
}

template <class T>
bool Networks<T>::contains(std::string_view network) const {
  return std::ranges::any_of(declaration_.networks,
                             [&](const Network& n) { return n.name == network && !n.absent; });
}

template <class T>
const Network& Networks<T>::declared(std::string_view network) const {
  for (const Network& n : declaration_.networks)
    if (n.name == network && !n.absent) return n;
  no_such("network", network);
}

template <class T>
auto Networks<T>::members(std::string_view network) const -> Members {
  for (const Group& group : groups_) {
    int first = 0;
    for (const Network* n : group.networks) {
      if (n->name == network) return {&group.mlp, &group.follower, first, n->count, group.nets};
      first += n->count;
    }
  }
  no_such("network", network);
}

template <class T>
int Networks<T>::table(std::string_view name) const {
  for (std::size_t i = 0; i < tables_.size(); ++i)
    if (declaration_.tables[i].name == name) return tables_[i];
  no_such("table", name);
}

template <class T>
int Networks<T>::table_follower(std::string_view name) const {
  const int entry = follower.find(online.entry(table(name)).name);
  if (entry < 0) no_such("follower of a table", name);
  return entry;
}

template <class T>
std::vector<std::size_t> Networks<T>::shape_of(const NamedTensor& tensor) const {
  const Shape shape = online.entry(tensor.entry).shape;
  std::vector<std::size_t> sizes;
  if (tensor.count > 1) sizes.push_back(static_cast<std::size_t>(tensor.count));
  if (shape.rows > 1) sizes.push_back(static_cast<std::size_t>(shape.rows));
  sizes.push_back(static_cast<std::size_t>(shape.cols));
  return sizes;
}

template <class T>
void Networks<T>::copy_from(const Networks& other) {
  const auto copy = [](const Parameters<T>& from, Parameters<T>& to) {
    for (std::size_t i = 0; i < from.entries().size(); ++i) {
      const auto &source = from.entry(static_cast<int>(i)), &destination = to.entry(static_cast<int>(i));
      if (source.shape != destination.shape)
        throw InvalidArgument("Networks::copy_from: `" + source.name + "` has another shape");
      std::vector<T> values(source.shape.size());
      from.values().copy_out(values.data(), values.size(), source.offset);
      to.values().copy_in(values.data(), values.size(), destination.offset);
    }
    to.repack();
  };
  copy(other.online, online);
  copy(other.follower, follower);
}

template <class T>
Tensor<T> apply(Tape<T>& tape, Parameters<T>& parameters, const Mlp& mlp, Tensor<T> x, Gradient gradient) {
  if (mlp.input_norm) x = layer_norm(tape, parameters, *mlp.input_norm, x, gradient);
  for (std::size_t i = 0; i < mlp.layers.size(); ++i) {
    const bool hidden = i + 1 < mlp.layers.size(), norm = hidden && !mlp.norms.empty(),
               norm_first = norm && mlp.norm_first;
    x = dense_layer(tape, parameters, mlp.layers[i], x,
                    hidden && !norm_first ? mlp.activation : Activation::identity, gradient);
    if (norm) x = layer_norm(tape, parameters, mlp.norms[i], x, gradient);
    if (norm_first) x = activate(tape, x, mlp.activation);
  }
  return x;
}

namespace {

/// Neighbours of the list that are one call: members first .. first + count of a group.
template <class T>
struct Call {
  const Mlp *group, *follower;
  int group_count, first, count;
  Weights weights;
  Tensor<T> x;
  std::vector<int> counts;       // of each application, in order
  std::vector<std::size_t> who;  // which of the list they are
  bool done = false;

  bool whole() const { return first == 0 && count == group_count; }
  bool stacks() const {
    return group->norms.empty() && !group->input_norm;
  }  // layer normalisation takes neither followers nor stacks
};

template <class T>
std::vector<Call<T>> merge_neighbours(const Networks<T>& networks,
                                      const std::vector<Application<T>>& applications) {
  std::vector<Call<T>> calls;
  for (std::size_t i = 0; i < applications.size(); ++i) {
    const Application<T>& a = applications[i];
    const auto m = networks.members(a.network);
    if (!calls.empty()) {
      Call<T>& last = calls.back();
      if (last.group == m.group && last.weights == a.weights && last.x == a.x &&
          last.first + last.count == m.first) {
        last.count += m.count;
        last.counts.push_back(m.count);
        last.who.push_back(i);
        continue;
      }
    }
    calls.push_back({m.group, m.follower, m.group_count, m.first, m.count, a.weights, a.x, {m.count}, {i}});
  }
  return calls;
}

}  // namespace

template <class T>
std::vector<Tensor<T>> apply(Tape<T>& tape, Networks<T>& networks,
                             const std::vector<Application<T>>& applications) {
  std::vector<Tensor<T>> results(applications.size());
  std::vector<Call<T>> calls = merge_neighbours(networks, applications);
  const auto finish = [&](Call<T>& call, Tensor<T> outputs, int first_member) {
    for (std::size_t i = 0; i < call.who.size(); ++i) {
      results[call.who[i]] = call.counts[i] == outputs->shape.nets
                                 ? outputs
                                 : tape.members(outputs, first_member, call.counts[i]);
      first_member += call.counts[i];
    }
    call.done = true;
  };
  const auto partner = [&](const Call<T>& call, Weights weights, auto fits) -> Call<T>* {
    for (Call<T>& other : calls)
      if (!other.done && other.weights == weights && other.group == call.group && fits(other)) return &other;
    return nullptr;
  };
  if (tape.device().whole_batches())
    for (Call<T>& call : calls) {
      if (call.done || call.weights != Weights::learning || !call.stacks() || call.x->requires_gradient)
        continue;
      const int rows = call.x->shape.rows;
      if (Call<T>* const followers = partner(call, Weights::follower, [&](const Call<T>& other) {
            return other.x == call.x && other.whole() && call.whole();
          })) {
        const Tensor<T> both =
            apply(tape, networks.online, members_of(*call.group, 0, 2 * call.group_count), call.x);
        finish(call, both, 0);
        finish(*followers, both, call.group_count);
      } else if (Call<T>* const constant = partner(call, Weights::constant, [&](const Call<T>& other) {
                   return other.first == call.first && other.count == call.count;
                 })) {
        const Tensor<T> both = apply(tape, networks.online, members_of(*call.group, call.first, call.count),
                                     stack_rows(tape, call.x, constant->x));
        finish(call, tape.row_range(both, 0, rows), 0);
        finish(*constant, tape.row_range(both, rows, constant->x->shape.rows), 0);
      }
    }
  for (Call<T>& call : calls) {
    if (call.done) continue;
    const bool judges = call.weights == Weights::judging,
               follows = judges || call.weights == Weights::follower;
    const Mlp mlp = members_of(follows ? *call.follower : *call.group, call.first, call.count);
    const Gradient gradient = call.weights == Weights::learning           ? Gradient::learn
                              : judges || call.weights == Weights::frozen ? Gradient::frozen
                                                                          : Gradient::constant;
    Parameters<T>& parameters = follows ? networks.follower : networks.online;
    finish(call, apply(tape, parameters, mlp, call.x, gradient), 0);
  }
  return results;
}

#define R2_INSTANTIATE(T)                                                              \
  template class Networks<T>;                                                          \
  template Tensor<T> apply(Tape<T>&, Parameters<T>&, const Mlp&, Tensor<T>, Gradient); \
  template std::vector<Tensor<T>> apply(Tape<T>&, Networks<T>&, const std::vector<Application<T>>&);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
