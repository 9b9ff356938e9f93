#include <algorithm>
#include <cmath>

#include "cuda/cuda.cuh"
#include "kernels/update.cuh"
#include "kernels/warp.cuh"

namespace r2pac::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kChunk = 4096;  // values of one block; unmeasured
constexpr int kFinishThreads = 1024;

/// A piece and its chunks. Positions count from the aligned address at or before the arrays' start, which lie
/// `shift` values after it. A last chunk takes the up to three values that the shift pushes beyond it.
struct Piece {
  UpdateArguments<float> of;
  int shift;  // 0 .. 3; -1: the arrays' addresses differ modulo four values
  int first_chunk;
};

struct PieceTable {
  int count = 0, chunks = 0;
  Piece pieces[kUpdatePieces];
};

/// What Adam's constants are made of.
struct AdamTerms {
  float learning_rate, log_beta1, log_beta2, weight_decay, warm_up_steps, cosine_steps;
  const float* gradient_scale;  // null: 1
  AdamStep<float> step;         // what does not depend on t
};

/// The constants of step t.
__device__ AdamStep<float> step_at(const AdamTerms& terms, float t) {
  const float rate = terms.learning_rate * formula::rate_factor(t, terms.warm_up_steps, terms.cosine_steps);
  return {.step_size = rate / -expm1f(t * terms.log_beta1),
          .second_correction = 1.0f / sqrtf(-expm1f(t * terms.log_beta2)),
          .beta1 = terms.step.beta1,
          .beta2 = terms.step.beta2,
          .epsilon = terms.step.epsilon,
          .polyak = terms.step.polyak,
          .keep = 1.0f - rate * terms.weight_decay,
          .gradient_scale = terms.gradient_scale == nullptr ? 1.0f : *terms.gradient_scale};
}

/// Value i of all arrays; returns the squared gradient.
__device__ float update_one(const UpdateArguments<float>& of, std::size_t i, const AdamStep<float>& step) {
  float value = of.value[i], first = of.first_moment[i], second = of.second_moment[i];
  const float gradient = of.gradient[i];
  formula::adam_update(value, first, second, gradient, step);
  of.value[i] = value;
  of.first_moment[i] = first;
  of.second_moment[i] = second;
  if (of.target != nullptr) of.target[i] = formula::polyak_update(of.target[i], value, step.polyak);
  return gradient * gradient;
}

/// Values i .. i + 3, at aligned addresses.
__device__ float update_four(const UpdateArguments<float>& of, std::size_t i, const AdamStep<float>& step) {
  auto value = load_vector<float4>(of.value + i);
  auto first = load_vector<float4>(of.first_moment + i), second = load_vector<float4>(of.second_moment + i);
  const auto gradient = load_vector<float4>(of.gradient + i);
  formula::adam_update(value.x, first.x, second.x, gradient.x, step);
  formula::adam_update(value.y, first.y, second.y, gradient.y, step);
  formula::adam_update(value.z, first.z, second.z, gradient.z, step);
  formula::adam_update(value.w, first.w, second.w, gradient.w, step);
  store_vector(of.value + i, value);
  store_vector(of.first_moment + i, first);
  store_vector(of.second_moment + i, second);
  if (of.target != nullptr) {
    auto target = load_vector<float4>(of.target + i);
    target.x = formula::polyak_update(target.x, value.x, step.polyak);
    target.y = formula::polyak_update(target.y, value.y, step.polyak);
    target.z = formula::polyak_update(target.z, value.z, step.polyak);
    target.w = formula::polyak_update(target.w, value.w, step.polyak);
    store_vector(of.target + i, target);
  }
  return gradient.x * gradient.x + gradient.y * gradient.y + gradient.z * gradient.z +
         gradient.w * gradient.w;
}

__device__ float square_four(const UpdateArguments<float>& of, std::size_t i) {
  const auto gradient = load_vector<float4>(of.gradient + i);
  return gradient.x * gradient.x + gradient.y * gradient.y + gradient.z * gradient.z +
         gradient.w * gradient.w;
}

