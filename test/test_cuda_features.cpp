// What the engine offers any method: losses and gradients on a CUDA device against the CPU's.
#include "engine_cases.h"
#include "on_cuda.h"
#include "optimizer_case.h"

using namespace r2pac;

TEST_CASE("cuda: a layer applied several times gets the sum of all gradients") {
  any_order();
  check_on(on_cuda(), cases::layers_applied_twice);
}

TEST_CASE("cuda: a frozen layer passes gradients on and learns nothing, a constant one ends them") {
  any_order();
  check_on(on_cuda(), cases::frozen_layers);
}

TEST_CASE("cuda: several losses on one tensor and its members add up") {
  any_order();
  check_on(on_cuda(), cases::losses_on_one_tensor);
}

TEST_CASE("cuda: losses weigh the rows") {
  any_order();
  check_on(on_cuda(), cases::weighted_losses);
}

TEST_CASE("cuda: the gradient of an ensemble's extreme goes to the chosen member") {
  any_order();
  check_on(on_cuda(), cases::ensemble_extremes);
}

TEST_CASE("cuda: free vectors and scalars get the sum of their rows' gradients") {
  any_order();
  check_on(on_cuda(), cases::free_parameters);
}

TEST_CASE("cuda: a Gaussian's likelihood teaches its mean and its deviations") {
  any_order();
  check_on(on_cuda(), cases::gaussians);
}

TEST_CASE(
    "cuda: samples of Gaussians, their divergence and the mean of what is far teach what they are made of") {
  any_order();
  check_on(on_cuda(), cases::sampled_gaussians);
}

TEST_CASE("cuda: stationary distribution corrections teach values before and after transitions") {
  any_order();
  check_on(on_cuda(), cases::distribution_corrections);
}

TEST_CASE("cuda: the gate teaches by the cost where a chunk does not pass it, and by the reward elsewhere") {
  any_order();
  check_on(on_cuda(), cases::gates);
}

TEST_CASE("cuda: activations and residual sums pass their gradients on") {
  any_order();
  check_on(on_cuda(), cases::activations);
}

TEST_CASE("cuda: a normalisation's argument may have other readers, its epsilon is the layer's") {
  any_order();
  check_on(on_cuda(), cases::normalised_residual);
}

TEST_CASE("cuda: diffusion teaches the frequencies of its times and what reads its actions") {
  any_order();
  check_on(on_cuda(), cases::diffusions);
}

TEST_CASE("cuda: dropout passes the gradient of what it keeps") {
  any_order();
  check_on(on_cuda(), cases::dropouts);
}

TEST_CASE(
    "cuda: groups of an optimiser have their own rate, schedule, decay, clipping, followers and order") {
  any_order();
  for (const bool in_parts : {false, true})
    check_errors(cases::after_steps<double>(on_cpu(), in_parts),
                 cases::after_steps<float>(on_cpu(), in_parts),
                 cases::after_steps<float>(on_cuda(), in_parts));
}
