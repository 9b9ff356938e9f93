// What the engine offers any method: losses and gradients on a CUDA device against the CPU's.
#include "engine_cases.h"
#include "on_cuda.h"

using namespace r2pac;

TEST_CASE("cuda: a layer applied several times gets the sum of all gradients") {
  any_order();
  check_on(on_cuda(), cases::layers_applied_twice);
}