/// One block per chunk of 4096 values, which it updates or only squares; a thread takes four neighbours at a
/// time, 1024 values apart.
template <bool kUpdates>
__global__ void __launch_bounds__(kThreads, 4)
    update_kernel(const __grid_constant__ PieceTable table, const __grid_constant__ AdamTerms terms,
                  const StepState* state, UpdateCount count, float* partial_squares) {
  __shared__ AdamStep<float> shared_step;
  __shared__ float of_warp[kThreads / 32];
  const int block = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  int low = 0, high = table.count;  // the piece is one of low .. high - 1
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (block < table.pieces[middle].first_chunk ? high : low) = middle;
  }
  if constexpr (kUpdates) {
    if (thread == 0) shared_step = step_at(terms, static_cast<float>(count.at(state->completed)));
    __syncthreads();
  }
  const AdamStep<float> step = shared_step;

  const Piece& piece = table.pieces[low];
  const bool last = block + 1 == (low + 1 < table.count ? table.pieces[low + 1].first_chunk : table.chunks);
  const std::size_t shift = piece.shift < 0 ? 0 : static_cast<std::size_t>(piece.shift);
  const std::size_t end = shift + piece.of.size;
  const std::size_t chunk = static_cast<std::size_t>(block - piece.first_chunk) * kChunk;
  const std::size_t chunk_end = last ? end : chunk + kChunk;
  float squares = 0;
  for (std::size_t at = chunk + 4 * static_cast<std::size_t>(thread); at < chunk_end; at += 4 * kThreads) {
    if (piece.shift >= 0 && at >= shift && at + 4 <= end) {
      squares += kUpdates ? update_four(piece.of, at - shift, step) : square_four(piece.of, at - shift);
    } else {
#pragma unroll 1
      for (std::size_t i = at; i < at + 4; ++i)
        if (i >= shift && i < end)
          squares += kUpdates ? update_one(piece.of, i - shift, step)
                              : piece.of.gradient[i - shift] * piece.of.gradient[i - shift];
    }
  }

  squares = warp_sum(squares);
  if (thread % 32 == 0) of_warp[thread / 32] = squares;
  __syncthreads();
  if (thread < 32) {
    squares = warp_sum(thread < kThreads / 32 ? of_warp[thread] : 0.0f);
    if (thread == 0) partial_squares[block] = squares;
  }
}

/// One block: thread t takes the sums t, t + 1024, ...; then a tree.
__global__ void __launch_bounds__(kFinishThreads)
    clip_kernel(const float* partial_squares, int n, float clip, float* scale) {
  __shared__ float of_warp[kFinishThreads / 32];
  const int thread = static_cast<int>(threadIdx.x);
  float sum = 0;
#pragma unroll 1
  for (int i = thread; i < n; i += kFinishThreads) sum += partial_squares[i];
  sum = warp_sum(sum);
  if (thread % 32 == 0) of_warp[thread / 32] = sum;
  __syncthreads();
  if (thread < 32) {
    sum = warp_sum(of_warp[thread]);
    if (thread == 0) *scale = formula::clip_factor(sum, clip);
  }
}

/// Where the partial sums of some pieces lie, and what else must be finite.
struct FinishTable {
  int count = 0;        // pieces of this launch
  int first_piece = 0;  // among all pieces; those before it have their sums
  int losses = 0;
  bool ends_step = false;
  int first_chunk[kFinishPieces + 1] = {};
  const float* loss[kStepLosses] = {};
};

/// One block, one warp per piece. A launch of its own, so that all blocks of the update have read the step.
__global__ void __launch_bounds__(kFinishThreads)
    finish_kernel(const __grid_constant__ FinishTable table, const float* partial_squares, float* squares,
                  StepState* state) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
  bool finite = true;
  for (int i = thread / 32; i < table.count; i += kFinishThreads / 32) {
    float sum = 0;
#pragma unroll 1
    for (int c = table.first_chunk[i] + lane; c < table.first_chunk[i + 1]; c += 32)
      sum += partial_squares[c];
    sum = warp_sum(sum);
    finite = finite && std::isfinite(sum);
    if (lane == 0) squares[table.first_piece + i] = sum;
  }
  if (table.ends_step) {
    for (int i = thread; i < table.first_piece; i += kFinishThreads)
      finite = finite && std::isfinite(squares[i]);
    if (thread < table.losses) finite = finite && std::isfinite(*table.loss[thread]);
    const bool bad = __syncthreads_or(!finite) != 0;
    if (thread == 0) {
      ++state->completed;
      if (bad && state->first_bad_step == 0) state->first_bad_step = state->completed;
    }
  }
}

__global__ void __launch_bounds__(1) begin_next_step_kernel(StepState* state) { ++state->step; }

int chunks_of(std::size_t size) { return static_cast<int>((size + kChunk - 1) / kChunk); }

/// Values between the aligned address before `address` and itself.
int shift_of(const float* address) {
  return static_cast<int>(reinterpret_cast<std::uintptr_t>(address) % alignof(float4) / sizeof(float));
}

