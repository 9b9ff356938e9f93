// R2PAC_CUDA_EAGER=1: calls run one by one, and errors name them.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "cuda/cuda.cuh"
#include "kernels/queue.cuh"

using namespace r2pac;

namespace {

struct Eager {
  Eager() { setenv("R2PAC_CUDA_EAGER", "1", 1); }
  ~Eager() { unsetenv("R2PAC_CUDA_EAGER"); }
};

}  // namespace

TEST_CASE("an eager call that fails is named, with the reason") {
  const Eager eager;
  cuda::Queue queue(Precision::fp32);
  int runs = 0;
  const cuda::Graph graph = queue.capture([&] {
    for (const char* name : {"a sound call", "a bad call", "a later call"}) {
      queue.begin_call(cuda::Work::after_everything(name));
      queue.launch(1, [&](const cuda::Stream&) {
        ++runs;
        if (std::string(name) == "a bad call") R2_CUDA(cudaSetDevice(-1));
      });
    }
  });
  CHECK(runs == 0);
  for (const int expected : {2, 4}) {  // each replay runs up to the fault
    std::string said;
    try {
      graph.run();
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::device);
      said = error.what();
    }
    CHECK(said.find("in `a bad call`: ") == 0);
    CHECK(said.find("cudaErrorInvalidDevice") != std::string::npos);
    CHECK(runs == expected);
  }
}
