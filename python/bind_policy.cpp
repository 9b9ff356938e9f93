#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <map>

#include "python/acting_policy.h"
#include "python/bindings.h"

namespace r2pac::python {
namespace {

using Shape = std::vector<py::ssize_t>;
using Batch = py::array_t<float>;

Shape joined(Shape first, const Shape& rest) {
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

/// Observations [n, S] or a single one [S], where `leading` is [n] or [].
struct Observations {
  Floats array;
  Shape leading;
  py::ssize_t rows() const { return leading.empty() ? 1 : leading[0]; }
};

Observations several(const ActingPolicy& policy, const py::object& value) {
  Floats array = float_array(value, "observations", {kAny, policy.policy().dimensions().observation});
  const py::ssize_t n = array.shape(0);
  return {std::move(array), {n}};
}

Observations one(const ActingPolicy& policy, const py::object& value) {
  return {float_array(value, "observation", {policy.policy().dimensions().observation}), {}};
}

Observations one_or_several(const ActingPolicy& policy, const py::object& value) {
  const py::array array = py::array::ensure(value);
  PyErr_Clear();
  return array && array.ndim() == 1 ? one(policy, value) : several(policy, value);
}

/// Numbers of rows: [n], or one for all.
std::vector<std::int64_t> places(const py::object& value, py::ssize_t rows, const char* argument) {
  if (value.is_none()) return {};
  const py::array given = py::array::ensure(value);
  const bool integers = given && (given.dtype().kind() == 'i' || given.dtype().kind() == 'u');
  using Integers = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;
  const Integers whole = integers ? Integers::ensure(given) : Integers();
  if (!integers || !whole || whole.ndim() > 1 || (whole.ndim() == 1 && whole.shape(0) != rows)) {
    PyErr_Clear();
    throw py::value_error(std::string("`") + argument + "` must be a whole number or an array of " +
                          std::to_string(rows));
  }
  if (whole.ndim() == 0) return std::vector<std::int64_t>(static_cast<std::size_t>(rows), *whole.data());
  return {whole.data(), whole.data() + whole.size()};
}

/// Costs of episodes so far: [n], or one for all; empty for none.
std::vector<double> costs_so_far(const py::object& value, py::ssize_t rows) {
  if (value.is_none()) return {};
  using Numbers = py::array_t<double, py::array::c_style | py::array::forcecast>;
  const Numbers given = Numbers::ensure(value);
  if (!given || given.ndim() > 1 || (given.ndim() == 1 && given.shape(0) != rows)) {
    PyErr_Clear();
    throw py::value_error("`spent` must be a number or an array of " + std::to_string(rows));
  }
  if (given.ndim() == 0) return std::vector<double>(static_cast<std::size_t>(rows), *given.data());
  return {given.data(), given.data() + given.size()};
}

/// Chunks [leading, h, A].
Batch chunks_for(ActingPolicy& policy, const Observations& seen, const py::object& episodes,
                 const py::object& steps, const py::object& spent) {
  const Dimensions& dim = policy.policy().dimensions();
  const std::vector<std::int64_t> episode = places(episodes, seen.rows(), "episodes"),
                                  step = places(steps, seen.rows(), "steps");
  const std::vector<double> cost = costs_so_far(spent, seen.rows());
  Batch chunks(joined(seen.leading, {dim.chunk_length, dim.action}));
  const std::span<const float> in = values_of(seen.array);
  const std::span<float> out = writable_values(chunks);
  const py::gil_scoped_release released;
  policy.act(in, {episode, step, cost}, out);
  return chunks;
}

/// The first action of each chunk, [leading, A].
Batch first_actions(const Batch& chunks, const Shape& leading) {
  const py::ssize_t a = chunks.shape(chunks.ndim() - 1), chunk = a * chunks.shape(chunks.ndim() - 2);
  Batch actions(joined(leading, {a}));
  for (py::ssize_t row = 0; row < actions.size() / a; ++row)
    std::copy_n(chunks.data() + row * chunk, a, actions.mutable_data() + row * a);
  return actions;
}

py::object values_type() {
  const py::object type =
      py::module_::import("collections")
          .attr("namedtuple")("Values", "v_r v_c safe q_r q_c", py::arg("module") = "r2pac",
                              py::arg("defaults") = py::make_tuple(py::none(), py::none()));
  type.attr("__doc__") =
      "What the critics say of n observations, each [n] float32, or [] for a single observation.\n\n"
      "v_r: V_r, discounted and scaled return; v_c: V_c, discounted and scaled cost; safe: V_c <= the "
      "policy's threshold, bool; q_r, q_c: least target Q_r and greatest target Q_c of the given chunks, "
      "None if there were none.";
  return type;
}

py::object values(ActingPolicy& policy, const py::object& observations, const py::object& actions,
                  const py::object& spent) {
  const Observations seen = one_or_several(policy, observations);
  const Dimensions& dim = policy.policy().dimensions();
  Floats chunks;
  if (!actions.is_none())
    chunks = float_array(actions, "actions", joined(seen.leading, {dim.chunk_length, dim.action}));
  const std::vector<double> cost = costs_so_far(spent, seen.rows());
  Batch v_reward(seen.leading), v_cost(seen.leading), q_reward(Shape{0}), q_cost(Shape{0});
  if (!actions.is_none()) {
    q_reward = Batch(seen.leading);
    q_cost = Batch(seen.leading);
  }
  {
    const auto in = values_of(seen.array), given = values_of(chunks);
    const auto out_q_reward = writable_values(q_reward), out_q_cost = writable_values(q_cost),
               out_v_reward = writable_values(v_reward), out_v_cost = writable_values(v_cost);
    const py::gil_scoped_release released;
    policy.score(in, given, cost, out_q_reward, out_q_cost, out_v_reward, out_v_cost);
  }
  py::array_t<bool> safe(seen.leading);
  std::ranges::transform(values_of(Floats(v_cost)), safe.mutable_data(),
                         [l = *policy.policy().region_end()](float v) { return double{v} <= l; });
  const py::object type = py::module_::import("r2pac._core").attr("Values");
  return actions.is_none() ? type(v_reward, v_cost, safe) : type(v_reward, v_cost, safe, q_reward, q_cost);
}

/// The keywords of configure() as keys and texts of settings.
std::vector<std::pair<std::string, std::string>> changes_of(const py::kwargs& keywords) {
  const std::map<std::string, std::string> aliases = {
      {"candidates", "num_candidates"}, {"guidance", "guidance_scale"}, {"threshold", "region_bound"}};
  std::vector<std::pair<std::string, std::string>> changes;
  for (const auto& [name, value] : keywords) {
    const std::string key = py::str(name);
    if (value.is_none() || key == "cost_limit") continue;
    const auto alias = aliases.find(key);
    changes.emplace_back(alias != aliases.end() ? alias->second : key, std::string(py::str(value)));
  }
  return changes;
}

/// The settings with Python's types, through their TOML.
py::object settings_dictionary(const ActingPolicy& policy) {
  return py::module_::import("r2pac.toml_reader")
      .attr("tomllib")
      .attr("loads")(settings_toml({policy.policy().settings(), {}}));
}

}  // namespace

void bind_policy(py::module_& module) {
  module.attr("Values") = values_type();

  py::class_<ActingPolicy> policy(
      module, "Policy",
      "A trained policy, ready to act. S and A: numbers in an observation and an action; h: actions per "
      "chunk.\n\n"
      "Acting draws candidate chunks by the guided flow and keeps one. Its noise is a function of (seed, "
      "step, episode), so episodes repeat exactly, alone or in a batch, and equal those of `r2pac eval` with "
      "the same seed. Observations are taken as they come from the environment; float32 arrays in C order "
      "are read without a copy. Calls may come from several threads; they release the GIL while they "
      "compute, one at a time for each policy. ValueError: a wrong shape, or a number that is not finite.");
  policy
      .def_static(
          "load",
          [](const std::filesystem::path& path, int threads, const std::string& device,
             const std::string& precision) {
            std::string remark;
            std::unique_ptr<ActingPolicy> loaded;
            {
              const py::gil_scoped_release released;
              loaded = std::make_unique<ActingPolicy>(
                  path, open_device({device, threads, precision},
                                    [&remark](const std::string& text) { remark = text; }));
            }
            if (!remark.empty()) warn(remark);
            return loaded;
          },
          py::arg("path"), py::kw_only(), py::arg("threads") = 0, py::arg("device") = "cpu",
          py::arg("precision") = "fp32",
          "Reads a policy file, the policy of a run folder, or a checkpoint.\n\n"
          "threads: of the CPU, 0 for all processors; no result depends on it. device: auto, cpu, cuda or "
          "cuda:N. precision: fp32; on CUDA devices also tf32 and bf16; on a CPU with AVX-512 BF16 also "
          "bf16. A policy file must reproduce its own example. Raises CheckpointError for a damaged file, "
          "DeviceError, UsageError.")
      .def(
          "configure",
          [](const py::object& self, const py::kwargs& settings) {
            std::optional<double> limit;
            if (settings.contains("cost_limit") && !settings["cost_limit"].is_none()) {
              limit = PyFloat_AsDouble(py::object(settings["cost_limit"]).ptr());
              if (PyErr_Occurred()) throw py::error_already_set();
            }
            self.cast<ActingPolicy&>().configure(changes_of(settings), limit);
            return self;
          },
          "Changes how the policy acts, what is not given staying as it is, and returns the policy.\n\n"
          "Keywords are the settings of the stage acting, as `r2pac eval --set` takes them: num_candidates "
          "(or candidates): chunks to choose from, 1 to 65536. flow_steps: Euler steps, 1 to 100000. "
          "guidance_scale (or guidance): omega, 0 to 1000. selection: \"least-cost\" (least Q_c), or "
          "\"region\" (in a safe state the greatest Q_r among chunks with Q_c within the bound). "
          "region_bound (or threshold): that of region, or \"auto\": the policy's l, but at most its cost "
          "limit as a value (Eq. 42). bound_scale: factor on it. budget: \"half\" or \"remaining\" of what "
          "the "
          "episode may still cost bounds it further, see act; or \"none\". label: \"1\" acts well, \"null\" "
          "imitates the data. cost_limit: kappa, as `r2pac eval --cost-limit` takes it; a policy whose "
          "region "
          "ends at the limit (safe-chunks, budgeted) acts for it. None leaves a value as it is. Raises "
          "UsageError, and SettingsError for what "
          "its method cannot do.")
      .def("reset", &ActingPolicy::reset, py::arg("seed") = py::none(), py::kw_only(),
           py::arg("episode") = py::none(), py::call_guard<py::gil_scoped_release>(),
           "Begins an episode at step 0; call it beside the environment's reset.\n\n"
           "With a seed (>= 0): episode 0 of that seed. Without: the next episode of the same seed, which "
           "at first is episode 0 of seed 0. episode: that one instead.")
      .def(
          "act",
          [](ActingPolicy& self, const py::object& observation, const py::object& spent) {
            return first_actions(chunks_for(self, one(self, observation), py::none(), py::none(), spent), {});
          },
          py::arg("observation"), py::kw_only(), py::arg("spent") = py::none(),
          "The action [A] in [-1, 1] for an observation [S]; the step moves on by one.\n\n"
          "spent: the episode's undiscounted cost so far, which a policy with a `budget`, or of the method "
          "caps or bcrl, keeps its choices by; None: nobody counts it, and a fifth of its bound applies "
          "throughout.")
      .def(
          "act_batch",
          [](ActingPolicy& self, const py::object& observations, const py::object& episodes,
             const py::object& steps, const py::object& spent) {
            const Observations seen = several(self, observations);
            return first_actions(chunks_for(self, seen, episodes, steps, spent), seen.leading);
          },
          py::arg("observations"), py::kw_only(), py::arg("episodes") = py::none(),
          py::arg("steps") = py::none(), py::arg("spent") = py::none(),
          "Actions [n, A] in [-1, 1] for observations [n, S] of n episodes side by side.\n\n"
          "episodes: each row's episode, [n] or one for all; without, row i belongs to the current episode "
          "+ i. steps: each row's step in its episode, likewise; without, all rows are at the current step, "
          "which then moves on by one. spent: each row's cost so far, as for act. A row's action depends on "
          "its observation, episode, step and cost alone.")
      .def(
          "chunk",
          [](ActingPolicy& self, const py::object& observations, const py::object& episodes,
             const py::object& steps, const py::object& spent) {
            return chunks_for(self, one_or_several(self, observations), episodes, steps, spent);
          },
          py::arg("observations"), py::kw_only(), py::arg("episodes") = py::none(),
          py::arg("steps") = py::none(), py::arg("spent") = py::none(),
          "The whole chunks [n, h, A] for observations [n, S], or [h, A] for one [S]; otherwise as "
          "act_batch, whose action is the first of the chunk.")
      .def("values", &values, py::arg("observations"), py::arg("actions") = py::none(), py::kw_only(),
           py::arg("spent") = py::none(),
           "Values of observations [n, S] or [S], and of chunks `actions` [n, h, A] or [h, A] if given. "
           "spent: "
           "each row's cost so far, as for act; it counts where the critics see a budget (method budgeted).")
      .def_property_readonly(
          "settings", &settings_dictionary,
          "Every setting that it was trained with, by key; `r2pac config show` explains them")
      .def_property_readonly(
          "task", [](const ActingPolicy& p) { return p.policy().settings().task; },
          "The task's short name; empty if it was trained without one")
      .def_property_readonly(
          "threshold", [](const ActingPolicy& p) { return p.policy().region_end(); },
          "l: a state is safe where V_c <= l; discounted, scaled cost. None for a method without a region")
      .def_property_readonly(
          "method", [](const ActingPolicy& p) { return p.policy().method().name; },
          "The method that it was trained with; `r2pac methods` describes them")
      .def_property_readonly(
          "cost_limit", [](const ActingPolicy& p) { return p.settings().cost_limit; },
          "kappa, undiscounted cost of an episode that scoring allows; configure changes it")
      .def_property_readonly(
          "observation_dim", [](const ActingPolicy& p) { return p.policy().dimensions().observation; }, "S")
      .def_property_readonly(
          "action_dim", [](const ActingPolicy& p) { return p.policy().dimensions().action; }, "A")
      .def_property_readonly(
          "chunk_length", [](const ActingPolicy& p) { return p.policy().dimensions().chunk_length; }, "h")
      .def_property_readonly(
          "step", [](const ActingPolicy& p) { return p.policy().step(); }, "Gradient steps of its training")
      .def_property_readonly(
          "path", [](const ActingPolicy& p) { return p.policy().path(); }, "The file that was read")
      .def_property_readonly(
          "data_fingerprint", [](const ActingPolicy& p) { return p.policy().data_fingerprint(); },
          "Fingerprint of the data that it was trained on")
      .def_property_readonly(
          "device", [](const ActingPolicy& p) { return p.policy().device()->name(); },
          "Where it computes, for example `cpu`")
      .def_property_readonly("seed", &ActingPolicy::seed, "Seed of the noise, of the last reset")
      .def_property_readonly(
          "candidates", [](const ActingPolicy& p) { return p.options().num_candidates; },
          "Chunks that it chooses from")
      .def_property_readonly(
          "flow_steps", [](const ActingPolicy& p) { return p.options().flow.flow_steps; }, "Euler steps")
      .def_property_readonly(
          "guidance", [](const ActingPolicy& p) { return p.options().flow.guidance_scale; }, "omega")
      .def_property_readonly(
          "selection", [](const ActingPolicy& p) { return selection_name(p.options().selection); },
          "\"least-cost\" or \"region\"; of the method caps \"within\", of bcrl \"surplus\"")
      .def_property_readonly(
          "label", [](const ActingPolicy& p) { return p.options().flow.label == kLabelNull ? "null" : "1"; },
          "\"1\" or \"null\"")
      .def("__repr__", [](const ActingPolicy& p) {
        return "<r2pac.Policy " + p.policy().path().string() + ": step " + std::to_string(p.policy().step()) +
               ">";
      });
}

}  // namespace r2pac::python
