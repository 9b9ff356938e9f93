#include "acting/actor.h"

#include "acting/cpu_actor.h"
#ifdef R2PAC_WITH_CUDA
#include "acting/cuda_actor.cuh"
#include "engine/cuda_device.cuh"
#endif

namespace r2pac {

template <class T>
std::unique_ptr<Actor<T>> make_actor(Device& device, const ActorSpec<T>& spec) {
  device.backend<T>();  // throws where the device does not compute in T
#ifdef R2PAC_WITH_CUDA
  if constexpr (std::is_same_v<T, float>)
    if (auto* const cuda = dynamic_cast<CudaDevice*>(&device)) return cuda::make_actor(spec, *cuda);
#endif
  return cpu_actor(spec, *device.pool(), device.precision());
}

template std::unique_ptr<Actor<float>> make_actor(Device&, const ActorSpec<float>&);
template std::unique_ptr<Actor<double>> make_actor(Device&, const ActorSpec<double>&);

}  // namespace r2pac
