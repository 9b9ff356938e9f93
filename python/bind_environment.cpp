#include <pybind11/stl.h>

#include <array>

#include "envs/reach_avoid.h"
#include "python/bindings.h"

namespace r2pac::python {
namespace {

using Batch = py::array_t<float>;

/// A copy, since the environment overwrites its arrays at every step.
template <class T>
py::array_t<T> copied(std::span<const T> values, std::vector<py::ssize_t> shape) {
  return py::array_t<T>(std::move(shape), values.data());
}

py::tuple circle(const Disc& disc) { return py::make_tuple(disc.center.x, disc.center.y, disc.radius); }

}  // namespace

void bind_environment(py::module_& module) {
  py::class_<ReachAvoid> robot(module, "ReachAvoid",
                               "Copies of the built-in robot in lock-step. N copies; S = 7 and A = 2 numbers "
                               "in an observation and an action.");
  robot
      .def(py::init<int>(), py::arg("count") = 1,
           "count: N, at least 1. Copies start as episodes 0 .. N - 1 of seed 0.")
      .def(
          "reset",
          [](ReachAvoid& self, std::uint64_t seed, int first_episode) {
            self.reset(seed, first_episode);
            return copied(self.observations(), {self.count(), self.observation_dim()});
          },
          py::arg("seed"), py::arg("first_episode") = 0,
          "Starts episode first_episode + i of `seed` in copy i. Returns observations [N, S], float32.\n\n"
          "The start is a function of (seed, episode) alone.")
      .def(
          "step",
          [](ReachAvoid& self, const py::object& actions) {
            const py::ssize_t n = self.count();
            const Floats chosen = float_array(actions, "actions", {n, self.action_dim()});
            self.step(values_of(chosen));
            const auto flags = [n](std::span<const std::uint8_t> values) {
              py::array_t<bool> array(n);
              std::ranges::copy(values, array.mutable_data());
              return array;
            };
            return py::make_tuple(copied(self.observations(), {n, self.observation_dim()}),
                                  copied(self.rewards(), {n}), copied(self.costs(), {n}),
                                  flags(self.terminals()), flags(self.timeouts()));
          },
          py::arg("actions"),
          "One step with actions [N, A], clipped to [-1, 1]; finished copies stay where they are.\n\n"
          "Returns observations [N, S], rewards [N] and costs [N] (0 or 1) as float64, terminals [N] and "
          "timeouts [N], "
          "both bool.")
      .def_property_readonly("count", &ReachAvoid::count, "N")
      .def_property_readonly("observation_dim", &ReachAvoid::observation_dim, "S")
      .def_property_readonly("action_dim", &ReachAvoid::action_dim, "A")
      .def_property_readonly("episode_steps", &ReachAvoid::episode_steps,
                             "Steps after which an episode is cut by a timeout");
  robot.attr("hazards") = py::make_tuple(circle(reach_avoid::kHazards[0]), circle(reach_avoid::kHazards[1]));
  robot.attr("goal") = circle(reach_avoid::kGoal);
  robot.attr("cost_limit") = ReachAvoidTask::cost_limit;
}

}  // namespace r2pac::python