int common_shift(const UpdateArguments<float>& of) {
  const int shift = shift_of(of.value);
  const bool common = shift_of(of.first_moment) == shift && shift_of(of.second_moment) == shift &&
                      shift_of(of.gradient) == shift &&
                      (of.target == nullptr || shift_of(of.target) == shift);
  return common ? shift : -1;
}

}  // namespace

std::size_t update_scratch(const std::vector<UpdateArguments<float>>& pieces) {
  std::size_t chunks = 0;
  for (const auto& piece : pieces) chunks += static_cast<std::size_t>(chunks_of(piece.size));
  return chunks;
}

int update_launches(const std::vector<UpdateArguments<float>>& pieces) {
  return static_cast<int>((pieces.size() + kUpdatePieces - 1) / kUpdatePieces);
}

namespace {

/// Calls run(table, chunks' first partial sum) for the pieces of each launch.
template <class Run>
void for_each_table(const std::vector<UpdateArguments<float>>& pieces, float* scratch, Run run) {
  for (std::size_t first = 0; first < pieces.size(); first += kUpdatePieces) {
    PieceTable table;
    table.count = static_cast<int>(std::min(pieces.size() - first, std::size_t{kUpdatePieces}));
    for (int i = 0; i < table.count; ++i) {
      const UpdateArguments<float>& of = pieces[first + static_cast<std::size_t>(i)];
      table.pieces[i] = {of, common_shift(of), table.chunks};
      table.chunks += chunks_of(of.size);
    }
    if (table.chunks > 0) run(table, scratch);
    scratch += table.chunks;
  }
}

}  // namespace

void update_parameters(const std::vector<UpdateArguments<float>>& pieces, const AdamSettings& settings,
                       const StepState* state, const UpdateCount& count, float* scratch, cudaStream_t stream,
                       const float* gradient_scale) {
  const AdamTerms terms{static_cast<float>(settings.learning_rate),
                        static_cast<float>(std::log(settings.beta1)),
                        static_cast<float>(std::log(settings.beta2)),
                        static_cast<float>(settings.weight_decay),
                        static_cast<float>(settings.schedule.warm_up_steps),
                        static_cast<float>(settings.schedule.cosine_steps),
                        gradient_scale,
                        adam_step<float>(settings, 1)};
  for_each_table(pieces, scratch, [&](const PieceTable& table, float* partial) {
    launch(update_kernel<true>, table.chunks, kThreads, 0, stream, table, terms, state, count, partial);
  });
}

void square_gradients(const std::vector<UpdateArguments<float>>& pieces, float* scratch,
                      cudaStream_t stream) {
  for_each_table(pieces, scratch, [&](const PieceTable& table, float* partial) {
    launch(update_kernel<false>, table.chunks, kThreads, 0, stream, table, AdamTerms{},
           static_cast<const StepState*>(nullptr), UpdateCount(), partial);
  });
}

void clip_gradient(const float* partial_squares, std::size_t n, double clip, float* scale,
                   cudaStream_t stream) {
  launch(clip_kernel, 1, kFinishThreads, 0, stream, partial_squares, static_cast<int>(n),
         static_cast<float>(clip), scale);
}

void begin_next_step(StepState* state, cudaStream_t stream) {
  launch(begin_next_step_kernel, 1, 1, 0, stream, state);
}

void finish_step(const std::vector<UpdateArguments<float>>& pieces, StepState* state,
                 const std::vector<const float*>& losses, const float* scratch, float* squares,
                 cudaStream_t stream) {
  if (losses.size() > kStepLosses) {
    throw InvalidArgument("finish_step: " + std::to_string(losses.size()) + " losses, but it can look at " +
                          std::to_string(kStepLosses));
  }
  FinishTable table;
  table.losses = static_cast<int>(losses.size());
  std::copy(losses.begin(), losses.end(), table.loss);
  std::size_t first = 0;
  do {
    const std::size_t count = std::min(pieces.size() - first, std::size_t{kFinishPieces});
    table.first_piece = static_cast<int>(first);
    table.count = static_cast<int>(count);
    for (std::size_t i = 0; i < count; ++i)
      table.first_chunk[i + 1] = table.first_chunk[i] + chunks_of(pieces[first + i].size);
    first += count;
    table.ends_step = first == pieces.size();
    launch(finish_kernel, 1, kFinishThreads, 0, stream, table, scratch, squares, state);
    scratch += table.first_chunk[count];
  } while (first < pieces.size());
}

}  // namespace r2pac::cuda
