// Networks by name: declared once, laid side by side where they are equal, applied together.
//
// Neighbouring declarations that differ in nothing but name and count form one group: an ensemble whose
// layers are one entry each. Nobody outside needs to know: a network is applied, stored and drawn by its
// name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/operations.h"
#include "engine/parameters.h"

namespace r2pac {

/// Some neighbouring columns of a network's input, under the name of what they hold.
struct Columns {
  std::string name;
  int width = 0;
  bool operator==(const Columns&) const = default;
};

/// A multi-layer perceptron, or `count` of them that read the same.
struct Network {
  std::string name;             ///< part of the file formats: NAME.LAYER.weight
  std::vector<Columns> inputs;  ///< in the order of the first layer's rows
  int outputs = 1;
  bool features = false;  ///< its outputs are a hidden layer, which other networks read
  int count = 1;
  std::vector<int> hidden;  ///< widths of the hidden layers
  Activation activation = Activation::gelu_erf;
  bool layer_norm = false;  ///< after each hidden activation
  bool norm_first = false;  ///< of layer_norm: before each hidden activation instead, with Flax's epsilon
  bool followed = false;    ///< has a follower, the moving average of its weights
  double rate = 1;          ///< learning rate as a share of the run's
  double cosine_steps = 0;  ///< > 0: the rate falls to zero over so many updates, by half a cosine
  bool rate_stays = false;  ///< whatever the run's rate_decay is
  double clip_norm = 0;     ///< > 0: greatest norm of the gradient of the networks that move together
  double polyak = 0;        ///< > 0: of its follower, in place of the run's
  bool input_norm = false;  ///< a layer normalisation of its input, with Flax's epsilon
  std::optional<Initializer> initializer = {};  ///< in place of the run's
  bool after_tables = false;  ///< lies behind the tables, whose initial numbers then do not depend on it
  bool absent = false;        ///< only takes its numbers among the random initial weights, and no memory

  bool operator==(const Network&) const = default;
  int input_width() const;
  /// The first column of an input. Throws InvalidArgument where there is none of that name.
  int column(std::string_view input) const;
};

/// How a table's numbers start.
enum class TableStart { normal, zero, one };

/// Trainable numbers [rows, cols] beside the networks; `owner` is the network that they learn with.
struct Table {
  std::string name, owner;
  int rows = 1, cols = 1;
  TableStart start = TableStart::zero;
  double scale = 1;       ///< of what it starts with
  bool followed = false;  ///< has a follower, as its owner has
};

/// Everything that a method trains.
struct Declaration {
  std::vector<Network> networks;
  std::vector<Table> tables;
};

/// The layers of a group, all members.
struct Mlp {
  std::vector<DenseLayer> layers;
  std::vector<NormLayer> norms;  ///< empty, or one after each hidden layer
  bool norm_first = false;       ///< before its activation
  std::optional<NormLayer> input_norm = {};
  Activation activation = Activation::gelu_erf;
};

/// Which weights an application takes, and what learns from it.
enum class Weights {
  learning,  ///< the networks' own, which learn
  frozen,    ///< the networks' own: a gradient flows to the argument only
  constant,  ///< the networks' own, without any gradient
  follower,  ///< the followers', without any gradient
  judging,   ///< the followers': a gradient flows to the argument only
};

/// One network and what it is applied to.
template <class T>
struct Application {
  std::string network;
  Weights weights;
  Tensor<T> x;  // [1, B, input_width]
};

/// A tensor of a network or table as files name it: entry `entry` of the parameters, nets first .. first +
/// count.
struct NamedTensor {
  std::string name;                    ///< "q_r.0.weight" and so on
  std::string owner;                   ///< the network that it belongs to
  int entry = 0, follower_entry = -1;  ///< of the parameters and of their followers, -1: none
  int first = 0, count = 1;
  bool followed() const { return follower_entry >= 0; }
};

template <class T>
class Networks {
 public:
  /// Declares and allocates everything, sets initial weights from the seed, and copies those to the
  /// followers. Throws InvalidArgument for two declarations of one name.
  Networks(Declaration declaration, Initializer initializer, std::uint64_t seed, Device& device);
  Networks(const Networks&) = delete;

  Parameters<T> online, follower;

  const Declaration& declaration() const { return declaration_; }
  bool contains(std::string_view network) const;
  /// Throws InvalidArgument where there is no network of that name.
  const Network& declared(std::string_view network) const;
  /// The layers of the network's group, and which of the group's members are the network's.
  struct Members {
    const Mlp *group, *follower;  ///< the latter in the followers' entries, if there are any
    int first, count, group_count;
  };
  Members members(std::string_view network) const;
  /// Entry of a table, also among the followers' if it is followed. Throws InvalidArgument where there is
  /// none of that name.
  int table(std::string_view name) const;
  int table_follower(std::string_view name) const;

  /// All tensors under their public names, in the order of the entries.
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  /// A tensor's shape in files: [nets, rows, cols] without leading ones.
  std::vector<std::size_t> shape_of(const NamedTensor& tensor) const;
  /// Copies values and followers from networks of the same declaration, on any device.
  void copy_from(const Networks& other);

 private:
  struct Group {
    Mlp mlp, follower;
    std::vector<const Network*> networks;
    int nets = 0;
  };
  void declare_group(const std::vector<const Network*>& networks);
  void name_tensors();
  void initialize(Initializer initializer, std::uint64_t seed);

  Declaration declaration_;
  std::vector<Group> groups_;
  std::vector<int> tables_;  // their entries
  std::vector<NamedTensor> tensors_;
};

/// The networks' outputs [count, B, outputs] in the order of the list. Neighbours in the list that are
/// members of one group, with the same weights and argument, are one call. A device of whole batches also
/// gets a group and its followers of one argument, and learning and constant applications of one group, as
/// one call.
template <class T>
std::vector<Tensor<T>> apply(Tape<T>& tape, Networks<T>& networks,
                             const std::vector<Application<T>>& applications);

/// [K, B, out] from x [1, B, in]: all members of the layers.
template <class T>
Tensor<T> apply(Tape<T>& tape, Parameters<T>& parameters, const Mlp& mlp, Tensor<T> x,
                Gradient gradient = Gradient::learn);

}  // namespace r2pac
