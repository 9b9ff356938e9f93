// How networks see observations, as tensors of a policy or checkpoint (docs/formats.md).
#pragma once

#include "acting/normalization.h"
#include "storage/safetensors.h"

namespace r2pac {

template <class T>
void add_normalization(SafetensorsWriter& writer, const Normalization<T>& seen) {
  writer.add<T>("observation_mean", {seen.mean.size()}, seen.mean);
  writer.add<T>("observation_scale", {seen.scale.size()}, seen.scale);
  if (seen.values.empty()) return;
  writer.add<T>("observation_values", {seen.mean.size(), kScorePoints}, seen.values);
  writer.add<T>("observation_scores", {seen.mean.size(), kScorePoints}, seen.scores);
}

/// Throws Error(checkpoint) where the tensors are missing, of another shape, or no maps.
Normalization<float> read_normalization(const SafetensorsFile& file, int observation_dim);

}  // namespace r2pac
