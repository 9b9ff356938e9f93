// What the engine offers any method: gradients on the CPU in double against central differences.
#include "base/error.h"
#include "engine_cases.h"

using namespace r2pac;

namespace {

template <class F>
std::string message(F f) {
  try {
    f();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("a layer applied several times gets the sum of all gradients") {
  // first 16, second 20, head 5, critics 12, judges 15, norm 8, table 12
  check_gradient(cases::layers_applied_twice, 88);
  Workbench<double> w(on_cpu());
  DenseLayer fewer = w.critics;
  fewer.nets = 2;
  for (const DenseLayer& l : {w.critics, fewer})
    squared_error_loss(w.tape, "loss", w.layer(l, w.input), w.wanted);
  const std::string text = message([&] { w.tape.backward(); });
  CHECK(text.find("`critics.weight` is applied as [2, 3, 1] and as [3, 3, 1]") != std::string::npos);
}
